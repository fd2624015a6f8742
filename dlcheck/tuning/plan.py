"""All that a worker must know of a study, in one value that travels to other processes."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field
from pathlib import Path

from dlcheck.recipe.recipe import Recipe
from dlcheck.tuning.trials import SpaceEntry

SMALLER = ("loss", "error", "perplexity", "mae", "mse", "rmse", "seconds", "parameters", "step_ms", "memory_mib")
LARGER = ("accuracy", "acc", "f1", "auc", "precision", "recall", "r2")
COSTS = ("seconds", "parameters", "step_ms", "memory_mib")
"""What every trial measures of itself beside the columns of its ``metrics.csv``."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A study as its workers see it."""

    recipe: Recipe
    """What trials change: resolved, on its share of the data, without ``[tune]`` and ``[search]``."""
    code: Path
    """Where the user's own code lies."""
    folder: Path
    """The study's folder on this machine."""
    url: str
    name: str
    space: dict[str, SpaceEntry]
    metrics: tuple[str, ...]
    minimize: tuple[bool, ...]
    sampler: str
    pruner: str
    why: str = ""
    """Why this sampler and this pruner."""
    limits: dict[str, float] = field(default_factory=dict)
    """Largest value of each cost that is limited."""
    seed: int = 0
    trials: int | None = None
    budget_epochs: int | None = None
    budget_s: float | None = None
    deadline: float | None = None
    """After which no trial begins, on this machine's monotonic clock, which all its processes share and nobody sets."""
    device: str = "auto"
    workers: int = 1
    threads: int | None = None
    """CPU threads of each worker; None: as PyTorch likes."""
    deterministic: bool = False
    token: str = ""
    """Of the command whose workers these are."""

    @property
    def place(self) -> str:
        """This machine and the study's folder on it: one command at a time is at work there."""
        return f"{socket.gethostname()}:{self.folder.absolute()}"

    @property
    def metric(self) -> str:
        """The first objective."""
        return self.metrics[0]

    @property
    def epochs(self) -> int:
        """Epochs of a whole trial."""
        return self.recipe.train.epochs


def infer_direction(metric: str) -> bool | None:
    """Return whether a metric is to be made small, by its name; None when the name does not say."""
    words = metric.lower().split("_")
    if metric in SMALLER or any(word in SMALLER for word in words):
        return True
    return False if any(word in LARGER for word in words) else None
