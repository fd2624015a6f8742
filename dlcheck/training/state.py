"""Where a training stands: the few numbers that a checkpoint must hold beside tensors."""

from dataclasses import asdict, dataclass, field
from typing import Any

MOST_ROWS = 100
"""Epochs whose rows a checkpoint holds; a kill keeps at most the last one from ``metrics.csv``."""


@dataclass(slots=True)
class TrainState:
    """Counters of a training. ``epoch`` and ``batch`` are those of the next batch to be drawn."""

    epoch: int = 0
    batch: int = 0
    step: int = 0
    """Optimizer steps done."""
    samples: int = 0
    """Training samples seen."""
    wall_s: float = 0.0
    """Seconds spent training and evaluating, over all resumes."""
    train_s: float = 0.0
    """Seconds spent in training steps alone in this epoch."""
    epoch_samples: int = 0
    loss_sum: float = 0.0
    """Of this epoch, weighted by samples."""
    metric_sum: float = 0.0
    metric_count: float = 0.0
    best: float | None = None
    """Best value of the monitored metric; smaller is better."""
    best_epoch: int | None = None
    """Counted from 1, as in ``metrics.csv`` and on the screen."""
    nonfinite_streak: int = 0
    """Non-finite losses in succession, up to the last one read."""
    best_row: dict[str, float] = field(default_factory=dict)
    """The row of ``metrics.csv`` of the best epoch."""
    history: list[dict[str, float]] = field(default_factory=list)
    """The last rows of ``metrics.csv``: not all, or the checkpoints of many short epochs would grow without bound."""

    def begin_epoch(self) -> None:
        """Forget the running sums of the epoch before."""
        self.batch = 0
        self.epoch_samples = 0
        self.train_s = self.loss_sum = self.metric_sum = self.metric_count = 0.0

    def remember(self, row: dict[str, float]) -> None:
        """Keep the row of an epoch, and let go of the oldest."""
        self.history.append(row)
        del self.history[:-MOST_ROWS]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for a checkpoint."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "TrainState":
        """Rebuild from ``to_dict``; of a checkpoint that held every row and no best one, that is found among them."""
        state = cls(**values)
        if not state.best_row:
            state.best_row = next((row for row in state.history if row["epoch"] == state.best_epoch), {})
        return state
