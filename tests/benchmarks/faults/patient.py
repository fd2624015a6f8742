"""What ``dlcheck check`` is given: the factory of the plan that is to be examined."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.benchmarks.faults.loop import Training
from tests.benchmarks.faults.plan import Plan

make: Callable[[], Plan] | None = None
"""Returns the plan; set before each examination."""


def factory() -> dict[str, Any]:
    """Return model, loss, optimizer and loaders of the plan, and its way to make a step and to evaluate."""
    assert make is not None
    plan = make()
    training = Training(plan, plan.data)

    def step(batch: Any) -> None:
        x, y = batch
        plan.model.train(plan.train_mode)
        training.batch(x, y)
        training.step(1, 0.0)

    return {
        "model": plan.model,
        "loss": plan.loss,
        "optimizer": training.optimizer,
        "train": training.train,
        "val": training.val if plan.validate else None,
        "train_step": step,
        "evaluate": training.evaluate if plan.validate else None,
    }
