"""Which keys of a recipe are unusual for a finding: setting them back is the first remedy."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from dlcheck.findings import Effect, Remedy
from dlcheck.rules.prescription import RATE
from dlcheck.rules.present import Present, same
from dlcheck.rules.site import listed
from dlcheck.rules.usual import LEARNING, PULLED, SHORT, USUAL, Usual

MOST = 2
"""Keys that are named: of more, the nearest and farthest out."""
STARVED = 0.15
"""A schedule whose rate is on average below this share of the rate it begins with leaves little of the run to learn."""
NIL = 0.05
"""Share of the first rate below which next to nothing is learned; unusual for more than half of the epochs."""
SLOWEST_AVERAGE = 0.9995
"""Decay of an average of 2,000 steps; 0.999 is usual (Tarvainen & Valpola 2017, arXiv:1703.01780)."""
FORGOTTEN = ("C406", "C407", "C408", "C412")
"""What an answer that is still that of the first weights looks like."""
GROWN = 1.5
"""Mean rate, relative to the first, above which a schedule raises the rate rather than lowers it."""
SCHEDULED = ("C405", "C406", "C407", "C408", "C412", "C417", "G305")
LATE = 0.5
"""Share of the epochs beyond which a warm-up is no beginning any more."""
FEW_STEPS = 300
"""Epochs of full batches, a step each, below which a first-order method has hardly moved."""
ENOUGH_STEPS = 300
"""Steps within which a small network learns what it can …"""
MOST_EPOCHS = 50
"""… and epochs beyond which those that are few steps each are not prescribed at once."""
LONG = 10_000
"""Epochs of a schedule that are looked at."""
DEEP = 6
"""Hidden layers without a normalisation from which a plain network is hard to train (He et al. 2016)."""


@dataclass(frozen=True, slots=True)
class Unusual:
    """One key far from where it usually lies."""

    path: str
    now: object
    back: object
    """What to set it to."""
    distance: float
    """How far out, in powers of ten."""
    near: bool
    """It is the first cause of such a finding."""


def unusual(recipe: Present, code: str) -> tuple[Unusual, ...]:
    """Return the keys of the recipe that can have caused the finding, the likeliest first."""
    found = [*_out_of_range(recipe, code), *_relations(recipe, code)]
    first: dict[str, Unusual] = {}
    for item in sorted(found, key=lambda item: (not item.near, -item.distance)):
        first.setdefault(item.path, item)
    return tuple(first.values())


def restoring(recipe: Present | None, code: str) -> tuple[Remedy, ...]:
    """Return the remedies that set unusual keys of the recipe back: two, each alone, then all together."""
    found = () if recipe is None else unusual(recipe, code)
    single = tuple(_remedy(item) for item in found[:MOST])
    return (*single, _together(found)) if len(found) > 1 else single


def suspects(code: str) -> tuple[str, ...]:
    """Return the keys that can have caused a finding of this code, those of which it is the first cause before."""
    near = [item.path for item in USUAL if code.startswith(item.near) and item.near]
    far = [item.path for item in USUAL if code.startswith(item.codes)]
    return tuple(dict.fromkeys([*near, *far, *(("schedule.name", "schedule.warmup") if code in SHORT else ())]))


def _remedy(item: Unusual) -> Remedy:
    text = f"set {item.path} back from {shown(item.now)} to {shown(item.back)}"
    return Remedy(text, {item.path: item.back}, (Effect("train_loss", "falls"),), RATE if item.path == RATE else "")


def _together(found: Sequence[Unusual]) -> Remedy:
    """Return the remedy for faults of which none can be seen to be cured before the others are."""
    patch = {item.path: item.back for item in found}
    text = f"set {listed(list(patch))} back together"
    return Remedy(text, patch, (Effect("train_loss", "falls"),), RATE if RATE in patch else "")


def shown(value: object) -> str:
    """Return a value of a recipe as TOML writes it, short."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def _out_of_range(recipe: Present, code: str) -> Iterator[Unusual]:
    for usual in USUAL:
        if not code.startswith(usual.codes) or not _applies(usual, recipe):
            continue
        now = _value(recipe, usual.path)
        distance = _distance(usual, now)
        parent, _, last = usual.path.rpartition(".")
        path = parent if last.isdigit() else usual.path
        back = _longer(recipe, usual) if path == "train.epochs" else usual.back
        back = recipe.default(path) if back is None else back
        if distance > 0 and back is not None and not same(back, recipe.value(path)):
            yield Unusual(path, recipe.value(path), back, distance, bool(usual.near) and code.startswith(usual.near))


def _longer(recipe: Present, usual: Usual) -> object:
    """Return the usual epochs, or more where an epoch is so few steps that these would not end a training either."""
    epochs = recipe.value("train.epochs")
    if not isinstance(usual.back, int) or not isinstance(epochs, int) or not recipe.steps:
        return usual.back
    return max(usual.back, min(MOST_EPOCHS, math.ceil(ENOUGH_STEPS * epochs / recipe.steps)))


def _applies(usual: Usual, recipe: Present) -> bool:
    if not recipe.known(usual.path):
        return False
    return all(recipe.value(path) in allowed for path, allowed in usual.only_if.items())


def _value(recipe: Present, path: str) -> object:
    parent, _, last = path.rpartition(".")
    if not last.isdigit():
        return recipe.value(path)
    values = recipe.value(parent)
    return values[int(last)] if isinstance(values, list) and int(last) < len(values) else None


def _distance(usual: Usual, now: object) -> float:
    """Return how far out a value lies in powers of ten, 0 within the usual."""
    if isinstance(now, list):
        return max((_distance(usual, item) for item in now), default=0.0)
    if any(same(now, odd) for odd in usual.odd):
        return usual.counts
    if now is None or isinstance(now, bool) or not isinstance(now, int | float):
        return 0.0
    if usual.high is not None and now > usual.high:
        return _powers(1 - usual.high, 1 - now) if usual.from_one else _powers(now, usual.high)
    if usual.low is not None and now < usual.low:
        return _powers(1 - now, 1 - usual.low) if usual.from_one else _powers(now, usual.low)
    return 0.0


def _powers(one: float, other: float) -> float:
    """Return the powers of ten between two sizes, a little more than none and at most twelve."""
    big, small = max(abs(one), abs(other)), min(abs(one), abs(other))
    return min(12.0, max(0.01, math.log10(big / small))) if small > 0 else 12.0


def _relations(recipe: Present, code: str) -> Iterator[Unusual]:
    """Find keys that are unusual only beside others."""
    if code.startswith(LEARNING):
        yield from _starving(recipe, code)
        yield from _start(recipe, code)
    if code.startswith(PULLED):
        yield from _averaging(recipe, code)
    if not code.startswith(SHORT):
        return
    epochs, warmup = recipe.value("train.epochs"), recipe.value("schedule.warmup")
    if isinstance(epochs, int) and isinstance(warmup, int | float) and warmup > LATE * epochs:
        distance = 1 + _powers(float(warmup), LATE * epochs)
        yield Unusual("schedule.warmup", warmup, 0.0, distance, code.startswith(SCHEDULED))
    full = recipe.value("train.batch_size") == "full" and recipe.value("optimizer.name") != "lbfgs"
    if full and isinstance(epochs, int) and epochs < FEW_STEPS:
        yield Unusual("train.batch_size", "full", 64, _powers(FEW_STEPS, epochs), code.startswith(SCHEDULED))


def _start(recipe: Present, code: str) -> Iterator[Unusual]:
    """Find random weights of one spread for all layers that fits none, and plain networks too deep for their start."""
    std, near = recipe.value("init.std"), code.startswith(("M201", "M203", "M204", "M205", "G302", "G303"))
    if isinstance(std, int | float) and not 0.005 <= std <= 0.3:
        distance = _powers(float(std), 0.3 if std > 0.3 else 0.005)
        yield Unusual("init.name", f"{recipe.value('init.name')} with std {std:g}", "default", distance, near)
    hidden, norm = recipe.value("model.hidden"), recipe.value("model.norm")
    if isinstance(hidden, list) and len(hidden) >= DEEP and norm == "none":
        usual = recipe.default("model.hidden")
        yield Unusual("model.hidden", f"{len(hidden)} layers", usual, 0.5, near)


def _averaging(recipe: Present, code: str) -> Iterator[Unusual]:
    """Find an average of the weights that is so slow that the first ones weigh in it to the end of most runs."""
    name, decay = recipe.value("regularize.average"), _number(recipe, "regularize.average_decay")
    if name == "ema" and decay is not None and decay > SLOWEST_AVERAGE:
        distance = _powers(1 - SLOWEST_AVERAGE, 1 - decay)
        yield Unusual("regularize.average", f"ema with decay {decay:g}", "none", distance, code.startswith(FORGOTTEN))


def _starving(recipe: Present, code: str) -> Iterator[Unusual]:
    course = rates(recipe)
    if course is None:
        return
    mean = sum(course) / len(course)
    starved = mean < STARVED or sum(rate < NIL for rate in course) > LATE * len(course)
    if mean <= GROWN and not (starved and code.startswith(SHORT)):
        return
    now = f"{recipe.value('schedule.name')} ({mean:.2g} of the rate on average)"
    near = code.startswith(SCHEDULED if starved else ("C401", "C402", "C404", "G304", "G310"))
    yield Unusual("schedule.name", now, "cosine", 1 + _powers(mean, 1.0), near)


def rates(recipe: Present) -> list[float] | None:
    """Return the rate of each epoch of a decaying schedule, relative to its first; None for other schedules."""
    epochs, name = recipe.value("train.epochs"), recipe.value("schedule.name")
    decay, gamma = _number(recipe, "schedule.decay"), _number(recipe, "schedule.gamma")
    if not isinstance(epochs, int) or epochs < 1:
        return None
    counted = range(min(epochs, LONG))
    if name == "inverse_time" and decay is not None and decay > 0:
        return [1 / (1 + decay * epoch) for epoch in counted]
    cuts = _cuts(recipe, str(name))
    return None if gamma is None or cuts is None else [_power(gamma, cuts(epoch)) for epoch in counted]


def _cuts(recipe: Present, name: str) -> Callable[[int], int] | None:
    """Return how often a schedule has cut the rate by an epoch, None where it does no such thing."""
    every, milestones = recipe.value("schedule.every"), recipe.value("schedule.milestones")
    if name == "exponential":
        return lambda epoch: epoch
    if name == "step" and isinstance(every, int) and every > 0:
        return lambda epoch: epoch // every
    if name == "multistep" and isinstance(milestones, list):
        places = [one for one in milestones if isinstance(one, int)]
        return lambda epoch: sum(one <= epoch for one in places)
    return None


def _number(recipe: Present, path: str) -> float | None:
    value = recipe.value(path)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _power(base: float, exponent: int) -> float:
    try:
        return float(base) ** exponent
    except OverflowError:
        return math.inf
