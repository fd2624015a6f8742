"""Can the network learn one small batch by heart?"""

from __future__ import annotations

import math
import time

import torch

from dlcheck.checks.exam import Exam, Measured, Skipped
from dlcheck.checks.model.yardstick import constant_loss, yardstick, zero_loss
from dlcheck.checks.overfit.attempt import Attempt, Goal, attempt, grows_wrong
from dlcheck.checks.overfit.conflict import Conflict, find_conflict
from dlcheck.checks.overfit.plain import unregularized
from dlcheck.checks.overfit.shape import read_shape
from dlcheck.checks.patient import Patient, answer
from dlcheck.checks.state import untouched
from dlcheck.components.batches import Batch
from dlcheck.runs.facts import OverfitBatch

SAMPLES = 32
FEW = 16
"""Samples of texts and pictures to reconstruct, each of which is many numbers to remember."""
RATES = (3e-3, 1e-3, 1e-2, 3e-4)
"""Of Adam, in the order in which they are tried."""
STEPS = 300
"""Steps at each rate; the most promising one goes on up to ``BUDGET``."""
BUDGET = 1500
LEAST = 50
"""Steps after which a loss that has not moved counts as flat, though time ran out."""
NEAR = 0.05
"""Part of the loss of the best constant answer that counts as near zero (catalogue of pre-flight checks: CS231n
and Full Stack Deep Learning ask for zero; a twentieth is reached in a budget of seconds)."""
CURVE = 100


def measure_overfit(patient: Patient) -> Measured:
    """Train on 16 or 32 samples alone, at several rates, until all are learned or the budget is spent."""
    if not any(parameter.requires_grad for parameter in patient.model.parameters()):
        raise Skipped("no parameter trains")
    with untouched(patient), unregularized(patient):
        batch = _batch(patient)
        conflict = find_conflict(batch)
        goal = _goal(patient, batch, conflict)
    made, rates = _attempts(patient, batch, goal)
    if not made.losses:
        raise Skipped("ran out of time before the first step")
    fact = OverfitBatch(
        samples=len(batch[-1]),
        steps=len(made.losses),
        budget=BUDGET,
        solved=made.solved,
        first_loss=made.losses[0],
        last_loss=made.losses[-1],
        best_loss=made.best,
        target_loss=goal.loss,
        score=made.hits,
        shape=read_shape(made, goal),
        lr=made.lr,
        rates_tried=rates,
        conflicting=conflict.samples,
        floor=_floor(goal, conflict),
        curve=_thinned(made.losses),
    )
    certain = fact.shape in ("rises", "explodes") or (fact.shape == "flat" and fact.steps >= LEAST)
    if made.late and not made.solved and not certain:
        reached = f"loss {made.losses[0]:.3g} to {made.best:.3g}"
        raise Skipped(f"ran out of time after {fact.steps} steps ({reached})")
    return Measured((fact,), number=_told(fact), expected=f"{goal.loss:.2g}")


def _told(fact: OverfitBatch) -> str:
    score = "" if fact.score is None else f", {fact.score:.0%} right"
    return f"{fact.last_loss:.3g}{score}"


def _batch(patient: Patient) -> Batch:
    """Return the samples to learn: different ones, so that they are some work; fewer where each is much."""
    batch = patient.samples(SAMPLES)
    much = batch[-1].ndim > 1 and batch[-1][0].numel() > 1
    return tuple(tensor[:FEW] for tensor in batch) if much else batch


def _goal(patient: Patient, batch: Batch, conflict: Conflict) -> Goal:
    *inputs, target = batch
    patient.training_mode()
    with torch.no_grad():
        found = patient.predict(tuple(inputs))
        first = float(patient.loss(found, target))
    output = answer(found)
    if output is None:
        return Goal(NEAR * abs(first), 0.0, yardstick(patient, torch.zeros(0), target), abs(first) or 1.0)
    stick = yardstick(patient, output, target)
    constant = constant_loss(patient.loss, output, target, stick)
    zero = zero_loss(patient.loss, output, target)
    known = [value for value in (constant, zero) if value is not None and value > 0]
    top = known[0] if known else abs(first)
    # Samples of one class, or numbers that are all the same, leave nothing to learn but that.
    if constant is not None and zero and abs(constant) < 0.01 * abs(zero):
        top = abs(zero)
    floor = min(conflict.entropy, 0.99 * top) if stick.kind == "classes" else 0.0
    unit = max(top - floor, 1e-12)
    return Goal(floor + NEAR * unit, conflict.hits if stick.kind in ("classes", "binary") else 0.0, stick, unit)


def _floor(goal: Goal, conflict: Conflict) -> float:
    return conflict.entropy if goal.stick.kind == "classes" else 0.0


def _attempts(patient: Patient, batch: Batch, goal: Goal) -> tuple[Attempt, tuple[float, ...]]:
    """Try one rate after the other, then go on with the best; return it and the rates."""
    tried: list[Attempt] = []
    end = patient.deadline
    for place, rate in enumerate(RATES):
        # No rate may use up the time of those after it; the last quarter is for going on with the best.
        share = (end - time.monotonic()) / (len(RATES) - place + 1)
        patient.deadline = time.monotonic() + share if math.isfinite(share) else math.inf
        tried.append(_fresh(patient, batch, goal, rate, STEPS))
        if tried[-1].solved or grows_wrong(tried[-1], goal) or (place and _same_fate(tried)):
            break
    patient.deadline = end
    best = min(tried, key=_rank)
    if not best.solved and read_shape(best, goal) in ("slow", "stuck", "oscillates") and patient.left_s > 0:
        tried.append(_fresh(patient, batch, goal, best.lr, BUDGET))
        best = min(best, tried[-1], key=_rank)
    return best, tuple(dict.fromkeys(made.lr for made in tried))


def _rank(made: Attempt) -> tuple[bool, float, int]:
    return not made.solved, made.best, -len(made.losses)


def _same_fate(tried: list[Attempt]) -> bool:
    """Return whether two rates came to exactly the same end: nothing moves, and no rate will change that."""
    last, before = tried[-1], tried[-2]
    return len(set(last.losses)) == 1 and set(last.losses) == set(before.losses)


def _fresh(patient: Patient, batch: Batch, goal: Goal, rate: float, steps: int) -> Attempt:
    with untouched(patient), unregularized(patient):
        torch.manual_seed(patient.seed)
        patient.training_mode()
        return attempt(patient, batch, goal, lr=rate, steps=steps)


def _thinned(losses: list[float]) -> tuple[float, ...]:
    step = -(-len(losses) // CURVE)
    return tuple(losses[::step])


EXAM = Exam("overfit a small batch", ("M209",), measure_overfit, share=8.0)
