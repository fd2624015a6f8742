"""Units that say nothing: rectifiers that are never active, sigmoids beyond their bend."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from dlcheck.monitor.transfer import Transfer
from dlcheck.runs.facts import DeadUnits, QuietLayer, SaturatedUnits

ENOUGH = 512
"""Samples over which a unit must be silent to count as dead (fault catalogue (c) 6)."""
BEND = {"sigmoid": 6.0, "tanh": 3.0}
"""Absolute pre-activation beyond which the slope is below 1 % of its largest value (catalogue (c) 7)."""
MOST = 0.9
"""Share of samples in which a saturated unit is beyond the bend (catalogue (c) 7)."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What sort of activation it is."""

    activation: str
    """``relu``, ``sigmoid`` or ``tanh``."""
    gate: bool = False
    """It is multiplied with something else."""
    output: bool = False
    """It makes the network's output."""


@dataclass(slots=True)
class _Count:
    kind: Kind
    units: int
    positions: bool
    samples: int = 0
    seen: int = 0
    """Samples times positions."""
    tally: Tensor | None = None
    """Of each unit: was it ever active, or how often was it beyond the bend."""


@dataclass(slots=True)
class Units:
    """Adds up what units did over batches, and tells once it was enough of them."""

    transfer: Transfer
    tell: Callable[[int, str, str, float], None]
    """Gets step, layer, statistic and value."""
    counts: dict[str, _Count] = field(default_factory=dict)
    latest: dict[str, QuietLayer] = field(default_factory=dict)
    first: dict[str, QuietLayer] = field(default_factory=dict)

    @torch.no_grad()
    def add(self, layer: str, kind: Kind, values: Tensor, *, axis: int, samples: int) -> None:
        """Take note of one batch.

        Args:
            layer: Whose units.
            kind: What the layer is.
            values: Outputs of a ``relu``, inputs of a ``sigmoid`` or ``tanh``; any shape with units along ``axis``.
            axis: Axis of units.
            samples: Samples in the batch.
        """
        values = values.detach()
        units = values.shape[axis]
        others = [place for place in range(values.ndim) if place != axis % values.ndim]
        count = self.counts.get(layer)
        if count is None or count.units != units:
            count = self.counts[layer] = _Count(kind, units, positions=len(others) > 1)
        if kind.activation in BEND:
            tally = (values.abs() > BEND[kind.activation]).sum(others, dtype=torch.float32)
            count.tally = tally if count.tally is None else count.tally + tally
        else:
            active = (values.amax(others) if others else values) > 0
            count.tally = active if count.tally is None else count.tally | active
        count.samples += samples
        count.seen += values.numel() // max(units, 1)

    def judge(self, step: int, *, least: int = ENOUGH) -> None:
        """Count the quiet units of layers seen over ``least`` samples, and begin those layers anew."""
        ready = {name: count for name, count in self.counts.items() if count.samples >= max(least, 1)}
        if not ready:
            return
        quiet = []
        for count in ready.values():
            assert count.tally is not None
            quiet.append((count.tally > MOST * count.seen if count.kind.activation in BEND else ~count.tally).sum())
            quiet.append(count.tally.sum())
        self.counts = {name: count for name, count in self.counts.items() if name not in ready}
        self.transfer.read(quiet, lambda numbers: self._note(ready, numbers, step))

    def close(self, step: int) -> None:
        """Count layers that were never seen over enough samples over all there were."""
        self.counts = {name: count for name, count in self.counts.items() if name not in self.latest}
        self.judge(step, least=1)

    def _note(self, counts: dict[str, _Count], numbers: list[float], step: int) -> None:
        for (name, count), number, tallied in zip(counts.items(), numbers[::2], numbers[1::2], strict=True):
            bends = count.kind.activation in BEND
            row = QuietLayer(
                name,
                count.kind.activation,
                count.units,
                int(number),
                count.samples,
                step,
                count.positions,
                count.kind.gate,
                count.kind.output,
                tallied / (count.units * count.seen) if bends and count.units and count.seen else None,
            )
            self.latest[name] = row
            self.first.setdefault(name, row)
            statistic = "saturated_fraction" if count.kind.activation in BEND else "dead_fraction"
            self.tell(step, name, statistic, row.quiet / max(row.units, 1))

    def dead(self) -> DeadUnits | None:
        """Return the fact on rectifiers; None when there are none."""
        rows = [_of(table, saturating=False) for table in (self.latest, self.first)]
        return DeadUnits(rows[0], rows[1]) if rows[0] else None

    def saturated(self) -> SaturatedUnits | None:
        """Return the fact on sigmoids and tanhs; None when there are none."""
        rows = [_of(table, saturating=True) for table in (self.latest, self.first)]
        return SaturatedUnits(rows[0], rows[1]) if rows[0] else None


def _of(table: dict[str, QuietLayer], *, saturating: bool) -> tuple[QuietLayer, ...]:
    return tuple(row for row in table.values() if (row.activation in BEND) == saturating)
