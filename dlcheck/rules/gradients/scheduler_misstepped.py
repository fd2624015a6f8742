"""G312."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from dlcheck.findings import Finding, Remedy, Severity
from dlcheck.rules.rule import Limits, Threshold, measured, rule
from dlcheck.rules.site import at, finite, site_where
from dlcheck.runs import Run
from dlcheck.runs.facts import ScheduleCalls

DECAYS = ("StepLR", "MultiStepLR", "ExponentialLR", "PolynomialLR", "CosineAnnealingLR")
"""Schedules that lower the rate, by epochs as a rule; others cycle, wait for a metric, or are anyone's function."""
PARTS = ("SequentialLR", "ChainedScheduler")
"""Schedules whose parts have counts of their own."""


@dataclass(frozen=True, slots=True)
class _Misstep:
    summary: str
    cause: str
    remedy: str
    confidence: float


@rule(
    "G312",
    "scheduler-misstepped",
    Severity.WARNING,
    needs=("schedule_calls",),
    thresholds={
        "early": Threshold(0.5, "a rate below 1 % of its highest before half of the training trains nothing after"),
        "over": Threshold(3.0, "schedules are often run a little beyond their end, not three times over"),
        "under": Threshold(0.5, "less than half of the schedule made in a training that came to its end"),
        "epochs": Threshold(2, "in a single epoch, steps and epochs cannot be told apart by their counts"),
        "same": Threshold(0.05, "a last batch, or one that is accumulated, more or less in each of 20 epochs"),
        "never": Threshold(3, "a schedule stepped by the epoch has had its turn by the third"),
    },
    references=("PyTorch documentation, torch.optim (how to adjust the learning rate)",),
)
def scheduler_misstepped(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find a learning-rate schedule that is stepped by the batch where epochs are meant, or the reverse.

    What it finds:
        By counts of steps, exactly: a schedule made for epochs that is stepped with every batch; one made for
        batches that is stepped once an epoch; one that is never stepped, that is stepped before the first
        optimizer step, that drives an optimizer which no longer trains, or that waits for a metric it never
        gets.
    Why it matters:
        By the batch, a rate made for epochs is gone within the first of them, or swings up and down; by the
        epoch, one made for batches stays in its warm-up. Curves show a plateau, and no error.
    What to do:
        Step schedules of epochs after each epoch, those of batches after each optimizer step, both after
        optimizer.step().
    Limits:
        Schedules that cycle on purpose or that restart are not judged by their length, nor is one that ran on
        past its end, nor an arbitrary function that does not plainly end at 0. A training that was stopped
        pardons an unfinished schedule. Steps that a gradient scaler skipped are allowed for.
    Thresholds:
        early: Share of the training before which the rate has fallen below 1 % of its highest.
        over: Steps of the schedule over those it was made for, at least.
        under: The same, at most, for one that was hardly begun.
        epochs: Epochs, at least.
        same: Share by which the schedule's length and the optimizer's steps may differ, where epochs are not known.
        never: Epochs without a step of the schedule, at least.
    Sources:
        PyTorch documentation, torch.optim.
    """
    seen = measured(run, ScheduleCalls)
    judges: tuple[_Judge, ...] = (_replaced, _no_metric, _never, _by_batch, _by_epoch, _before)
    found = next((misstep for judge in judges if (misstep := judge(seen, limits)) is not None), None)
    if found is not None:
        yield _finding(seen, found)


_Judge = Callable[[ScheduleCalls, Limits], _Misstep | None]


def _replaced(seen: ScheduleCalls, limits: Limits) -> _Misstep | None:
    if not seen.replaced_optimizer:
        return None
    return _Misstep(
        f"{seen.scheduler} drives an optimizer that no longer trains",
        "the optimizer was built anew after the schedule, which still changes the rate of the old one",
        "build the schedule after the optimizer that trains",
        0.95,
    )


def _no_metric(seen: ScheduleCalls, limits: Limits) -> _Misstep | None:
    if not seen.metric_missing:
        return None
    return _Misstep(
        f"{seen.scheduler} is never given a metric",
        "it lowers the rate when a metric no longer improves, and does not know any",
        "hand over the validation loss: scheduler.step(val_loss)",
        0.95,
    )


def _never(seen: ScheduleCalls, limits: Limits) -> _Misstep | None:
    long = seen.epochs >= limits["never"] and seen.optimizer_steps >= limits["never"]
    if seen.scheduler_steps > 0 or not long:
        return None
    return _Misstep(
        f"{seen.scheduler} was not stepped in {seen.epochs} epochs",
        "the schedule is built and not used: the rate stays what it was",
        "call scheduler.step() after each epoch (or after each optimizer step, if it is made for batches)",
        0.92,
    )


def _by_batch(seen: ScheduleCalls, limits: Limits) -> _Misstep | None:
    """Judge a schedule of epochs that is stepped with every batch."""
    batches = seen.optimizer_steps / seen.epochs if seen.epochs > 0 else 0.0
    by_batch = seen.scheduler_steps >= 0.5 * seen.optimizer_steps and batches > 1.5
    if not by_batch or seen.epochs < limits["epochs"] or seen.scheduler not in DECAYS:
        return None
    gone = seen.lr_collapsed_at is not None and seen.lr_collapsed_at < limits["early"]
    if not gone and not _far_over(seen, batches, limits):
        return None
    what = (
        f"the rate was below 1 % of its highest after {seen.lr_collapsed_at:.0%} of the training"
        if gone
        else f"{seen.scheduler_steps} steps of a schedule made for {seen.horizon}"
    )
    return _Misstep(
        f"{seen.scheduler} is stepped with every batch, though it counts epochs: {what}",
        "scheduler.step() stands inside the loop over batches",
        "move scheduler.step() out of the loop over batches, or count the schedule's lengths in batches",
        0.95 if gone or seen.horizon == seen.epochs else 0.85,
    )


def _far_over(seen: ScheduleCalls, batches: float, limits: Limits) -> bool:
    """Return whether a schedule as long as the epochs, or as part of one, was run over and over."""
    if seen.horizon is None or seen.horizon <= 0 or seen.scheduler_steps < limits["over"] * seen.horizon:
        return False
    return abs(seen.horizon - seen.epochs) <= 1 or seen.horizon <= max(batches / 2, 0)


def _by_epoch(seen: ScheduleCalls, limits: Limits) -> _Misstep | None:
    """Judge a schedule of batches that is stepped once an epoch."""
    horizon = seen.horizon or 0
    by_epoch = abs(seen.scheduler_steps - seen.epochs) <= 1 and seen.optimizer_steps > 2 * seen.scheduler_steps
    long = seen.finished and seen.scheduler_steps >= limits["epochs"] and seen.scheduler not in PARTS
    if not (by_epoch or _as_long(seen, limits)) or not long:
        return None
    hardly = seen.scheduler_steps <= limits["under"] * horizon
    if not hardly or not 0.5 <= horizon / seen.optimizer_steps <= 2:
        return None
    return _Misstep(
        f"{seen.scheduler} is stepped once an epoch, though it counts batches: {seen.scheduler_steps} of its "
        f"{horizon} steps were made",
        "scheduler.step() stands outside of the loop over batches",
        "move scheduler.step() into the loop over batches, after optimizer.step()",
        0.95,
    )


def _as_long(seen: ScheduleCalls, limits: Limits) -> bool:
    """Return whether a schedule was made for as many steps as the optimizer made, where epochs are not known."""
    if seen.epochs > 1 or seen.horizon is None:
        return False
    return abs(seen.horizon - seen.optimizer_steps) <= limits["same"] * seen.optimizer_steps


def _before(seen: ScheduleCalls, limits: Limits) -> _Misstep | None:
    if not seen.before_optimizer or seen.skipped_by_scaler > 0 or seen.scheduler_steps <= 0:
        return None
    if seen.optimizer_steps <= 0:
        return None  # nothing trained: another fault, or no training at all
    return _Misstep(
        f"{seen.scheduler} is stepped before the optimizer's first step",
        "the first value of the schedule is skipped, and every later one comes a step too early",
        "call scheduler.step() after optimizer.step(), at the end of the epoch or step",
        0.9,
    )


def _finding(seen: ScheduleCalls, found: _Misstep) -> Finding:
    return scheduler_misstepped.finding(
        found.summary + at(seen.site),
        confidence=found.confidence,
        evidence={
            "scheduler": seen.scheduler,
            "scheduler_steps": seen.scheduler_steps,
            "optimizer_steps": seen.optimizer_steps,
            "epochs": seen.epochs,
            "horizon": seen.horizon,
            "lr_first": finite(seen.lr_first),
            "lr_last": finite(seen.lr_last),
            "lr_lowest": finite(seen.lr_lowest),
        },
        where=site_where(seen.site),
        cause=found.cause,
        remedies=(Remedy(found.remedy),),
    )
