"""One training without a doctor, and what it is worth in points."""

from __future__ import annotations

import contextlib
import math
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from dlcheck.errors import DlcheckError
from dlcheck.recipe import LoadedRecipe, Recipe, dump_recipe
from dlcheck.training.assemble import assemble
from dlcheck.training.callbacks import Callback
from dlcheck.training.trainer import Trainer
from tests.benchmarks.treatments.store import Scores

CPU = torch.device("cpu")
SCORES: list[Scores] = []
"""Where scores are remembered beyond this process, if anywhere."""


class Points(Callback):
    """Keeps each epoch's worth on the validation samples: accuracy in per cent, or 100 · R².

    The recipe's own loss and metric do not enter, as they may be a part of the fault.
    """

    def __init__(self) -> None:
        self.epochs: list[float] = []

    def on_epoch_end(self, trainer: Trainer, metrics: dict[str, float]) -> None:
        """Measure the weights as they are."""
        accuracy = metrics.get("val_accuracy")
        self.epochs.append(100 * accuracy if accuracy is not None else 100 * _explained(trainer))

    def of(self, trainer: Trainer) -> float:
        """Return what the training came to: the best epoch by its own monitor, or the last; died: 0."""
        if trainer.stop == "non-finite loss" or not self.epochs:
            return 0.0
        best = trainer.state.best_epoch if trainer.train.restore_best else None
        return floored(self.epochs[best - 1 if best else -1])


def floored(points: float) -> float:
    """Return points as they count: never below 0, that of nothing learnt (an R² has no floor of its own)."""
    return max(0.0, points) if math.isfinite(points) else 0.0


def points(loaded: LoadedRecipe, seed: int) -> float:
    """Return the points of a recipe trained with a seed, from memory if it was trained before."""
    recipe = seeded(loaded.recipe, seed)
    key = dump_recipe(recipe)
    known = SCORES[0].known(key) if SCORES else None
    if known is not None:
        return known
    kept = Points()
    with quiet():
        try:
            trainer = trained(replace(loaded, recipe=recipe), [kept])
            found = kept.of(trainer)
        except (DlcheckError, RuntimeError, ValueError):
            found = 0.0  # what cannot be trained learns nothing
    if SCORES:
        SCORES[0].add(key, found)
    return found


def refusal(loaded: LoadedRecipe) -> str:
    """Return the line by which dlcheck refuses to train a recipe: no fault that could go unseen. Empty: it trains."""
    try:
        with quiet():
            Trainer(assemble(loaded.recipe, folder=Path(), device=CPU))
    except DlcheckError as error:
        return str(error)
    return ""


def trained(loaded: LoadedRecipe, listeners: Sequence[Callback]) -> Trainer:
    """Train a recipe to its end, with no folder and no doctor.

    Raises:
        DlcheckError: it cannot be built.
        RuntimeError: it cannot be trained.
        ValueError: likewise.
    """
    parts = assemble(loaded.recipe, folder=Path(), device=CPU)
    trainer = Trainer(parts, listeners)
    trainer.fit()
    return trainer


def seeded(recipe: Recipe, seed: int) -> Recipe:
    """Return the recipe with another seed; its split of the data stays the same."""
    return recipe.model_copy(update={"train": recipe.train.model_copy(update={"seed": seed, "threads": 1})})


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep warnings of sick trainings to themselves."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@torch.no_grad()
def _explained(trainer: Trainer) -> float:
    """Return R² on the validation samples."""
    assert trainer.data.val is not None  # every program has validation data
    model = trainer.model.eval()
    with trainer.averaged():
        pairs = [(model(x).flatten(), y.flatten().float()) for x, y in map(trainer.place, trainer.data.val.epoch(0))]
    output, target = (torch.cat(parts).double() for parts in zip(*pairs, strict=True))
    return float(1 - ((output - target) ** 2).sum() / ((target - target.mean()) ** 2).sum())
