"""How much each parameter matters, with an interval: functional ANOVA over trials that are drawn again and again."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from dlcheck.errors import one_line
from dlcheck.runs.facts import Importance
from dlcheck.tuning.trials import StudyView, TrialRow

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from optuna.distributions import BaseDistribution

LEAST_TRIALS = 8
"""Fewer finished trials are no ground for any ranking."""
SAMPLES = 24
"""Bootstrap samples; the ends of a 90 % interval are then the second lowest and the second highest."""
TREES = 8
"""Of each sample's forest; the estimate is the mean over all samples, so over 192 trees."""
DEPTH = 5
"""Of a tree: deeper ones fit the noise of a few dozen trials, and take twice as long."""
INTERVAL = 0.9


def importances(view: StudyView, *, seed: int = 0) -> tuple[tuple[Importance, ...], str]:
    """Return the share of the metric's variance that each parameter explains, the largest first, and a note.

    Functional ANOVA (Hutter, Hoos & Leyton-Brown 2014, ICML) as Optuna has it, on bootstrap samples of the trials
    that finished: the mean over samples and the interval that holds 90 % of them. At 40 trials of an adaptive sampler
    Optuna's own default, PED-ANOVA, found the most important parameter half as often. A parameter that is searched
    under a condition is judged among the trials that meet it.

    Returns:
        None at all, and why, below 8 finished trials or where scikit-learn is missing.
    """
    rows = [row for row in view.trials if row.usable and not row.baseline and row.raw]
    if len(rows) < LEAST_TRIALS:
        return (), f"from {len(rows)} finished trials no importance can be told; {LEAST_TRIALS} are needed"
    try:
        found = list(_all(view, rows, seed))
    except ImportError as error:
        return (), f"importances need scikit-learn, which does not load: {one_line(error)}"
    if not found:
        return (), "the finished trials do not differ enough to tell importances"
    return tuple(sorted(found, key=lambda item: (-item.value, item.name))), _note(view, rows)


def _note(view: StudyView, rows: Sequence[TrialRow]) -> str:
    left_out = sum(row.counts and row.ending is not None and not row.baseline for row in view.trials) - len(rows)
    more = f"; {left_out} that failed or were ended early are left out" if left_out else ""
    return f"from {len(rows)} finished trials (fANOVA, interval of 90 % over {SAMPLES} bootstrap samples){more}"


def _all(view: StudyView, rows: Sequence[TrialRow], seed: int) -> Iterator[Importance]:
    groups: dict[tuple[int, ...], list[str]] = {}
    for name in view.space:
        with_it = tuple(row.number for row in rows if name in row.raw)
        if len(with_it) >= LEAST_TRIALS:
            groups.setdefault(with_it, []).append(name)
    for numbers, names in groups.items():
        yield from _group(view, [row for row in rows if row.number in set(numbers)], names, seed)


def _group(view: StudyView, rows: Sequence[TrialRow], names: Sequence[str], seed: int) -> Iterator[Importance]:
    """Yield the importance of parameters that all of these trials have, among all that they have."""
    from dlcheck.tuning.space import distributions

    parts: dict[str, BaseDistribution] = {}
    owner: dict[str, str] = {}
    for name, entry in view.space.items():
        if all(name in row.raw for row in rows):
            found = {
                part: how for part, how in distributions(name, entry).items() if all(part in row.raw for row in rows)
            }
            parts |= found
            owner |= dict.fromkeys(found, name)
    values = np.array([row.value for row in rows], dtype=np.float64)
    samples = [_summed(sample, owner) for sample in _samples(rows, values, parts, seed)]
    if not samples:
        return
    for name in names:
        shares = np.array([sample.get(name, 0.0) for sample in samples])
        low, high = np.quantile(shares, [(1 - INTERVAL) / 2, (1 + INTERVAL) / 2])
        yield Importance(name, float(shares.mean()), float(low), float(high), len(rows))


def _samples(
    rows: Sequence[TrialRow], values: NDArray[np.float64], parts: Mapping[str, BaseDistribution], seed: int
) -> Iterator[dict[str, float]]:
    """Yield the importances of each bootstrap sample that has any variance."""
    generator = np.random.default_rng(seed)
    with _silent():
        for sample in range(SAMPLES):
            drawn = generator.integers(0, len(rows), len(rows))
            if np.ptp(values[drawn]) > 0:
                shares = _fanova([rows[index] for index in drawn], values[drawn], parts, seed + sample)
                if shares:
                    yield shares


def _fanova(
    rows: Sequence[TrialRow], values: NDArray[np.float64], parts: Mapping[str, BaseDistribution], seed: int
) -> dict[str, float]:
    import optuna

    study = optuna.create_study()
    study.add_trials(
        [
            optuna.trial.create_trial(
                params={name: row.raw[name] for name in parts}, distributions=dict(parts), value=float(value)
            )
            for row, value in zip(rows, values, strict=True)
        ]
    )
    evaluator = optuna.importance.FanovaImportanceEvaluator(n_trees=TREES, max_depth=DEPTH, seed=seed)
    try:
        shares = evaluator.evaluate(study)
    except RuntimeError:  # no tree found anything to split
        return {}
    return {name: float(share) for name, share in shares.items() if math.isfinite(share)}


def _summed(shares: Mapping[str, float], owner: Mapping[str, str]) -> dict[str, float]:
    """Return the shares by dimension: one that tries zero too has two parameters."""
    summed: dict[str, float] = {}
    for part, share in shares.items():
        summed[owner[part]] = summed.get(owner[part], 0.0) + share
    return summed


@contextmanager
def _silent() -> Iterator[None]:
    """Keep Optuna from telling of the studies that are made for each sample only."""
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)
