"""A treatment as one HTML file in the look of all reports: verdict, proof, curves before and after, what was tried."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from dlcheck.report.html import document, escaped, finding_article, table
from dlcheck.report.report import Report, Series, loss_series, metric_series, moment, x_label
from dlcheck.report.svg import svg_chart
from dlcheck.report.treated import Attempt, Fate, Proof, Round, Treated, Yours
from dlcheck.report.treatment_words import (
    amount,
    cost_line,
    difference,
    fate_line,
    in_points,
    look,
    next_line,
    proof_line,
    shown,
    spoken,
    title,
    values,
    was_now,
    worst,
)

LENGTH = 100.0
"""Units of the drawn interval; its size on the screen is the page's."""
MARGIN = 0.08
"""Of the drawn range, on either side."""
LOOKS = {Fate.KEPT: "healthy", Fate.WORSE: "error", Fate.DIED: "error", Fate.HIDES: "warning"}


def treatment_html(treated: Treated) -> str:
    """Return a whole HTML document of a treatment; all text from the user's side is escaped."""
    body = [
        f"<h1>{escaped(treated.name)} <small>a treatment</small></h1>",
        f'<p class="verdict {look(treated)}">{escaped(title(treated))}</p>',
        f"<p>{escaped(was_now(treated))}</p>" if was_now(treated) else "",
        _proof(treated.proof),
        _changes(treated),
        _curves(treated),
        *(_round(one) for one in treated.rounds),
        _titled("To try, in this order", "\n".join(_attempt(one) for one in treated.plan)),
        *(_yours(item) for item in treated.yours),
        _titled("The whole difference", _diff(treated.diff)),
        _diagnosis("Diagnosis before", treated.before),
        _diagnosis("Diagnosis after", treated.after),
        *(f'<p class="soft">Note: {escaped(note)}</p>' for note in treated.notes),
        f'<p class="soft">{escaped(cost_line(treated))}</p>',
        f'<p class="soft">{escaped(next_line(treated))}</p>',
    ]
    return document("\n".join(part for part in body if part))


def _titled(name: str, content: str) -> str:
    return f"<h2>{escaped(name)}</h2>\n{content}" if content else ""


def _proof(proof: Proof | None) -> str:
    if proof is None:
        return ""
    rows = [
        (str(seed), amount(old, proof.metric), amount(new, proof.metric), _pair(proof, new - old))
        for seed, old, new in zip(proof.seeds, proof.before, proof.after, strict=True)
    ]
    told = table(("seed", "before", "after", "difference"), rows)
    return f'<p>{escaped(proof_line(proof))}</p>\n{_interval(proof)}\n<div class="wide">{told}</div>'


def _pair(proof: Proof, value: float) -> str:
    return difference(value, proof.metric) if math.isfinite(value) else "-"


def _interval(proof: Proof) -> str:
    """Draw the interval of the difference as a bar, beside no difference; its ends stand under it in words."""
    pairs = [new - old for old, new in zip(proof.before, proof.after, strict=True) if math.isfinite(new - old)]
    ends = [0.0, proof.low, proof.high, *pairs]
    if not all(map(math.isfinite, ends)):
        return ""
    room = MARGIN * (max(ends) - min(ends) or 1.0)
    low, high = min(ends) - room, max(ends) + room
    if in_points(proof.metric):
        low, high = max(low, -1.0), min(high, 1.0)  # no share can differ by more

    def at(value: float) -> float:
        return LENGTH * (value - low) / (high - low)

    parts = [f'<rect class="{"best" if proof.better else "plain"}" {_box(at(proof.low), at(proof.high), 5, 6)}/>']
    parts += [f'<rect class="ends" {_box(at(one) - 0.15, at(one) + 0.15, 11.5, 3)}/>' for one in pairs]
    middle, none = at(proof.difference), at(0.0)
    parts.append(f'<rect class="ends" {_box(middle - 0.3, middle + 0.3, 3, 10)}/>')
    parts.append(f'<rect class="wait" {_box(none - 0.2, none + 0.2, 0, 16)}/>')
    svg = f'<svg class="bar-whole" viewBox="0 0 {LENGTH:g} 16" preserveAspectRatio="none" role="img" aria-label="'
    unit = "points" if in_points(proof.metric) else spoken(proof.metric)
    unit += "" if proof.greater_is_better else ", less is better"
    key = "bar: the interval; thick mark: the mean; small marks: each seed; orange: no difference"
    return (
        f'<figure>{svg}{escaped(proof_line(proof))}">{"".join(parts)}</svg>'
        f'<p class="span"><span>{difference(low, proof.metric)}</span><span>{escaped(unit)}</span>'
        f"<span>{difference(high, proof.metric)}</span></p><figcaption><small>{key}</small></figcaption></figure>"
    )


def _box(left: float, right: float, top: float, height: float) -> str:
    return f'x="{left:.2f}" y="{top:g}" width="{max(right - left, 0.0):.2f}" height="{height:g}"'


def _changes(treated: Treated) -> str:
    items = [
        f"<li><code>{escaped(one.path)} = {escaped(shown(one.new))}</code> (was {escaped(shown(one.old))})"
        f"{f'<br><small>{escaped(one.why)}</small>' if one.why else ''}</li>"
        for one in treated.changes
    ]
    return _titled("What was changed", f"<ul>{''.join(items)}</ul>" if items else "")


def _curves(treated: Treated) -> str:
    """Return the losses, and the score that decides, before and after on one chart each."""
    after = treated.after
    if after is None:
        return ""
    runs = ((treated.before, "before"), (after, "after"))
    metric = [series for report, when in runs for series in _named(metric_series(report.run), when, treated.metric)]
    losses = [series for report, when in runs for series in _named(loss_series(report.run), when)]
    found = worst(treated.before)
    at = moment(treated.before, found) if found is not None else None
    marks = {f"{found.code} {found.name}": at} if found is not None and at is not None else {}
    label = x_label(treated.before.run)
    charts = [
        svg_chart(spoken(treated.metric), metric, x_label=label, marks=marks, may_log=False),
        svg_chart("loss", losses, x_label=label, marks=marks),
    ]
    return _titled("Before and after", "\n".join(chart for chart in charts if chart))


def _named(series: Sequence[Series], when: str, only: str = "") -> list[Series]:
    kept = [one for one in series if not only or one.label == only]
    names = [one.label.replace("train_", "training ").replace("val_", "validation ") for one in kept]
    return [replace(one, label=when if only else f"{name} {when}") for one, name in zip(kept, names, strict=True)]


def _round(one: Round) -> str:
    tried = "\n".join(_attempt(attempt) for attempt in one.attempts)
    return (
        f"<h2>{escaped(f'Against {one.finding.code} {one.finding.name}')}</h2>\n"
        f"<p>{escaped(one.finding.summary)}</p>\n{tried}"
    )


def _attempt(attempt: Attempt) -> str:
    planned = attempt.fate is Fate.NOT_TRIED
    fate = "" if planned else f'<span class="{LOOKS.get(attempt.fate, "soft")}">{escaped(attempt.fate)}</span> '
    keys, told = values(attempt), fate_line(attempt).removeprefix(str(attempt.fate)).lstrip(":; ")
    cost = f" <small>({attempt.cost:.1f} trainings)</small>" if attempt.cost else ""
    lines = [
        f"<article><h3>{fate}{escaped(attempt.remedy)}</h3>",
        f"<p><code>{escaped(keys)}</code></p>" if keys else "",
        f"<p>{escaped(told[:1].upper() + told[1:])}{cost}</p>" if told or cost else "",
        "</article>",
    ]
    return "".join(lines)


def _yours(item: Yours) -> str:
    count = f"{item.count} sample{'' if item.count == 1 else 's'}"
    rows = f"<p>{count}: <code>{escaped(str(item.rows))}</code></p>" if item.rows is not None else ""
    name = escaped(f"Yours to fix: {item.finding.code} {item.finding.name}")
    return f"<h2>{name}</h2>\n<p>{escaped(item.text)}</p>\n{rows}"


def _diff(diff: str) -> str:
    kinds = {"+": "add", "-": "del"}
    lines = []
    for line in diff.splitlines():
        kind = "" if line.startswith(("+++", "---")) else kinds.get(line[:1], "")
        lines.append(f'<span class="{kind}">{escaped(line)}</span>' if kind else escaped(line))
    return f"<pre>{chr(10).join(lines)}</pre>" if lines else ""


def _diagnosis(name: str, report: Report | None) -> str:
    if report is None:
        return ""
    findings = "\n".join(finding_article(one) for one in report.outcome.findings)
    inner = findings or "<p>nothing found</p>"
    return f"<details><summary>{name}: {escaped(report.verdict)}</summary>\n{inner}</details>"
