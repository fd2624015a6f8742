"""The words that every report of a treatment uses."""

from __future__ import annotations

import math

from dlcheck.findings import Finding, Severity
from dlcheck.report.report import Report
from dlcheck.report.treated import Attempt, Change, Ending, Fate, Proof, Treated, Value

TITLES = {
    Ending.HEALTHY: "healthy: nothing to treat",
    Ending.CURED: "cured",
    Ending.IMPROVED: "improved, but not healthy yet",
    Ending.NOT_CURED: "not cured: no remedy was measurably better",
    Ending.YOURS: "yours to fix: no key of a recipe cures this",
    Ending.PLANNED: "the plan; nothing was treated",
    Ending.BUDGET: "out of budget before anything was proved",
    Ending.INTERRUPTED: "interrupted; the same command with the same folder goes on",
}
LOOKS = {Ending.HEALTHY: "healthy", Ending.CURED: "healthy"}


def title(treated: Treated) -> str:
    """Return the verdict in a line."""
    return TITLES[treated.ending]


def look(treated: Treated) -> str:
    """Return the look of the verdict: that of a healthy, a sick or an unknown run."""
    if treated.ending is Ending.INTERRUPTED:
        return "unknown"
    return LOOKS.get(treated.ending, "sick")


def amount(value: float, metric: str) -> str:
    """Return a score as people say it."""
    if not math.isfinite(value):
        return "died"
    return f"{value:.1%}" if metric.endswith("accuracy") else f"{value:.4g}"


def proof_line(proof: Proof) -> str:
    """Return the difference with its interval and how many seeds it rests on."""
    seeds = f"{len(proof.seeds)} seed{'' if len(proof.seeds) == 1 else 's'}"
    name = spoken(proof.metric)
    dead = sum(not math.isfinite(value) for value in proof.before)
    lived = f"; {dead} of {len(proof.before)} trainings died before, none does now" if dead and proof.better else ""
    if not math.isfinite(proof.difference):
        return f"{name}: {lived.removeprefix('; ') or 'no training lived'}, {seeds}"
    if len(proof.seeds) < 2:
        return f"{name} {_difference(proof, proof.difference)}, 1 seed, no interval{lived}"
    low, high = _number(proof, proof.low), _number(proof, proof.high)
    interval = f"{100 * proof.level:.3g} % interval {low} to {high}"
    return f"{name} {_difference(proof, proof.difference)}, {interval}, {seeds}{lived}"


def spoken(metric: str) -> str:
    """Return a metric's name in words."""
    return metric.replace("val_", "validation ").replace("_", " ")


def worst(report: Report) -> Finding | None:
    """Return the first finding that makes a run sick."""
    return next((one for one in report.outcome.findings if one.primary and one.severity >= Severity.WARNING), None)


def was_now(treated: Treated) -> str:
    """Return what was found before, and what is found now."""
    before, after = worst(treated.before), worst(treated.after) if treated.after is not None else None
    if before is None:
        return ""
    was = f"was {before.code} {before.name}"
    if treated.after is None:
        return was
    return f"{was}, now {'healthy' if after is None else f'{after.code} {after.name}'}"


def assignment(change: Change) -> str:
    """Return a change as ``key = new (was old)``."""
    return f"{change.path} = {shown(change.new)} (was {shown(change.old)})"


def shown(value: Value) -> str:
    """Return a value of a recipe as TOML writes it, short."""
    if value is None:
        return "not set"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def attempt_line(attempt: Attempt) -> str:
    """Return what was tried, and how it ended."""
    keys = ", ".join(f"{change.path} = {shown(change.new)}" for change in attempt.changes)
    what = f"{attempt.remedy} ({keys})" if keys else attempt.remedy
    told = proof_line(attempt.proof) if attempt.proof is not None else _short(attempt)
    reason = f": {attempt.reason}" if attempt.reason else ""
    fate = "" if attempt.fate is Fate.NOT_TRIED and not attempt.reason else f" - {attempt.fate}{reason}"
    return f"{what}{fate}{f'; {told}' if told else ''}"


def cost_line(treated: Treated) -> str:
    """Return what it took."""
    uses = ", ".join(f"{cost:.1f} {use}" for use, cost in treated.costs.items() if cost >= 0.05)
    return f"cost: {treated.cost:.1f} trainings{f' ({uses})' if uses else ''}, {treated.seconds:.0f} s"


def next_line(treated: Treated) -> str:
    """Return what to do next, or where the result lies."""
    if treated.ending is Ending.INTERRUPTED:
        return f"go on: the same command with --run-dir {treated.folder}"
    if treated.ending is Ending.PLANNED:
        return f"next: dlcheck treat {treated.source}"
    if treated.cured is not None:
        return f"next: dlcheck train {treated.cured}"
    finding = worst(treated.before)
    return f"next: dlcheck explain {finding.code}" if finding is not None else f"next: dlcheck train {treated.source}"


def _short(attempt: Attempt) -> str:
    if not attempt.short:
        return ""
    share, score = attempt.short[-1]
    return f"{score:.4g} after {share:.0%} of a training"


def _difference(proof: Proof, value: float) -> str:
    unit = " points" if proof.metric.endswith("accuracy") else ""
    sign = "+" if value >= 0 else "-"
    return f"{sign}{_number(proof, abs(value))}{unit}"


def _number(proof: Proof, value: float) -> str:
    if proof.metric.endswith("accuracy"):
        return f"{100 * value:.1f}"
    return f"{value:.3g}"
