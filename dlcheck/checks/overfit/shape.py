"""Read a failure by the shape of its loss."""

from __future__ import annotations

import numpy as np

from dlcheck.checks.overfit.attempt import Attempt, Goal, grows_wrong

FLAT = 0.02
"""Share of what there is to learn below which nothing was learned."""
FALLING = 0.95
"""Mean loss of the last tenth over that of the tenth before, below which it still falls."""
SWINGS = 0.5
"""Standard deviation of the last quarter over what there is to learn, from which a loss oscillates."""


def read_shape(made: Attempt, goal: Goal) -> str:
    """Return the shape of a loss, as ``OverfitBatch.shape`` has it."""
    if made.solved:
        return "solved"
    losses = np.array(made.losses)
    if grows_wrong(made, goal):
        return "rises"
    if not np.isfinite(losses).all() or losses[-1] > 10 * abs(losses[0]) + 10 * goal.unit:
        return "explodes"
    learned = losses[0] - losses.min()
    tail = losses[-max(len(losses) // 4, 4) :]
    if float(np.std(np.diff(tail))) > SWINGS * goal.unit and learned < 0.9 * goal.unit:
        return "oscillates"
    if losses[-1] > losses[0] + 0.1 * goal.unit and learned < FLAT * goal.unit:
        return "rises"
    if learned < FLAT * max(goal.unit, abs(float(losses[0]))):
        return "flat"
    return "slow" if _still_falls(losses) else "stuck"


def _still_falls(losses: np.ndarray) -> bool:
    tenth = max(len(losses) // 10, 2)
    before = losses[-2 * tenth : -tenth]
    return len(before) > 0 and float(losses[-tenth:].mean()) < FALLING * float(before.mean())
