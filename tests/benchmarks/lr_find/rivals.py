"""The finders that people use, as their packages are: fastai, Lightning, torch-lr-finder."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import tempfile
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from importlib.util import find_spec

import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from dlcheck.components.batches import Batch, Batches
from dlcheck.components.optimizers import build_optimizer
from dlcheck.recipe import LoadedRecipe
from dlcheck.training.assemble import assemble
from dlcheck.training.device import choose_device
from dlcheck.training.trainer import Parts

SWEEP = 100
"""Steps of each sweep, every package's own default."""
FIRST, LAST = 1e-7, 10.0
"""Range of the sweeps but Lightning's, which keeps its own (1e-8 to 1)."""
Suggestions = dict[str, float | None]


class _Endless(IterableDataset[Batch]):
    """The recipe's training batches, epoch after epoch."""

    def __init__(self, batches: Batches, epochs: int) -> None:
        self.batches, self.epochs = batches, epochs

    def __iter__(self) -> Iterator[Batch]:
        for epoch in range(self.epochs):
            yield from self.batches.epoch(epoch)

    def __len__(self) -> int:
        return self.epochs * len(self.batches)


def _build(loaded: LoadedRecipe) -> tuple[Parts, DataLoader[Batch]]:
    parts = assemble(loaded.recipe, folder=loaded.folder, device=choose_device("cpu"))
    epochs = 1 + SWEEP * 2 // len(parts.data.train)
    return parts, DataLoader(_Endless(parts.data.train, epochs), batch_size=None)


def _optimizer(loaded: LoadedRecipe, parts: Parts, lr: float) -> torch.optim.Optimizer:
    section = loaded.recipe.optimizer.model_copy(update={"lr": lr})
    return build_optimizer(section, parts.model, folder=parts.folder, lr_factors=parts.lr_factors)


def fastai(loaded: LoadedRecipe) -> Suggestions:
    """Return what fastai's four rules suggest."""
    schedule = import_module("fastai.callback.schedule")
    loaders, learners = import_module("fastai.data.core"), import_module("fastai.learner")
    wrapper = import_module("fastai.optimizer").OptimWrapper
    parts, loader = _build(loaded)
    made = _optimizer(loaded, parts, 1e-3)
    options = {key: value for key, value in made.defaults.items() if key in ("momentum", "nesterov", "weight_decay")}
    with tempfile.TemporaryDirectory() as folder:
        learner = learners.Learner(
            loaders.DataLoaders(loader, loader, device=torch.device("cpu")),
            parts.model,
            loss_func=parts.loss,
            opt_func=partial(wrapper, opt=partial(type(made), **options)),
            path=folder,
        )
        with learner.no_bar(), learner.no_logging():
            rules = {name: getattr(schedule, name) for name in ("minimum", "valley", "slide", "steep")}
            found = learner.lr_find(
                start_lr=FIRST, end_lr=LAST, num_it=SWEEP, show_plot=False, suggest_funcs=tuple(rules.values())
            )
    return {f"fastai {name}": float(getattr(found, name)) for name in rules}


def lightning(loaded: LoadedRecipe) -> Suggestions:
    """Return what Lightning's tuner suggests."""
    import lightning.pytorch as pl

    tuner = import_module("lightning.pytorch.tuner").Tuner

    parts, loader = _build(loaded)

    class Module(pl.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.model, self.loss, self.lr = parts.model, parts.loss, 1e-3

        def training_step(self, batch: Batch, index: int) -> Tensor:
            *inputs, target = batch
            loss: Tensor = self.loss(self.model(*inputs), target)
            return loss

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return _optimizer(loaded, parts, self.lr)

    with tempfile.TemporaryDirectory() as folder:
        trainer = pl.Trainer(
            accelerator="cpu", max_epochs=1, logger=False, enable_checkpointing=False, enable_progress_bar=False,
            enable_model_summary=False, default_root_dir=folder,
            gradient_clip_val=loaded.recipe.train.clip_norm,
        )  # fmt: skip
        found = tuner(trainer).lr_find(Module(), train_dataloaders=loader, num_training=SWEEP, update_attr=False)
    return {"Lightning": None if found is None else found.suggestion()}


def torch_lr_finder(loaded: LoadedRecipe) -> Suggestions:
    """Return the steepest point that torch-lr-finder suggests."""
    import_module("matplotlib").use("Agg")
    parts, loader = _build(loaded)
    finder = import_module("torch_lr_finder").LRFinder(
        parts.model, _optimizer(loaded, parts, FIRST), parts.loss, device="cpu"
    )
    finder.range_test(loader, end_lr=LAST, num_iter=SWEEP)
    told = finder.plot(suggest_lr=True)
    return {"torch-lr-finder": float(told[1]) if isinstance(told, tuple) else None}


RIVALS: dict[str, tuple[str, Callable[[LoadedRecipe], Suggestions], tuple[str, ...]]] = {
    "fastai": ("fastai", fastai, tuple(f"fastai {rule}" for rule in ("minimum", "valley", "slide", "steep"))),
    "Lightning": ("lightning", lightning, ("Lightning",)),
    "torch-lr-finder": ("torch_lr_finder", torch_lr_finder, ("torch-lr-finder",)),
}


def missing() -> list[str]:
    """Return the packages that are not installed here."""
    return [name for name, (module, _, _) in RIVALS.items() if find_spec(module) is None]


def ask(loaded: LoadedRecipe) -> tuple[Suggestions, list[str]]:
    """Ask every package that is installed; one that fails suggests nothing, and is told of."""
    found: Suggestions = {}
    failures = []
    for name, (module, rival, rows) in RIVALS.items():
        if find_spec(module) is None:
            continue
        found |= dict.fromkeys(rows)
        try:
            with _quiet():
                found |= rival(loaded)
        except Exception as error:  # whatever a package raises is its answer
            failures.append(f"{name} on {loaded.name}: {type(error).__name__}: {error}")
    return found, failures


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    os.environ["TQDM_DISABLE"] = "1"
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        yield
