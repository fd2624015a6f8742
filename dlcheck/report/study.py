"""A study as one HTML file in the look of all reports, from its fact alone."""

from collections import defaultdict
from statistics import fmean, stdev

import numpy as np

from dlcheck.report.html import document, escaped, finding_article, table
from dlcheck.report.plain import headline, next_step
from dlcheck.report.plane import Axis, Plane, axis_of, figure
from dlcheck.report.report import Report, Series, counts
from dlcheck.report.study_plots import failures, history, parallel, slices
from dlcheck.report.svg import svg_chart
from dlcheck.rules.search.gain import alive, confirmed_gain
from dlcheck.rules.search.rows import ranked
from dlcheck.runs.facts import SearchStudy, SearchTrial
from dlcheck.runs.facts.search import trial_title

CURVES = 5
"""Trials whose learning curves are shown."""
MARKS = (
    ("", "finished"),
    ("early", "ended early"),
    ("own", "your recipe"),
    ("top", "chosen"),
)
MOST_REASON = 160
SPAN_UNITS = ((3600.0, "h"), (60.0, "min"), (1.0, "s"))


def study_html(report: Report, study: SearchStudy) -> str:
    """Return a whole HTML document of a study; all text from the user's side is escaped."""
    outcome = report.outcome
    by = f"a search by {study.sampler}" if study.sampler else "a search"
    parts = [
        f"<h1>{escaped(study.name or report.source)} <small>{escaped(by)}</small></h1>",
        f'<p class="verdict {report.verdict}">{escaped(_verdict(report))}</p>',
        _summary(study),
        *(finding_article(finding) for finding in outcome.findings),
        _titled("Your recipe and the best trials, trained again", _confirmed(study)),
        _titled("History", _legend() + history(study)),
        _titled("Each parameter", _isolation_note(study) + slices(study)),
        _titled("All parameters together", parallel(study)),
        _titled("Importance", _importances(study)),
        _titled("Learning curves of the best", _curves(study)),
        _titled("Where trials fail", failures(study)),
        _titled("How trials ended", _endings(study)),
        "<h2>Rules</h2>",
        f"<p>{'; '.join(f'{count} {name}' for name, count in counts(outcome).items())}</p>",
        table(("not checked", "why", "what would measure it"), [(i.code, i.why, i.try_) for i in outcome.not_checked]),
        table(("crashed", "error"), [(item.code, item.error) for item in outcome.crashed]),
        f'<p class="soft">{escaped(next_step(report))}</p>',
    ]
    return document("\n".join(part for part in parts if part))


def _verdict(report: Report) -> str:
    """Return the verdict in one sentence, in the words of a search."""
    if report.verdict == "sick":
        return headline(report)
    if report.verdict == "healthy":
        return "healthy: the gain is above retrain noise, most trials could be used, and the budget was enough"
    if any(item.code == "S602" for item in report.outcome.not_checked):
        return "unknown: what the best trials gain was not confirmed with other seeds"
    return "unknown: nothing is certainly amiss, and not all that is said below is settled"


def _titled(title: str, content: str) -> str:
    return f"<h2>{title}</h2>\n{content}" if content else ""


def _summary(study: SearchStudy) -> str:
    gain = confirmed_gain(study)
    told = [f"{len(study.trials)} trials have ended."]
    if gain is not None:
        told.append(
            f"The best one, trial {gain.trial}, is better than your recipe by {gain.value:.3g} in {study.metric} "
            f"(95 % interval {gain.low:.2g} to {gain.high:.2g}). "
            f"One training varies by {gain.deviation:.2g} from seed to seed."
        )
    why = f'<p class="soft">{escaped(study.why)}</p>' if study.why else ""
    return f"<p>{escaped(' '.join(told))}</p>{why}"


def _legend() -> str:
    marks = [(f'<circle class="pt {kind}" cx="5" cy="5" r="4"/>', word) for kind, word in MARKS]
    marks.append(('<path class="cross" d="M1 1l8 8m0 -8l-8 8"/>', "failed"))
    keys = [f'<span><svg class="svg-key" viewBox="0 0 10 10">{mark}</svg>{word}</span>' for mark, word in marks]
    return f'<p class="legend">{"".join(keys)}</p>'


def _isolation_note(study: SearchStudy) -> str:
    if not study.parameters:
        return ""
    return (
        "<p><small>The line joins the best trial of each sixth of the range, whatever the other keys were.</small></p>"
    )


def _confirmed(study: SearchStudy) -> str:
    groups = [group for group in study.confirmed if group.values]
    known = [value for group in groups for value in group.values if np.isfinite(value)]
    if not known:
        return ""
    names = [trial_title(group.trial, baseline=group.baseline) for group in groups]
    places = [(place + 0.5) / len(groups) for place in range(len(groups))]
    across = Axis(0.0, 1.0, ticks=tuple(zip(places, names, strict=True)))
    plane = Plane(across, axis_of(known, study.metric), height=220)
    rows = []
    for group, name, at in zip(groups, names, places, strict=True):
        kind = "own" if group.baseline else "top" if group.trial == study.chosen else ""
        values = [value for value in group.values if np.isfinite(value)]
        for seed, value in zip(group.seeds, group.values, strict=False):
            if np.isfinite(value):
                plane.dot(at, value, f"{name}, seed {seed}: {value:.4g}", kind)
        if values:
            plane.line([(at - 0.06, fmean(values)), (at + 0.06, fmean(values))], "whisker")
        spread = f"{stdev(values):.2g}" if len(values) > 1 else ""
        mean = f"{fmean(values):.4g}" if values else ""
        died = "" if alive(group) else f"{len(group.values) - len(values)} died"
        rows.append((name, mean, spread, ", ".join(f"{value:.4g}" for value in values), died))
    head = ("", f"mean {study.metric}", "standard deviation", "each seed", "")
    return figure(f"{study.metric} by seed, and the mean", plane.svg("confirmed")) + table(head, rows)


def _importances(study: SearchStudy) -> str:
    if not study.importances:
        return f'<p class="soft">{escaped(study.importance_note)}</p>' if study.importance_note else ""
    row, left, width = 22, 190, 640
    scale = width - left - 60
    parts = []
    for index, item in enumerate(study.importances):
        y = index * row + row / 2
        value, low, high = (left + scale * min(max(one, 0.0), 1.0) for one in (item.value, item.low, item.high))
        parts.append(f'<text x="{left - 8}" y="{y + 4}" text-anchor="end">{escaped(item.name)}</text>')
        parts.append(f'<rect class="bar" x="{left}" y="{y - 7}" width="{value - left:.1f}" height="14"/>')
        parts.append(f'<line class="whisker" x1="{low:.1f}" x2="{high:.1f}" y1="{y}" y2="{y}"/>')
        parts.append(f'<text x="{high + 6:.1f}" y="{y + 4}">{item.value:.2f}</text>')
    height = row * len(study.importances)
    svg = f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="importances">{"".join(parts)}</svg>'
    return figure(f"share of the variance of {study.metric}: {study.importance_note}", svg)


def _curves(study: SearchStudy) -> str:
    best = [trial for trial in ranked(study) if len(trial.curve) > 1][:CURVES]
    own = next((trial for trial in study.trials if trial.baseline and len(trial.curve) > 1), None)
    shown = [*best, *([own] if own is not None and own not in best else [])]
    series = [_series(trial) for trial in shown]
    return svg_chart(study.metric, series, x_label="epoch") if series else ""


def _series(trial: SearchTrial) -> Series:
    name = trial_title(trial.number, baseline=trial.baseline)
    x, y = np.array([(float(point.epoch), point.value) for point in trial.curve]).T
    return Series(name, x, y)


def _endings(study: SearchStudy) -> str:
    kinds: dict[str, list[SearchTrial]] = defaultdict(list)
    for trial in study.trials:
        kinds[trial.ending].append(trial)
    seconds = sum(trial.seconds for trial in study.trials) or 1.0
    rows = []
    for ending, trials in sorted(kinds.items(), key=lambda item: -len(item[1])):
        spent = sum(trial.seconds for trial in trials)
        reason = next((trial.reason for trial in trials if trial.reason), "")
        numbers = (str(len(trials)), _span(spent), f"{spent / seconds:.0%}")
        cells = "".join(f'<td class="fit n">{cell}</td>' for cell in numbers)
        rows.append(f'<tr><td class="fit">{escaped(ending)}</td>{cells}<td>{escaped(_shortened(reason))}</td></tr>')
    titles = ("ending", "trials", "time", "share of time", "as in")
    head = "".join(f'<th class="fit">{title}</th>' for title in titles)
    return f"<table><tr>{head}</tr>{''.join(rows)}</table>"


def _shortened(text: str) -> str:
    return text if len(text) <= MOST_REASON else f"{text[: MOST_REASON - 1]}…"


def _span(seconds: float) -> str:
    size, unit = next(((size, unit) for size, unit in SPAN_UNITS if seconds >= 2 * size), (1.0, "s"))
    return f"{seconds / size:.3g} {unit}"
