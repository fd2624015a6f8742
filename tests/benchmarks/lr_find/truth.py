"""Which rate is best: whole trainings at every rate of a grid, by the ordinary training loop."""

from __future__ import annotations

import copy
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from dlcheck.recipe import LoadedRecipe
from dlcheck.training.assemble import assemble
from dlcheck.training.device import choose_device
from dlcheck.training.trainer import Trainer
from tests.benchmarks.lr_find.tasks import STEPS, Task

RATES: NDArray[np.float64] = np.geomspace(1e-5, 10.0, 19)
"""A third of a decade apart."""
SEEDS = (11, 12)
SCHEDULES = ("constant", "cosine")


@dataclass(frozen=True, slots=True)
class Truth:
    """What a training comes to at each rate of ``RATES``."""

    losses: list[float]
    """On validation, means over seeds; the untrained loss where training made it worse."""
    untrained: float

    @property
    def best(self) -> float:
        """The best rate of the grid."""
        return float(RATES[int(np.argmin(self.losses))])


class _Unmeasured(Trainer):
    """The ordinary loop without the evaluation after each epoch, which would take most of the time."""

    def _end_epoch(self) -> None:
        self.schedule.after_epoch(None)
        self.state.epoch += 1
        self.state.begin_epoch()


def final_losses(loaded: LoadedRecipe, rates: NDArray[np.float64]) -> tuple[float, list[float]]:
    """Return the validation loss untrained, and after a whole training at each rate, from the same start."""
    parts = assemble(loaded.recipe, folder=loaded.folder, device=choose_device("cpu"))
    start, stream = copy.deepcopy(parts.model.state_dict()), torch.get_rng_state()
    val, section = parts.data.val, loaded.recipe.optimizer
    assert val is not None
    before = Trainer(parts).evaluator.measure(val, "val")["val_loss"]
    after = []
    for rate in rates.tolist():
        parts.model.load_state_dict(start)
        torch.set_rng_state(stream)
        recipe = loaded.recipe.model_copy(update={"optimizer": section.model_copy(update={"lr": rate})})
        trainer = _Unmeasured(replace(parts, recipe=recipe))
        trainer.fit()
        after.append(trainer.evaluator.measure(val, "val")["val_loss"])
    return before, after


def truth(task: Task, schedule: str, folder: Path, shared: Path, *, steps: int = STEPS) -> Truth:
    """Return the mean final loss at each rate over the seeds, no worse than untrained, and the untrained loss.

    What is known already lies in ``folder``.
    """
    path = folder / f"truth-{task.name.replace(' ', '-')}-{schedule}-{steps}.json"
    if path.exists():
        return Truth(**json.loads(path.read_text()))
    befores, kept = [], []
    for seed in SEEDS:
        loaded = task.recipe(
            folder, shared, f"schedule.name={schedule}", f"train.seed={seed}", f"train.max_steps={steps}"
        )
        before, after = final_losses(loaded, RATES)
        befores.append(before)
        kept.append([min(loss, before) if np.isfinite(loss) else before for loss in after])
    found = Truth(np.mean(kept, 0).tolist(), float(np.mean(befores)))
    path.write_text(json.dumps(asdict(found)))
    return found


def regret(found: Truth, rate: float | None) -> float:
    """Return which share of the attainable fall of the loss a rate forgoes: 0 best, 1 none of it; None counts 1."""
    losses, untrained = np.array(found.losses), found.untrained
    if rate is None or not RATES[0] <= rate <= RATES[-1]:
        return 1.0
    reached = float(np.interp(np.log(rate), np.log(RATES), losses))
    best = float(losses.min())
    return float(np.clip((reached - best) / max(untrained - best, 1e-12), 0.0, 1.0))
