"""The words that every report of a treatment uses."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterator
from pathlib import Path

from dlcheck.findings import Finding, Severity
from dlcheck.report.report import Report, x_label
from dlcheck.report.treated import Attempt, Change, Ending, Fate, Proof, Treated, Value

TITLES = {
    Ending.HEALTHY: "healthy: nothing to treat",
    Ending.CURED: "cured",
    Ending.IMPROVED: "improved, but not healthy yet",
    Ending.NOT_CURED: "not cured: no remedy was measurably better",
    Ending.YOURS: "yours to fix: no key of a recipe cures this",
    Ending.PLANNED: "the plan; nothing was treated",
    Ending.BUDGET: "out of budget before anything was proved",
    Ending.INTERRUPTED: "interrupted; what was trained is kept",
}
LOOKS = {
    Ending.HEALTHY: "healthy",
    Ending.CURED: "healthy",
    Ending.NOT_CURED: "sick",
    Ending.YOURS: "sick",
}


def title(treated: Treated) -> str:
    """Return the verdict in a line."""
    return TITLES[treated.ending]


def look(treated: Treated) -> str:
    """Return the look of the verdict: that of a healthy, a sick or an unknown run."""
    return LOOKS.get(treated.ending, "unknown")


def in_points(metric: str) -> bool:
    """Return whether differences of a metric are told in points of a hundred."""
    return metric.endswith("accuracy")


def amount(value: float, metric: str) -> str:
    """Return a score as people say it."""
    if not math.isfinite(value):
        return "died"
    return f"{100 * value:.1f} %" if in_points(metric) else f"{value:.4g}"


def difference(value: float, metric: str, *, signed: bool = True) -> str:
    """Return a difference of two scores as people say it, without its unit."""
    if not math.isfinite(value):
        return "unknown"
    sign = "+" if signed else "-"
    return f"{100 * value:{sign}.1f}" if in_points(metric) else f"{value:{sign}.3g}"


def proof_line(proof: Proof) -> str:
    """Return the difference with its interval and how many seeds it rests on."""
    return "; ".join(_proof_parts(proof))


def _proof_parts(proof: Proof) -> Iterator[str]:
    metric, count = proof.metric, len(proof.seeds)
    seeds = f"{count} seed{'' if count == 1 else 's'}"
    unit = " points" if in_points(metric) else ""
    if math.isfinite(proof.difference):
        ends = [difference(end, metric, signed=False) for end in (proof.low, proof.high)]
        known = math.isfinite(proof.low) and math.isfinite(proof.high)
        interval = f"{100 * proof.level:.3g} % interval {' to '.join(ends)}" if known else "no interval yet"
        yield f"{spoken(metric)} {difference(proof.difference, metric)}{unit}, {interval}, {seeds}"
    else:
        yield f"{spoken(metric)}: nothing to compare, {seeds}"
    old, new = (sum(not math.isfinite(value) for value in side) for side in (proof.before, proof.after))
    if proof.better and not old and proof.low <= 0 <= proof.high:
        yield f"better with each of {count}"
    if old or new:
        yield f"{old} of {count} trainings died before, {new or 'none'} after"


def spoken(metric: str) -> str:
    """Return a metric's name in words."""
    return metric.replace("val_", "validation ").replace("_", " ")


def worst(report: Report) -> Finding | None:
    """Return the first finding that makes a run sick."""
    return next((one for one in report.outcome.findings if one.primary and one.severity >= Severity.WARNING), None)


def named(report: Report, finding: Finding) -> str:
    """Return a finding's code and name, and since when."""
    along = x_label(report.run)
    at = finding.where.epoch if along == "epoch" else finding.where.step
    return f"{finding.code} {finding.name}{'' if at is None else f' from {along} {at}'}"


def was_now(treated: Treated) -> str:
    """Return what was found before, and what is found now; empty where nothing was."""
    before = worst(treated.before)
    if before is None:
        return ""
    was = named(treated.before, before)
    if treated.after is None:
        return f"found: {was}"
    after = worst(treated.after)
    return f"was {was}, now {named(treated.after, after) if after is not None else 'healthy'}"


def assignment(change: Change) -> str:
    """Return a change as ``key = new (was old)``."""
    return f"{change.path} = {shown(change.new)} (was {shown(change.old)})"


def shown(value: Value) -> str:
    """Return a value of a recipe, short."""
    if value is None:
        return "not set"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{', '.join(shown(item) for item in value)}]"  # type: ignore[arg-type]
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def values(attempt: Attempt) -> str:
    """Return what an attempt sets, as ``key = new, key = new``."""
    return ", ".join(f"{change.path} = {shown(change.new)}" for change in attempt.changes)


def fate_line(attempt: Attempt) -> str:
    """Return how an attempt ended and by which numbers; empty where it is only planned."""
    planned = attempt.fate is Fate.NOT_TRIED
    parts = [] if planned and not attempt.reason else [attempt.reason if planned else str(attempt.fate)]
    if attempt.reason and not planned:
        parts[0] = f"{attempt.fate}: {attempt.reason}"
    if attempt.source == "lr-find":
        parts.append("the rate from lr-find")
    if attempt.proof is not None:
        parts.append(proof_line(attempt.proof))
    elif attempt.short:
        share, score = attempt.short[-1]
        parts.append(f"{score:.4g} after {share:.0%} of a training")
    return "; ".join(parts)


def attempt_line(attempt: Attempt) -> str:
    """Return what was tried, and how it ended."""
    keys, fate = values(attempt), fate_line(attempt)
    return f"{attempt.remedy}{f' ({keys})' if keys else ''}{f' - {fate}' if fate else ''}"


def cost_line(treated: Treated) -> str:
    """Return what it took."""
    uses = ", ".join(f"{cost:.1f} {use}" for use, cost in treated.costs.items() if cost >= 0.05)
    return f"cost: {treated.cost:.1f} trainings{f' ({uses})' if uses else ''}, {treated.seconds:.0f} s"


def next_line(treated: Treated) -> str:
    """Return what to do next, or where the result lies."""
    if treated.ending is Ending.INTERRUPTED:
        return f"next: the same command with --run-dir {quoted(treated.folder)}"
    if treated.ending is Ending.PLANNED:
        return "next: the same command without --dry-run"
    if treated.ending is Ending.BUDGET:
        return f"next: the same command with --run-dir {quoted(treated.folder)} and a larger --budget"
    if treated.cured is not None:
        return f"next: dlcheck train {quoted(treated.cured)}"
    finding = worst(treated.before)
    return f"next: dlcheck explain {finding.code}" if finding is not None else "next: nothing to mend"


def quoted(path: str | Path) -> str:
    """Return a path as a shell takes it."""
    return shlex.quote(str(path))
