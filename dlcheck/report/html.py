"""The diagnosis as one HTML file that needs nothing else: its curves to zoom and hover, no network."""

import html
from base64 import b64encode
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from hashlib import sha256
from pathlib import Path

from dlcheck.findings import Finding
from dlcheck.report.plain import headline, next_step, number, patch_text, place, printable, read_as
from dlcheck.report.report import Report, Series, counts, loss_series, metric_series, moment, rate_series, x_label
from dlcheck.report.svg import svg_chart
from dlcheck.report.triage import WITH_CURVES, worst_finding
from dlcheck.runs.discover import Refused
from dlcheck.runs.facts import StepTimes


def to_html(reports: Iterable[Report], refused: Iterable[Refused] = (), *, top: int = 0) -> str:
    """Return a whole HTML document of one or more runs; all text from the user's side is escaped.

    A policy in its head lets the browser load nothing, and run no script but the one for the curves.

    Args:
        reports: The runs; with more than one a table of all comes first.
        refused: What could not be read.
        top: Runs to tell in full at most; 0: those that still have their curves.
    """
    runs, lost = list(reports), list(refused)
    full = runs[:top] if top else runs[:WITH_CURVES]
    parts = [_triage(runs, len(full))] if len(runs) != 1 else []
    parts += [_report(report, place) for place, report in enumerate(full, start=1)]
    parts += [_refused(lost)] if lost else []
    return document("\n<hr>\n".join(parts))


def document(body: str) -> str:
    """Return a whole HTML document with this body, in the look of all reports."""
    style, script = _resource("page.css"), _resource("curves.js")
    policy = f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; base-uri 'none'"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}; form-action \'none\'">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>dlcheck</title><style>{style}</style></head>\n<body>\n{body}\n"
        f"<script>{script}</script></body></html>\n"
    )


@cache
def _resource(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def _hash(content: str) -> str:
    """Return the source expression that allows exactly this content (W3C, Content Security Policy Level 3)."""
    return f"'sha256-{b64encode(sha256(content.encode()).digest()).decode()}'"


def _triage(runs: Sequence[Report], full: int) -> str:
    verdicts = Counter(report.verdict for report in runs)
    told = ", ".join(f"{verdicts[word]} {word}" for word in ("sick", "healthy", "unknown"))
    head = '<tr><th>verdict</th><th>worst finding</th><th class="fit">findings</th><th>run</th></tr>'
    rows = "".join(_triage_row(report, place, full) for place, report in enumerate(runs, start=1))
    found = Counter(code for report in runs for code in {f"{f.code} {f.name}" for f in report.outcome.findings})
    by_rule = [(rule, str(count)) for rule, count in sorted(found.items(), key=lambda item: (-item[1], item[0]))]
    return f"<h1>{len(runs)} runs: {told}</h1><table>{head}{rows}</table>{table(('rule', 'runs'), by_rule)}"


def _triage_row(report: Report, place: int, full: int) -> str:
    worst = worst_finding(report)
    finding = f"{worst.code} {worst.name}" if worst is not None else "none"
    source = escaped(report.source)
    link = f'<a href="#run-{place}">{source}</a>' if place <= full else source
    return (
        f'<tr><td class="fit {report.verdict}">{report.verdict}</td><td class="fit">{escaped(finding)}</td>'
        f'<td class="n">{len(report.outcome.findings)}</td><td>{link}</td></tr>'
    )


def _refused(refused: Sequence[Refused]) -> str:
    rows = [(str(item.path), item.why) for item in refused]
    return f"<h2>Not read</h2>{table(('file', 'why'), rows)}"


def _report(report: Report, place: int) -> str:
    outcome = report.outcome
    parts = [
        f'<h1 id="run-{place}">{escaped(report.source)} <small>{escaped(report.format)}</small></h1>',
        f'<p class="verdict {report.verdict}">{escaped(headline(report))}</p>',
        *(finding_article(finding) for finding in outcome.findings),
        _charts(report),
        _profile(report),
        "<h2>Rules</h2>",
        f"<p>{'; '.join(f'{count} {name}' for name, count in counts(outcome).items())}</p>",
        _rows({"clean": ", ".join(outcome.clean) or "none"}),
        table(("not checked", "why", "what would measure it"), [(i.code, i.why, i.try_) for i in outcome.not_checked]),
        table(("crashed", "error"), [(item.code, item.error) for item in outcome.crashed]),
        _list("how the log was read", list(read_as(report))),
        *(_section(title, report.run.meta.get(title)) for title in ("recipe", "environment")),
        _section("facts", report.run.facts),
        f'<p class="soft">{escaped(next_step(report))}</p>',
    ]
    return "\n".join(part for part in parts if part)


def _profile(report: Report) -> str:
    """Return where the time of a step goes, where that was measured."""
    if StepTimes.NAME not in report.run.facts:
        return ""
    from dlcheck.report.profile_html import profile_section  # which is made of this file's parts, and rarely needed

    return profile_section(report)


def finding_article(finding: Finding) -> str:
    """Return one finding with its numbers, its cause and what to do."""
    severity = finding.severity.label
    by = f", explained by {finding.explained_by}" if finding.explained_by else ""
    lines = [
        f'<article><h3><span class="{severity}">{escaped(f"{finding.code} {finding.name}")}</span> '
        f"<small>{severity}, {finding.confidence:.0%} sure{escaped(by)}</small></h3>",
        f"<p>{escaped(finding.summary)}</p>",
        _rows({key: number(value) for key, value in finding.evidence.items()} | ({"at": place(finding)})),
        f"<p>Cause: {escaped(finding.cause)}</p>" if finding.cause else "",
    ]
    items = [f"<li>{escaped(text)}{_code(patch)}</li>" for text, patch in patch_text(finding)]
    lines.append(f"<ul>{''.join(items)}</ul>" if items else "")
    references = "; ".join(finding.references)
    lines.append(f"<p><small>{escaped(references)}</small></p></article>" if references else "</article>")
    return "".join(lines)


def _charts(report: Report) -> str:
    run, label = report.run, x_label(report.run)
    marks = _marks(report)
    charts: list[tuple[str, list[Series], dict[str, float]]] = [
        ("loss", loss_series(run), marks),
        ("metric", metric_series(run), marks),
        ("learning rate", rate_series(run), {}),
    ]
    return "\n".join(
        svg_chart(title, series, x_label=label, marks=at, may_log=title == "loss")
        for title, series, at in charts
        if series
    )


def _marks(report: Report) -> dict[str, float]:
    """Return where along x each primary finding begins."""
    moments = {f"{item.code} {item.name}": moment(report, item) for item in report.outcome.findings if item.primary}
    return {name: at for name, at in moments.items() if at is not None}


def _section(title: str, content: object) -> str:
    if not isinstance(content, Mapping) or not content:
        return ""
    return f"<details><summary>{title}</summary>{_rows(_flat(content))}</details>"


def _list(title: str, lines: list[str]) -> str:
    items = "".join(f"<li>{escaped(line)}</li>" for line in lines)
    return f"<details><summary>{title}</summary><ul>{items}</ul></details>" if items else ""


def _flat(content: Mapping[object, object], prefix: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for key, value in content.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = str(value)
    return flat


def _rows(rows: Mapping[str, str]) -> str:
    cells = "".join(
        f"<tr><th>{escaped(key)}</th><td>{escaped(value)}</td></tr>" for key, value in rows.items() if value
    )
    return f"<table>{cells}</table>" if cells else ""


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """Return a table with a heading; empty without rows."""
    if not rows:
        return ""
    top = "".join(f"<th>{escaped(cell)}</th>" for cell in head)
    body = "".join(f"<tr>{''.join(f'<td>{escaped(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><tr>{top}</tr>{body}</table>"


def _code(patch: str) -> str:
    return f" <code>{escaped(patch)}</code>" if patch else ""


def escaped(text: str) -> str:
    """Return text of the user's side so that it can be neither markup nor a control character."""
    return html.escape(printable(text))
