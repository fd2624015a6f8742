"""Statistics of layers over a run, and which of the measured steps tell something."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dlcheck.rules.course import LARGEST, signal_series
from dlcheck.rules.rule import Unchecked
from dlcheck.runs import Run
from dlcheck.runs.run import Numbers

FIRST_STEPS = 10
"""Steps left out at the start: Adam's first are as long as the rate, whatever the gradient."""
WORKING_RATE = 0.3
"""Share of its highest value below which a rate still warms up, or has decayed: such steps are short on purpose."""

LONG_STEP = 0.2
"""Change of a layer in a first step, over its norm, that is far too long.

Measured on 199 healthy small runs: 99 % of first steps of Adam are below 0.054.
"""
NEAR_ZERO = 0.05
"""Norm at the start over the usual one of the layers, below which a layer counts as started at 0 on purpose."""
SMALLEST = 1e-100
"""What a divisor counts as when it is smaller, so that ratios stay finite."""


@dataclass(frozen=True, slots=True)
class LayerTable:
    """One statistic of all layers at all measured steps."""

    names: tuple[str, ...]
    """Layers, in the order in which they were measured: that of the model's parameters."""
    steps: Numbers
    """Shape (samples,)."""
    values: Numbers
    """Shape (samples, layers); NaN where a layer was not measured, or was not finite."""

    def __len__(self) -> int:
        return len(self.steps)

    def taken(self, keep: NDArray[np.bool_]) -> "LayerTable":
        """Return the table of some of the steps, without layers that were measured at none of them."""
        values = self.values[keep]
        there = np.isfinite(values).any(axis=0)  # False for every layer when no step is left
        names = tuple(self.names[column] for column in np.flatnonzero(there))
        return LayerTable(names, self.steps[keep], values[:, there])

    @property
    def medians(self) -> Numbers:
        """Median of each layer over the steps, shape (layers,); every layer must have a value."""
        return np.asarray(np.nanmedian(self.values, axis=0), dtype=np.float64)


def layer_table(run: Run, statistic: str) -> LayerTable:
    """Return a statistic as a table of steps and layers; empty when it was never measured."""
    frame = run.layers
    rows = frame[(frame["statistic"] == statistic) & np.isfinite(frame["step"])]
    names = tuple(str(name) for name in rows["layer"].unique())
    steps, row = np.unique(rows["step"].to_numpy(np.float64), return_inverse=True)
    order = {name: column for column, name in enumerate(names)}
    columns = rows["layer"].astype(str).map(order).to_numpy(np.int64)
    values = np.full((len(steps), len(names)), np.nan)
    values[row, columns] = rows["value"].to_numpy(np.float64)
    values[~np.isfinite(values)] = np.nan
    np.clip(values, -LARGEST, LARGEST, out=values)
    table = LayerTable(names, steps, values)
    return table.taken(np.ones(len(steps), dtype=bool))


def weight_norms(run: Run, least: float) -> tuple[LayerTable, Numbers]:
    """Return the norm of each layer, and at each step that of all together; what was not measured counts as before.

    Raises:
        Unchecked: weights were measured at fewer than ``least`` steps.
    """
    table = layer_table(run, "weight_norm")
    if len(table) < least:
        raise Unchecked(f"weights were measured at {len(table)} steps; {least:g} are needed")
    values = np.abs(table.values)
    for row in range(1, len(values)):
        values[row] = np.where(np.isfinite(values[row]), values[row], values[row - 1])
    return table, np.asarray(np.sqrt(np.nansum(np.square(values), axis=1)), dtype=np.float64)


def started_at_zero(run: Run) -> frozenset[str]:
    """Return the layers whose weights were all but 0 at the first measured step: any step is large beside them."""
    norms = layer_table(run, "weight_norm")
    if not len(norms):
        return frozenset()
    first = np.nan_to_num(norms.values[0])
    some = first[first > 0]
    usual = float(np.median(some)) if len(some) else 0.0
    return frozenset(norms.names[place] for place in np.flatnonzero(first <= NEAR_ZERO * usual))


def without(table: LayerTable, names: frozenset[str]) -> LayerTable:
    """Return the table of the other layers."""
    keep = np.array([name not in names for name in table.names], dtype=bool)
    return LayerTable(tuple(name for name in table.names if name not in names), table.steps, table.values[:, keep])


def first_ratios(run: Run) -> LayerTable:
    """Return |Δw| / |w| in the first 10 steps, of layers that did not start at 0."""
    table = without(layer_table(run, "update_ratio"), started_at_zero(run))
    return table.taken(table.steps <= FIRST_STEPS)


def settled(run: Run, table: LayerTable, least: int) -> LayerTable:
    """Return the table without the first steps and without those at which the rate was low on purpose.

    Raises:
        Unchecked: fewer than ``least`` steps remain.
    """
    kept = table.taken((table.steps > FIRST_STEPS) & _working(run, table.steps))
    if len(kept) < least:
        raise Unchecked(
            f"only {len(kept)} measured steps after the first {FIRST_STEPS} and warm-up; {least} are needed"
        )
    return kept


def _working(run: Run, steps: Numbers) -> NDArray[np.bool_]:
    """Return at which steps the learning rate was near its highest; everywhere when it was not logged."""
    rates = signal_series(run, "lr").finite
    if not len(rates) or not np.isfinite(rates.steps).all() or (np.diff(rates.steps) < 0).any():
        return np.ones(len(steps), dtype=bool)
    return np.asarray(np.interp(steps, rates.steps, rates.values) >= WORKING_RATE * rates.values.max())
