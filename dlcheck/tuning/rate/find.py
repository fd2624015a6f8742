"""Looking for a rate: the range test, short runs, and what they say together."""

from __future__ import annotations

import time
from collections.abc import Callable

from dlcheck.components.losses import trivial_loss
from dlcheck.components.losses.loss import Loss
from dlcheck.errors import DlcheckError
from dlcheck.tuning.rate.explained import explained
from dlcheck.tuning.rate.fingerprint import fingerprint
from dlcheck.tuning.rate.found import FoundRate, RateRun
from dlcheck.tuning.rate.grid import Look, lowest, make_look, search
from dlcheck.tuning.rate.rules import read_rules
from dlcheck.tuning.rate.subject import Subject
from dlcheck.tuning.rate.sweep import STEPS as SWEEP_STEPS
from dlcheck.tuning.rate.sweep import range_test
from dlcheck.tuning.rate.verdict import first_rate, judge, largest_stable, shrink

STEPS = 300
"""Training steps that looking for a rate may take, if nothing else is said."""
RUNS = 4
"""Short runs at most: a fifth was never needed to enclose a lowest loss on the tuning half."""
SECOND_LOOK, SECOND_RUNS = 3, 3
"""Before it is said that a loss never falls, twice as many steps again go into three longer runs: small noisy
batches can hide a fall from runs of fifty steps."""
FEWEST = 60
"""Steps below which neither a sweep nor short runs can be read."""

Listener = Callable[[str], None]


def find_rate(subject: Subject, *, steps: int = STEPS, listener: Listener | None = None) -> FoundRate:
    """Look for the rate of a training, and leave everything as it was.

    A third of the steps, at most a hundred, go into the range test, the others into at most four short runs.

    Args:
        subject: Whose rate.
        steps: Training steps in all, at most; up to three times as many before it is said that the loss never falls.
        listener: Told what is under way.

    Raises:
        DlcheckError: too few steps, no batches, the user's code fails, or something could not be put back.
    """
    if steps < FEWEST:
        raise DlcheckError(f"steps: {steps} are too few to see anything; at least {FEWEST}")
    tell = listener or (lambda words: None)
    began, before = time.monotonic(), fingerprint(subject.patient)
    with explained(subject):
        found = _measure(subject, steps, tell)
    _refuse_traces(before, fingerprint(subject.patient))
    return found(time.monotonic() - began)


def _measure(subject: Subject, steps: int, tell: Listener) -> Callable[[float], FoundRate]:
    planned = min(SWEEP_STEPS, steps // 3)
    short = max(min((steps - planned) // RUNS, subject.shape.steps), 1)
    tell("range test")
    sweep = range_test(subject, steps=planned)
    rules = read_rules(sweep)
    start, trivial = first_rate(rules), _trivial(subject)
    runs = () if start is None else search(_heard(subject, short, tell), start, RUNS)
    verdict = judge(sweep, runs, rules, length=subject.shape.steps / short, trivial=trivial)
    made = len(sweep.losses) + sum(run.steps for run in runs)
    longer = min((SECOND_LOOK - 1) * steps // SECOND_RUNS, subject.shape.steps)
    if verdict.flat and start is not None and longer > short:
        short, runs = longer, search(_heard(subject, longer, tell), start, SECOND_RUNS)
        verdict = judge(sweep, runs, rules, length=subject.shape.steps / short, trivial=trivial)
        made += sum(run.steps for run in runs)
    length = subject.shape.steps / short
    best = lowest(runs)
    rules["short runs"] = None if best is None else best * shrink(length)
    return lambda seconds: FoundRate(
        name=subject.name,
        suggestion=verdict.suggestion,
        interval=verdict.interval,
        largest_stable=largest_stable(sweep, runs),
        why=verdict.why,
        rate=subject.rate,
        rules=rules,
        sweep=sweep,
        runs=runs,
        schedule=subject.shape.name,
        short_best=best,
        short_steps=short,
        total_steps=subject.shape.steps,
        batch_size=subject.batch_size,
        seed=subject.patient.seed,
        steps=made,
        seconds=seconds,
        notes=(*_notes(subject), *verdict.notes),
    )


def _heard(subject: Subject, steps: int, tell: Listener) -> Look:
    """Return what makes short runs and tells of each."""
    look = make_look(subject, steps)

    def told(rate: float) -> RateRun:
        tell(f"{steps} steps at rate {rate:.2g}")
        return look(rate)

    return told


def _notes(subject: Subject) -> tuple[str, ...]:
    if not subject.steps.full:
        return ()
    return ("memory for batches is full: the first ones were used again and again",)


def _trivial(subject: Subject) -> float | None:
    """Return the loss of the best constant answer where it is known, which after mixup it is not."""
    loss, info = subject.patient.loss, subject.patient.info
    recipe = subject.patient.recipe
    if info is None or recipe is None or not isinstance(loss, Loss) or recipe.regularize.mixup:
        return None
    return trivial_loss(loss, info)


def _refuse_traces(before: dict[str, str], after: dict[str, str]) -> None:
    changed = [part for part, digest in before.items() if after[part] != digest]
    if changed:
        raise DlcheckError(f"could not put back what looking for a rate had changed: {', '.join(changed)}")
