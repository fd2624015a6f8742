"""Runs made of facts, for rules that judge what was measured once."""

from collections.abc import Mapping, Sequence

import numpy as np

from dlcheck.runs import Part, Run, scalar_frame
from dlcheck.runs.facts import Fact
from dlcheck.runs.signals import column_signal

RECIPE: Mapping[str, object] = {"data": {"name": "csv"}, "optimizer": {"lr": 0.01}, "train": {"epochs": 30}}


def fact_run(
    *facts: Fact, curves: Mapping[str, Sequence[float] | np.ndarray] | None = None, recipe: bool = True, **plain: object
) -> Run:
    """Return a run with these facts; ``curves`` have a value an epoch, ten steps each."""
    parts = []
    for name, values in (curves or {}).items():
        array = np.asarray(values, dtype=float)
        order = np.arange(1.0, len(array) + 1)
        split, metric = column_signal(name)
        parts.append(Part(split, metric, array, 10 * order, order))
    known = {name: value for fact in facts for name, value in fact.as_dict().items()}
    return Run(scalars=scalar_frame(parts), facts=known | plain, meta={"recipe": RECIPE} if recipe else {})
