"""A treatment as one HTML file in the look of all reports: verdict, proof, curves before and after, what was tried."""

from __future__ import annotations

import math
from dataclasses import replace

from dlcheck.report.html import document, escaped, finding_article, table
from dlcheck.report.report import Report, Series, loss_series, metric_series, x_label
from dlcheck.report.svg import svg_chart
from dlcheck.report.treated import Attempt, Proof, Round, Treated, Yours
from dlcheck.report.treatment_words import (
    amount,
    cost_line,
    look,
    next_line,
    proof_line,
    shown,
    spoken,
    title,
    was_now,
)

WIDTH, HEIGHT, SIDE = 640, 70, 60
TRIED = ("remedy", "changes", "how it ended", "proof", "cost")


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
        _titled("To try, in this order", table(TRIED, [_tried(one) for one in treated.plan])),
        *(_yours(item) for item in treated.yours),
        _titled("Diff", f"<pre>{escaped_lines(treated.diff)}</pre>" if treated.diff else ""),
        _diagnosis("Diagnosis before", treated.before),
        _diagnosis("Diagnosis after", treated.after),
        *(f'<p class="soft">Note: {escaped(note)}</p>' for note in treated.notes),
        f'<p class="soft">{escaped(cost_line(treated))}</p>',
        f'<p class="soft">{escaped(next_line(treated))}</p>',
    ]
    return document("\n".join(part for part in body if part))


def escaped_lines(text: str) -> str:
    """Return text of several lines, each escaped."""
    return "\n".join(escaped(line) for line in text.splitlines())


def _titled(name: str, content: str) -> str:
    return f"<h2>{name}</h2>\n{content}" if content else ""


def _proof(proof: Proof | None) -> str:
    if proof is None:
        return ""
    head = ("seed", f"{spoken(proof.metric)} before", "after")
    rows = [
        (str(seed), amount(old, proof.metric), amount(new, proof.metric))
        for seed, old, new in zip(proof.seeds, proof.before, proof.after, strict=True)
    ]
    return f"<p>{escaped(proof_line(proof))}</p>\n{_interval(proof)}\n{table(head, rows)}"


def _interval(proof: Proof) -> str:
    """Return the interval of the difference as a bar against zero."""
    ends = [0.0, proof.low, proof.high]
    if not all(map(math.isfinite, ends)):
        return ""
    low, high = min(ends), max(ends)
    span = (high - low) or 1.0

    def at(value: float) -> float:
        return round(SIDE + (value - low) / span * (WIDTH - 2 * SIDE), 1)

    zero, middle = at(0.0), at(proof.difference)
    name = escaped(proof_line(proof))
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{name}">'
        f'<line class="axis" x1="{zero}" y1="8" x2="{zero}" y2="46" stroke="currentColor" stroke-dasharray="3 3"/>'
        f'<line x1="{at(proof.low)}" y1="27" x2="{at(proof.high)}" y2="27" stroke="currentColor" stroke-width="3"/>'
        f'<circle cx="{middle}" cy="27" r="5" fill="currentColor"/>'
        f'<text x="{zero}" y="62" text-anchor="middle" fill="currentColor">no difference</text></svg>'
    )


def _changes(treated: Treated) -> str:
    rows = [(one.path, shown(one.old), shown(one.new), one.why) for one in treated.changes]
    return _titled("What was changed", table(("key", "was", "is", "why"), rows))


def _curves(treated: Treated) -> str:
    """Return losses and the metric before and after, in one chart each."""
    if treated.after is None:
        return ""
    pairs = (("validation loss", loss_series, "val_loss"), (spoken(treated.metric), metric_series, treated.metric))
    charts = []
    for name, series, label in pairs:
        both = [
            *_renamed(series(treated.before.run), label, "before"),
            *_renamed(series(treated.after.run), label, "after"),
        ]
        charts.append(svg_chart(name, both, x_label=x_label(treated.before.run), may_log=label == "val_loss"))
    return _titled("Before and after", "\n".join(chart for chart in charts if chart))


def _renamed(series: list[Series], label: str, name: str) -> list[Series]:
    return [replace(one, label=name) for one in series if one.label == label]


def _round(one: Round) -> str:
    tried = table(TRIED, [_tried(attempt) for attempt in one.attempts])
    return (
        f"<h2>{escaped(f'{one.finding.code} {one.finding.name}')}</h2>\n<p>{escaped(one.finding.summary)}</p>\n{tried}"
    )


def _tried(attempt: Attempt) -> tuple[str, ...]:
    changes = ", ".join(f"{one.path}: {shown(one.old)} to {shown(one.new)}" for one in attempt.changes)
    reason = f": {attempt.reason}" if attempt.reason else ""
    proof = proof_line(attempt.proof) if attempt.proof is not None else "-"
    return (attempt.remedy, changes or "-", f"{attempt.fate}{reason}", proof, f"{attempt.cost:.1f}")


def _yours(item: Yours) -> str:
    rows = f"<p>{item.count} samples: <code>{escaped(str(item.rows))}</code></p>" if item.rows is not None else ""
    name = escaped(f"{item.finding.code} {item.finding.name}")
    return f"<h2>Yours to fix: {name}</h2>\n<p>{escaped(item.text)}</p>\n{rows}"


def _diagnosis(name: str, report: Report | None) -> str:
    if report is None:
        return ""
    findings = "\n".join(finding_article(one) for one in report.outcome.findings)
    inner = findings or "<p>nothing found</p>"
    return f"<details><summary>{name}: {escaped(report.verdict)}</summary>\n{inner}</details>"
