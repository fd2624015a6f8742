"""The facts of a profile together, and the numbers that several rules take from them."""

from __future__ import annotations

import math
from dataclasses import dataclass

from dlcheck.rules.rule import Unchecked
from dlcheck.runs import Run
from dlcheck.runs.facts import (
    Ceilings,
    CpuUse,
    DeviceUse,
    Launches,
    LoaderSweep,
    LoaderTimes,
    MemoryNeed,
    StepTimes,
    Syncs,
    Transfers,
    fact,
)
from dlcheck.runs.facts.profile import PARTS

COMPUTING = ("forward", "backward", "optimizer")
LOADING = ("wait", "take")
SLACK = 0.02
"""Rounding that shares may be off by."""
MOST_S = 1e9
"""No step takes longer; a number beyond is none."""


def sound(value: float | None, most: float = math.inf) -> float | None:
    """Return a number that can be one of a measurement, from 0 to ``most``; None for anything else."""
    return float(value) if value is not None and math.isfinite(value) and 0 <= value <= most else None


@dataclass(frozen=True, slots=True)
class Picture:
    """What was measured of one training; what is None was not."""

    steps: StepTimes
    shares: dict[str, float]
    """Of the period, by part; all of ``PARTS``, none below 0."""
    loader: LoaderTimes | None
    ceilings: Ceilings | None
    cpu: CpuUse | None
    transfers: Transfers | None
    launches: Launches | None
    syncs: Syncs | None
    device: DeviceUse | None
    memory: MemoryNeed | None
    sweep: LoaderSweep | None

    @property
    def period_s(self) -> float:
        """Median length of a step."""
        return self.steps.period_s

    @property
    def on_cpu(self) -> bool:
        """Whether the training runs on the CPU, which needs no copies, launches or synchronisation."""
        return self.steps.device.startswith("cpu")

    def share(self, *names: str) -> float:
        """Return the share of some parts together."""
        return sum(self.shares[name] for name in names)

    @property
    def busy(self) -> float | None:
        """Share of the period in which a device other than the CPU computed; None on the CPU, or where unknown."""
        times = [sound(part.device_s, MOST_S) for part in self.steps.parts if part.name in COMPUTING]
        known = [time for time in times if time is not None]
        if self.on_cpu or not known:
            return None
        idle = sound(self.launches.idle_share, 1.0) if self.launches is not None else None
        return min(1.0, sum(known) / self.period_s) * (1 - (idle or 0.0))

    @property
    def computing(self) -> float:
        """Share of the period spent computing: of the device where it has events, else of the host."""
        busy = self.busy
        return self.share(*COMPUTING) if busy is None else busy

    def lost(self, share: float) -> float:
        """Return what a wait of the host costs: no more than the time for which the device had nothing to do."""
        busy = self.busy
        return share if busy is None else min(share, 1 - busy)


def picture(run: Run) -> Picture:
    """Return the facts of a profile.

    Raises:
        Unchecked: the times of a step are missing, or are not those of any step.
    """
    steps = fact(run, StepTimes)
    shares = _shares(steps) if steps is not None else None
    if steps is None or shares is None:
        raise Unchecked("step_times is not as this version of dlcheck writes it")
    return Picture(
        steps,
        shares,
        fact(run, LoaderTimes),
        fact(run, Ceilings),
        fact(run, CpuUse),
        fact(run, Transfers),
        fact(run, Launches),
        fact(run, Syncs),
        fact(run, DeviceUse),
        fact(run, MemoryNeed),
        fact(run, LoaderSweep),
    )


def _shares(steps: StepTimes) -> dict[str, float] | None:
    """Return the share of each part, None where they are not the parts of a whole."""
    period = sound(steps.period_s, MOST_S)
    shares = {part.name: part.share for part in steps.parts if math.isfinite(part.share)}
    if not period or set(shares) != set(PARTS) or len(steps.parts) != len(PARTS) or steps.steps <= 0:
        return None
    if abs(sum(shares.values()) - 1) > 5 * SLACK or not all(-SLACK <= share <= 1 + SLACK for share in shares.values()):
        return None
    return {name: min(max(share, 0.0), 1.0) for name, share in shares.items()}
