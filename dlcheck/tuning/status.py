"""How far a study is, in plain words. Imports neither torch nor Optuna."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence

from dlcheck.errors import printable
from dlcheck.tuning.trials import Ending, StudyView, TrialRow


def done(view: StudyView) -> list[TrialRow]:
    """Return the trials that have ended and count for the study."""
    return [row for row in view.trials if row.counts and row.ending is not None]


def running(view: StudyView) -> list[TrialRow]:
    """Return the trials that are being trained."""
    return [row for row in view.trials if row.state == "RUNNING"]


def best_row(view: StudyView) -> TrialRow | None:
    """Return the best trial that finished within all limits, by the first metric; of equal ones the first."""
    sign = 1 if view.minimize else -1
    usable = [row for row in view.trials if row.usable]
    return min(usable, key=lambda row: (sign * (row.value or 0.0), row.number), default=None)


def baseline_row(view: StudyView) -> TrialRow | None:
    """Return the recipe as it is, as soon as it has finished."""
    return next((row for row in view.trials if row.baseline and row.usable), None)


def front(view: StudyView) -> list[TrialRow]:
    """Return the finished trials that no other one equals or betters in every objective, by the first of them."""
    signs = [1.0 if small else -1.0 for small in view.directions]
    costs = {
        row.number: tuple(sign * value for sign, value in zip(signs, row.values, strict=True))
        for row in view.trials
        if row.usable and len(row.values) == len(signs)
    }
    kept = [number for number, own in costs.items() if not any(_dominates(other, own) for other in costs.values())]
    return sorted((row for row in view.trials if row.number in kept), key=lambda row: (costs[row.number], row.number))


def endings(view: StudyView) -> list[tuple[str, int]]:
    """Return how many trials ended in each way, the most frequent first."""
    found = Counter(str(row.ending) for row in done(view))
    return sorted(found.items(), key=lambda pair: (-pair[1], pair[0]))


def counts_line(view: StudyView) -> str:
    """Return how many trials are done and how they ended, in one line."""
    total = f" of {view.total}" if view.total is not None else ""
    told = ", ".join(f"{count} {name}" for name, count in endings(view))
    now = f", {len(running(view))} running" if running(view) else ""
    return f"{view.name}: {len(done(view))}{total} trials done{now}{f' ({told})' if told else ''}"


def best_line(view: StudyView) -> str:
    """Return the best trial against the recipe, in one line; what is said of it is one training's value."""
    best, own = best_row(view), baseline_row(view)
    if best is None or best.value is None:
        return f"best: no trial has finished yet, by {view.metric}"
    if best.baseline:
        return f"best: your recipe as it is, {view.metric} {best.value:.4g}"
    against = ""
    if own is not None and own.value is not None:
        gain = (own.value - best.value) * (1 if view.minimize else -1)
        against = f", {gain:.3g} better than your recipe ({own.value:.4g})"
    return f"best: trial {best.number}, {view.metric} {best.value:.4g}{against}"


def seconds_left(view: StudyView, now: float | None = None) -> float | None:
    """Return how long a study will probably take, in seconds, by the trials of its last half; None if unknown.

    The first limit that will be reached counts: trials, epochs, or the deadline.
    """
    now = time.time() if now is None else now
    recent = _recent(done(view))
    left: list[float] = []
    if recent and view.total is not None:
        mean = sum(row.seconds for row in recent) / len(recent)
        left.append(mean * max(view.total - len(done(view)), 0) / max(view.workers, 1))
    if recent and view.budget_epochs is not None and (epochs := sum(row.epochs for row in recent)):
        mean = sum(row.seconds for row in recent) / epochs
        used = sum(row.epochs for row in done(view))
        left.append(mean * max(view.budget_epochs - used, 0) / max(view.workers, 1))
    if view.deadline is not None:
        # Both were noted by a clock that may have been set back since: it is not earlier now than when a trial began.
        begun = max((row.started for row in running(view) if row.started is not None), default=now)
        left.append(max(view.deadline - max(now, begun), 0.0))
    return min(left, default=None)


def span(seconds: float) -> str:
    """Return a duration as people say it: ``40 s``, ``3 min``, ``2 h 5 min``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def status(view: StudyView, now: float | None = None) -> str:
    """Return the state of a study as the text of ``dlcheck tune --status``, ending in a line break."""
    lines = [counts_line(view), best_line(view)]
    best = best_row(view)
    if best is not None:
        lines += [f"  {path} = {told(value)}" for path, value in best.params.items()]
    lines += [running_line(row, view) for row in running(view)]
    last = [row for row in done(view) if row.ending not in (Ending.ok, Ending.pruned)][-3:]
    lines += [f"trial {row.number} ended as {row.ending}: {row.diagnosis or row.reason}" for row in last]
    if running(view) and (left := seconds_left(view, now)) is not None:
        lines.append(f"about {span(left)} left")
    if view.why:
        lines.append(view.why)
    kept = (line if line.startswith("  ") else " ".join(line.split()) for line in lines)
    return "\n".join(map(printable, kept)) + "\n"


def running_line(row: TrialRow, view: StudyView) -> str:
    """Return how far a running trial is, in one line."""
    epoch = row.curve[-1][0] if row.curve else 0
    of = f" of {view.epochs}" if view.epochs else ""
    value = f", {view.metric} {row.curve[-1][1]:.4g}" if row.curve else ""
    worker = f" (worker {row.worker})" if row.worker is not None and view.workers > 1 else ""
    return f"trial {row.number} runs{worker}: epoch {epoch}{of}{value}"


def _dominates(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one != other and all(a <= b for a, b in zip(one, other, strict=True))


def _recent(rows: Sequence[TrialRow]) -> Sequence[TrialRow]:
    """Return the last half of the trials, at least five: later trials are pruned sooner or later than the first."""
    return rows[-max(5, len(rows) // 2) :]


def told(value: object) -> str:
    """Return a value of a trial in words: of a number four digits."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
