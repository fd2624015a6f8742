"""What looking for a rate has found."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dlcheck.tuning.rate.rules import Sweep

Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class RateRun:
    """A short run at one rate."""

    rate: float
    score: float
    """Mean loss of its last third; infinite when it blew up."""
    steps: int
    """Steps made."""


@dataclass(frozen=True, slots=True)
class FoundRate:
    """A rate, how sure it is, and all that it was read from. Everything measured has been put back."""

    name: str
    suggestion: float | None
    """Base rate to train with; None when there is none to be sure of."""
    interval: tuple[float, float] | None
    """Lowest and highest rate that, by the short runs, are about as good; at least half a decade."""
    largest_stable: float | None
    """Largest rate tried that did not blow the loss up; None when none was stable."""
    why: str
    """Why there is no suggestion; empty when there is one."""
    rate: float
    """The present one."""
    rules: dict[str, float | None]
    """What each rule, by itself, reads off the range test and the short runs."""
    sweep: Sweep
    runs: tuple[RateRun, ...]
    """Short runs under the schedule, by rate."""
    schedule: str
    short_best: float | None
    """The best rate of a short run, before it is scaled to the length of the whole training."""
    short_steps: int
    """Steps of each short run."""
    total_steps: int
    """Steps of the whole training."""
    batch_size: int
    seed: int
    steps: int
    """Training steps made in all."""
    seconds: float
    notes: tuple[str, ...] = ()

    @property
    def decades(self) -> float | None:
        """Width of the interval in powers of ten."""
        return None if self.interval is None else math.log10(self.interval[1] / self.interval[0])

    def as_dict(self) -> dict[str, object]:
        """Return plain values, for JSON that knows NaN and infinity (``dlcheck.runs.strict_json``)."""
        return {
            "name": self.name,
            "suggestion": self.suggestion,
            "interval": None if self.interval is None else list(self.interval),
            "largest_stable": self.largest_stable,
            "why": self.why or None,
            "rate": self.rate,
            "rules": dict(self.rules),
            "schedule": self.schedule,
            "short_best": self.short_best,
            "short_steps": self.short_steps,
            "total_steps": self.total_steps,
            "batch_size": self.batch_size,
            "seed": self.seed,
            "steps": self.steps,
            "seconds": round(self.seconds, 3),
            "notes": list(self.notes),
            "restored": True,
            "sweep": [
                {"rate": rate, "loss": loss, "smoothed": smoothed}
                for rate, loss, smoothed in zip(
                    self.sweep.rates.tolist(), self.sweep.losses.tolist(), self.sweep.smoothed.tolist(), strict=True
                )
            ],
            "runs": [{"rate": run.rate, "loss": run.score, "steps": run.steps} for run in self.runs],
        }
