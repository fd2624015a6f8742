"""A profile as a section of a report, and as one HTML file in the look of all reports."""

from __future__ import annotations

from dlcheck.report.html import document, escaped, finding_article, table
from dlcheck.report.plain import printable
from dlcheck.report.profile_bars import bar_table, stacked
from dlcheck.report.profile_table import Table
from dlcheck.report.profile_tables import parts, tables
from dlcheck.report.profile_way import not_in_the_way
from dlcheck.report.profile_words import bound_of, interval, next_line, notes, percent, promise, rate, span, title
from dlcheck.report.report import Report, counts
from dlcheck.rules.speed.bound import Bound
from dlcheck.runs.facts import Ceilings, CpuUse, StepTimes, fact


def profile_html(report: Report) -> str:
    """Return a whole HTML document of a profile; all text from the user's side is escaped."""
    outcome = report.outcome
    body = [
        f"<h1>{escaped(report.source)} <small>a profile</small></h1>",
        _verdict(report),
        _step(report),
        *(finding_article(item) for item in outcome.findings if item.code != "P511"),
        _others(report),
        "<h2>Rules</h2>",
        f"<p>{'; '.join(f'{number} {name}' for name, number in counts(outcome).items())}</p>",
        _in_order(report),
        *(f'<p class="soft">Note: {escaped(note)}</p>' for note in notes(report)),
        table(("not checked", "why", "what would measure it"), [(i.code, i.why, i.try_) for i in outcome.not_checked]),
        table(("crashed", "error"), [(item.code, item.error) for item in outcome.crashed]),
        f'<p class="soft">{escaped(next_line(report))}</p>',
    ]
    return document("\n".join(part for part in body if part))


def profile_section(report: Report) -> str:
    """Return the profile of a run as a part of its report, without findings; empty where no step was timed."""
    if fact(report.run, StepTimes) is None:
        return ""
    return "\n".join(
        ["<h2>Profile</h2>", _verdict(report), _step(report, "h3"), _others(report, "h3"), _in_order(report)]
    )


def _verdict(report: Report) -> str:
    found = bound_of(report)
    speed = _speed(report, found)
    line = f"<p>{escaped(speed[:1].upper() + speed[1:])}</p>" if speed else ""
    return f'<p class="verdict {_look(report, found)}">{escaped(title(found))}</p>{line}'


def _look(report: Report, found: Bound | None) -> str:
    """Return the look of the verdict: that of the rules, unless the profile itself could not tell."""
    if found is None or found.kind == "inconclusive":
        return "unknown"
    return "healthy" if found.kind == "compute" and report.verdict != "sick" else report.verdict


def _speed(report: Report, found: Bound | None) -> str:
    known, gain = fact(report.run, Ceilings), promise(found)
    now = f"now {rate(known.now)} (95 %: {interval(known.now)})" if known is not None else ""
    return "; ".join(part for part in (now, gain) if part)


def _step(report: Report, level: str = "h2") -> str:
    """Return where a step goes, as one bar and as a table."""
    steps, shown = fact(report.run, StepTimes), parts(report.run)
    if steps is None or shown is None:
        return ""
    drawn = f"<p>{escaped(_period(steps))}</p>\n{stacked(shown.rows, 'parts of a step, side by side')}"
    return _block(shown, level, drawn)


def _others(report: Report, level: str = "h2") -> str:
    blocks = [_block(one, level) for one in tables(report.run)]
    return "\n".join([*blocks, _cores(report, level)])


def _block(one: Table, level: str, before: str = "") -> str:
    note = f'<p class="soft">{escaped(one.note)}</p>' if one.note else ""
    parts_ = (f"<{level}>{escaped(one.title)}</{level}>", before, bar_table(one), note)
    return "\n".join(part for part in parts_ if part)


def _period(steps: StepTimes) -> str:
    return (
        f"A step takes {span(steps.period_s)} (95th percentile {span(steps.period_p95_s)}) for "
        f"{steps.samples:.4g} samples on {printable(steps.device)}; {steps.steps} steps timed."
    )


def _cores(report: Report, level: str) -> str:
    """Return what was seen of the machine's cores."""
    cpu = fact(report.run, CpuUse)
    if cpu is None:
        return ""
    known = (
        ("cores that it may use", f"{cpu.cores:g}"),
        ("threads that compute", str(cpu.threads)),
        ("workers", f"{cpu.workers}, of {cpu.worker_threads} thread{'' if cpu.worker_threads == 1 else 's'}"),
        ("kept busy by the training", _cores_word(cpu.own_cores)),
        ("kept busy by other programs", _cores_word(cpu.others_cores)),
        ("main process waiting for a core", percent(cpu.main_queue_share)),
        ("workers waiting for a core", percent(cpu.worker_queue_share)),
        ("held back by a quota", percent(cpu.throttled_share)),
        ("time in which something waited for a core", percent(cpu.pressure / 100) if cpu.pressure is not None else "-"),
        ("variables", ", ".join(cpu.variables) or "-"),
    )
    rows = [(name, value) for name, value in known if value != "-"]
    return f"<{level}>The machine</{level}>\n{table(('', ''), rows)}"


def _cores_word(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} cores"


def _in_order(report: Report) -> str:
    clear = not_in_the_way(report)
    return f'<p class="soft">{escaped(f"In order: {clear}")}</p>' if clear else ""
