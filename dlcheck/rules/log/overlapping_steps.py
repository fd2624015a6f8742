"""R702."""

from collections.abc import Iterator

import numpy as np

from dlcheck.findings import Finding, Remedy, Severity, Where
from dlcheck.rules.course import LOSSES, signal_series
from dlcheck.rules.rule import Limits, rule
from dlcheck.runs import Event, Run

KINDS = ("overlap", "restart")


@rule("R702", "overlapping-steps", Severity.INFO, needs=(LOSSES,), references=("PyTorch, torch.utils.tensorboard",))
def overlapping_steps(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find steps or epochs that the log holds twice.

    What it finds:
        A counter that falls back: a run that was resumed from a checkpoint and repeats steps, or several runs
        that were written into one log.
    Why it matters:
        Curves that jump back look like spikes, and trends over them mean little.
    What to do:
        Give every run a log of its own; when resuming, cut the log back to the checkpoint.
    Limits:
        A counter that starts anew in every epoch is not taken for a restart where epochs are logged too.
    Thresholds:
        None: the test is exact.
    Sources:
        PyTorch, torch.utils.tensorboard (purge_step: what a resumed run does with the steps it repeats).
    """
    events = [event for event in run.events if event.kind in KINDS]
    if events:
        yield _of_events(events)
        return
    for name in LOSSES:
        found = _falls_back(run, name)
        if found is not None:
            yield found
            return


def _of_events(events: list[Event]) -> Finding:
    first = events[0]
    count = "once" if len(events) == 1 else f"{len(events)} times"
    return overlapping_steps.finding(
        f"the counter of steps or epochs falls back {count}",
        confidence=0.99,
        evidence={"times": len(events), "first": _number(first, "first"), "last": _number(first, "last")},
        where=Where(step=first.step, epoch=first.epoch),
        cause="a resumed run that repeats steps, or several runs in one log",
        remedies=_REMEDIES,
    )


def _falls_back(run: Run, name: str) -> Finding | None:
    curve = signal_series(run, name)
    for places in (curve.epochs, curve.steps):
        if len(places) and np.isfinite(places).all():
            back = np.flatnonzero(np.diff(places) < 0) + 1
            if not len(back):
                return None
            step, epoch = curve.place(int(back[0]))
            return overlapping_steps.finding(
                f"the counter of {name} falls back {len(back)} times",
                confidence=0.95,
                evidence={"times": len(back)},
                where=Where(metric=name, step=step, epoch=epoch),
                cause="a resumed run that repeats steps, or several runs in one log",
                remedies=_REMEDIES,
            )
    return None


def _number(event: Event, name: str) -> float | None:
    value = event.detail.get(name)
    return float(value) if isinstance(value, int | float) else None


_REMEDIES = (Remedy("give every run a log of its own, and cut the log back to the checkpoint when resuming"),)
