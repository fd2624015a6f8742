"""From curves to one rate and an interval, or to an honest "not known"."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dlcheck.tuning.rate.found import RateRun
from dlcheck.tuning.rate.grid import lowest
from dlcheck.tuning.rate.rules import Sweep, edge_of_divergence

Numbers = NDArray[np.float64]
DISAGREEMENT = 1.5
"""Decades between rules from which nothing is suggested."""
LENGTH_POWER = 0.5
"""The best rate falls with the length of a training as length to the power −0.5. Medians over the tuning half of
``tests/benchmarks/lr_find``: the best rate of 200 steps lies 0.42 decades (constant rate) and 0.33 (cosine) below that
of 33 steps, which are powers of 0.54 and 0.42; and 0.33 and 0.25 below that of 66 steps, 0.69 and 0.52. Trainings of
more than six times a short run's length were not measured."""
LONGEST = 100.0
"""Times a short run's length up to which that power is followed: no more than a decade of rate rests on it."""
VOTERS = {"minimum": 2.0, "valley": 5.0, "edge": 2.0}
"""Rules of the range test that have a say, and how many times what each says the best rate of a short run at constant
rate is, in the median of the tuning half (2, 4.5 and 2.2 times). Of what they say so, 75 to 88 % lie within half a
decade of that best rate; of ``steep`` and ``slide``, which are only shown, 56 to 61 %."""
NEAR = 0.05
"""Share of the attainable fall of the loss within which a rate counts as equally good."""
LEAST_WIDTH = 0.5
"""Decades of the narrowest interval told: rates are measured that far apart."""
ERRORS, LEAST_FALL = 3.0, 0.01
"""Standard errors, and share of the loss, by which it must fall to have fallen."""
UNTOUCHED = 0.25
"""Share of a sweep at whose rates, up to 1e-5, the network stays as it was drawn."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A rate with its interval, or why there is none."""

    suggestion: float | None
    interval: tuple[float, float] | None
    why: str = ""
    notes: tuple[str, ...] = ()
    flat: bool = False
    """Whether the reason is that the loss did not fall, which more steps might change."""


def shrink(length: float) -> float:
    """Return what a training this many times as long wants of a short run's best rate.

    Args:
        length: Steps of the training over those of the short run.
    """
    return float(min(max(length, 1.0), LONGEST) ** -LENGTH_POWER)


def first_rate(rules: dict[str, float | None]) -> float | None:
    """Return where short runs should begin: the median of what the rules say; None when they say nothing."""
    told = [math.log(rate * VOTERS[name]) for name in VOTERS if (rate := rules.get(name)) is not None and rate > 0]
    return math.exp(float(np.median(told))) if told else None


def judge(
    sweep: Sweep, runs: tuple[RateRun, ...], rules: dict[str, float | None], *, length: float, trivial: float | None
) -> Verdict:
    """Return the rate of the short runs for the whole training, unless there is a reason not to.

    Args:
        sweep: The range test.
        runs: Short runs under the schedule.
        rules: What each rule of the range test says.
        length: Steps of the training over those of a short run.
        trivial: Loss of the best constant answer, where known.
    """
    best = lowest(runs)
    if not len(sweep.losses) or not math.isfinite(sweep.losses[0]):
        return Verdict(None, None, "the loss is no finite number from the first step on")
    if best is None:
        return Verdict(None, None, "the loss blows up at every rate tried")
    reason = no_fall(sweep, runs, trivial)
    if reason is not None:
        return Verdict(None, None, reason, flat=True)
    suggestion = best * shrink(length)
    apart = {name: away for name in VOTERS if (away := _decades(rules.get(name), name, best)) is not None}
    far = [name for name, away in apart.items() if away > DISAGREEMENT]
    if apart and len(far) * 2 > len(apart):
        told = " and ".join(far)
        return Verdict(None, None, f"the short runs and {told} disagree by more than {DISAGREEMENT} decades")
    notes = [f"the rule {name} lies {apart[name]:.1f} decades off and was overruled" for name in far]
    if (end := _open_end(runs)) is not None:
        notes.append(f"the loss was lowest at the {end} rate tried: the best may lie beyond; try more --steps")
    return Verdict(suggestion, _interval(sweep, runs, best, shrink(length)), notes=tuple(notes))


def _open_end(runs: tuple[RateRun, ...]) -> str | None:
    """Return at which end of the rates tried the loss was lowest, None when rates on both sides are worse."""
    ordered = sorted(runs, key=lambda run: run.rate)
    lowest_at = min(range(len(ordered)), key=lambda place: (ordered[place].score, place))
    return {0: "smallest", len(ordered) - 1: "largest"}.get(lowest_at)


def _decades(rate: float | None, name: str, best: float) -> float | None:
    return None if rate is None or rate <= 0 else abs(math.log10(rate * VOTERS[name] / best))


def no_fall(sweep: Sweep, runs: tuple[RateRun, ...], trivial: float | None) -> str | None:
    """Return in which way the loss never fell, None when it did.

    The loss before training is that at the sweep's first rates; its scatter over batches says how much of a fall is
    none.
    """
    reached = min((run for run in runs if math.isfinite(run.score)), key=lambda run: run.score)
    untouched = sweep.losses[: max(int(len(sweep.losses) * UNTOUCHED), 1)]
    untouched = untouched[np.isfinite(untouched)]
    start, scatter = float(untouched.mean()), float(untouched.std())
    error = scatter * math.sqrt(1 / len(untouched) + 3 / max(reached.steps, 3))
    if reached.score > start - max(ERRORS * error, LEAST_FALL * abs(start)):
        return f"the loss never falls: {start:.3g} before training, {reached.score:.3g} after the best short run"
    if trivial is not None and reached.score > trivial - max(ERRORS * error, LEAST_FALL * abs(trivial)):
        return f"the loss never falls below {trivial:.3g}, which always the same answer reaches"
    return None


def _interval(sweep: Sweep, runs: tuple[RateRun, ...], best: float, factor: float) -> tuple[float, float]:
    """Return the rates around the best between which short runs were about equally good, moved as the best was."""
    ordered = sorted((run for run in runs if math.isfinite(run.score)), key=lambda run: run.rate)
    start, floor = float(sweep.losses[0]), min(run.score for run in ordered)
    bound = floor + NEAR * max(start - floor, 0.0)
    rates = np.log10([run.rate for run in ordered])
    scores = np.array([run.score for run in ordered])
    place = int(scores.argmin())
    below = _crossing(rates[: place + 1][::-1], scores[: place + 1][::-1], bound)
    above = _crossing(rates[place:], scores[place:], bound)
    middle = math.log10(best)
    end = _open_end(runs)
    below, above = (below - LEAST_WIDTH, above) if end == "smallest" else (below, above)
    below, above = (below, above + LEAST_WIDTH) if end == "largest" else (below, above)
    low, high = min(below, middle - LEAST_WIDTH / 2), max(above, middle + LEAST_WIDTH / 2)
    return 10**low * factor, 10**high * factor


def _crossing(rates: Numbers, scores: Numbers, bound: float) -> float:
    """Return where scores, from the lowest on, rise above a bound; the last rate when they do not."""
    worse = np.flatnonzero(scores > bound)
    if not len(worse):
        return float(rates[-1])
    place = int(worse[0])
    share = (bound - scores[place - 1]) / (scores[place] - scores[place - 1])
    return float(rates[place - 1] + share * (rates[place] - rates[place - 1]))


def largest_stable(sweep: Sweep, runs: tuple[RateRun, ...]) -> float | None:
    """Return the largest rate that did not blow the loss up, in the range test or in a short run.

    A short run that did blow up outweighs the range test, whose rates each last a moment only.
    """
    if not len(sweep.losses) or not math.isfinite(sweep.losses[0]):
        return None
    edge = edge_of_divergence(sweep) if sweep.diverged else float(sweep.rates[-1])
    stable = [run.rate for run in runs if math.isfinite(run.score) and run.score <= sweep.losses[0]]
    blown = [run.rate for run in runs if not run.score <= sweep.losses[0]]
    ceiling = min(blown, default=math.inf)
    candidates = [rate for rate in (edge, *stable) if rate is not None and rate < ceiling]
    return max(candidates, default=None)
