"""One training, whatever it was read from: the only bridge between training and diagnosis."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

Numbers = NDArray[np.float64]

SCALAR_COLUMNS = ("step", "epoch", "wall_s", "split", "metric", "value")
LAYER_COLUMNS = ("step", "layer", "statistic", "value")
PHASE_COLUMNS = ("step", "phase", "seconds")
_WORDS = ("split", "metric", "layer", "statistic", "phase")


@dataclass(frozen=True, slots=True)
class Curve:
    """One series of a run in the order of its log; steps at which nothing was logged are left out.

    NaN or infinity in ``values`` was logged as such; NaN in ``steps`` or ``epochs`` means not known.
    All three have the shape (points,).
    """

    steps: Numbers
    epochs: Numbers
    values: Numbers

    def __len__(self) -> int:
        return len(self.values)

    @property
    def finite(self) -> Curve:
        """The points whose value is a finite number."""
        keep = np.isfinite(self.values)
        return Curve(self.steps[keep], self.epochs[keep], self.values[keep])

    def place(self, index: int) -> tuple[int | None, int | None]:
        """Return step and epoch of a point, each None where not known."""
        return _whole(self.steps[index]), _whole(self.epochs[index])


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened once: a resume, a first NaN, a change of optimizer."""

    kind: str
    step: int | None = None
    epoch: int | None = None
    wall_s: float | None = None
    """Seconds since the run began."""
    detail: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Part:
    """The values of one metric, to be put into ``Run.scalars``; None means not known."""

    split: str
    metric: str
    values: Numbers
    steps: Numbers | None = None
    epochs: Numbers | None = None
    wall_s: Numbers | None = None


def scalar_frame(parts: Iterable[Part] = ()) -> pd.DataFrame:
    """Return ``Run.scalars`` of these parts, one after the other; each value makes one row.

    It is for reading: write to a copy, since rows may share the NaN of what is not known.
    """
    import pandas as pd

    kept = [part for part in parts if len(part.values)]
    if not kept:
        return _empty(SCALAR_COLUMNS).copy()
    counts = [len(part.values) for part in kept]
    columns: dict[str, object] = {
        "step": _joined([part.steps for part in kept], counts),
        "epoch": _joined([part.epochs for part in kept], counts),
        "wall_s": _joined([part.wall_s for part in kept], counts),
        "split": _repeated([part.split for part in kept], counts),
        "metric": _repeated([part.metric for part in kept], counts),
        "value": _joined([part.values for part in kept], counts),
    }
    return pd.DataFrame(columns, copy=False)


def layer_frame(columns: Mapping[str, object] | None = None) -> pd.DataFrame:
    """Return ``Run.layers`` of columns ``step``, ``layer``, ``statistic``, ``value`` of equal length."""
    return _tidy(columns) if columns else _empty(LAYER_COLUMNS).copy()


def phase_frame(columns: Mapping[str, object] | None = None) -> pd.DataFrame:
    """Return ``Run.phases`` of columns ``step``, ``phase``, ``seconds`` of equal length."""
    return _tidy(columns) if columns else _empty(PHASE_COLUMNS).copy()


@dataclass(frozen=True, slots=True)
class Run:
    """A training as signals; ``dlcheck.runs.signals`` lists them all.

    What a log lacks is absent here too: no row, no key. Nothing is filled in.
    """

    scalars: pd.DataFrame = field(default_factory=scalar_frame)
    """Columns step, epoch, wall_s, split, metric, value."""
    layers: pd.DataFrame = field(default_factory=layer_frame)
    """Columns step, layer, statistic, value."""
    phases: pd.DataFrame = field(default_factory=phase_frame)
    """Columns step, phase, seconds."""
    facts: Mapping[str, object] = field(default_factory=dict)
    """Measured once, by name."""
    events: tuple[Event, ...] = ()
    meta: Mapping[str, object] = field(default_factory=dict)
    """What was trained and how: recipe, environment, format, and what a reader inferred."""

    def curve(self, metric: str, split: str = "train") -> Curve:
        """Return a series; one that was never logged is empty."""
        frame = self.scalars
        rows = frame[(frame["metric"] == metric) & (frame["split"] == split)]
        steps, epochs, values = (rows[name].to_numpy(np.float64) for name in ("step", "epoch", "value"))
        return Curve(steps, epochs, values)

    def metrics(self, split: str) -> tuple[str, ...]:
        """Return the metrics logged for a split, in the order of their first appearance."""
        rows = self.scalars.loc[self.scalars["split"] == split, "metric"]
        return tuple(str(name) for name in rows.unique())

    def number(self, name: str) -> float | None:
        """Return a fact that is one number, or the entry of that name in ``meta``; None when absent."""
        value = self.facts.get(name, self.meta.get(name))
        if not isinstance(value, int | float) or isinstance(value, bool):
            return None
        try:
            return float(value)
        except OverflowError:  # an integer of more than 308 digits
            return math.inf if value > 0 else -math.inf


def _joined(arrays: list[Numbers | None], counts: list[int]) -> Numbers:
    if all(one is None for one in arrays):
        return np.broadcast_to(np.nan, sum(counts))  # one NaN, seen by every row
    known = [np.full(count, np.nan) if one is None else one for one, count in zip(arrays, counts, strict=True)]
    return np.concatenate(known, dtype=np.float64)


def _repeated(words: list[str], counts: list[int]) -> pd.Categorical:
    # Codes, not words: a million words take longer than reading the file.
    import pandas as pd

    names = sorted(set(words))
    codes = np.repeat(np.array([names.index(word) for word in words], dtype=np.min_scalar_type(-len(names))), counts)
    return pd.Categorical.from_codes(codes, categories=pd.Index(names, dtype="str"))


@cache
def _empty(names: tuple[str, ...]) -> pd.DataFrame:
    return _tidy({name: [] for name in names})


def _tidy(columns: Mapping[str, object]) -> pd.DataFrame:
    # Categories make the selection of one series among a million rows quick.
    import pandas as pd

    frame = pd.DataFrame(dict(columns))
    kinds = {name: "category" if name in _WORDS else "float64" for name in frame.columns}
    return frame.astype(kinds)


def _whole(value: float) -> int | None:
    return int(value) if np.isfinite(value) else None
