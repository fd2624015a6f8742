"""What can be said of a loader and its data set from outside."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from dlcheck.components.data.loader_batches import LoaderBatches
from dlcheck.components.data.tensor_batches import TensorBatches
from dlcheck.monitor.site import is_own
from dlcheck.profiling.found import Found
from dlcheck.runs.facts import Site
from dlcheck.watching.place import shown

if TYPE_CHECKING:
    from dlcheck.profiling.rig_recipe import RecipeRig

WITHIN = ("dataset", "samples", "datasets", "data")
"""Attributes in which wrappers of data sets keep what they wrap."""
DEEPEST = 8
METHODS = ("__getitems__", "__getitem__", "__iter__")


def found_recipe(rig: RecipeRig) -> Found:
    """Return what is known of a recipe's training."""
    trainer, train = rig.trainer, rig.parts.data.train
    section = rig.parts.recipe.data
    common: dict[str, Any] = {
        "device": str(rig.parts.device),
        "samples": train.samples,
        "batch_size": getattr(train, "batch_size", None),
        "steps_per_epoch": trainer.steps_per_epoch,
        "accumulate": trainer.train.accumulate,
        "optimizer": type(trainer.optimizer).__name__,
        "batch_bytes": rig.batch_bytes,
        "batch_pinned": rig.pinned,
        "threads": torch.get_num_threads(),
        "main_pid": os.getpid(),
        "precision": trainer.train.precision,
        "stamped": rig.settings.mode in ("whole", "loader"),
    }
    if not isinstance(train, LoaderBatches):
        kind = "memory" if isinstance(train, TensorBatches) else "opaque"
        return Found(kind=kind, dataset=str(section.name), **common)
    workers = tuple(sorted(rig.pids - {os.getpid()}))
    inner = innermost(train.dataset)
    return Found(
        kind="workers" if train.workers else "main",
        workers=train.workers,
        prefetch=train.settings.prefetch if train.workers else None,
        pin_memory=train.settings.pin_memory,
        persistent=train.workers > 0,
        start_method=torch.multiprocessing.get_start_method() if train.workers else "",
        dataset=type(inner).__name__,
        worker_pids=workers,
        worker_threads=most_threads(workers),
        fetch_site=fetch_site(inner),
        **common,
    )


def innermost(dataset: Any) -> Any:
    """Return the data set that the user wrote or chose, out of the wrappers of PyTorch and dlcheck around it."""
    for _ in range(DEEPEST):
        module = type(dataset).__module__
        if not module.startswith(("dlcheck.", "torch.utils.data")):
            break
        inner = next((vars_of(dataset, name) for name in WITHIN if vars_of(dataset, name) is not None), None)
        if isinstance(inner, list | tuple):
            inner = inner[0] if inner else None
        if inner is None or isinstance(inner, torch.Tensor):
            break
        dataset = inner
    return dataset


def vars_of(item: Any, name: str) -> Any:
    """Return an attribute, None where there is none."""
    return getattr(item, name, None)


def fetch_site(dataset: Any) -> Site | None:
    """Return where the user's code of a sample stands; None where it is not the user's."""
    for name in METHODS:
        site = code_site(getattr(type(dataset), name, None))
        if site is not None:
            return site
    return None


def code_site(function: Any) -> Site | None:
    """Return where a function of the user's begins; None for other people's."""
    function = getattr(function, "func", function)  # of functools.partial
    code = getattr(function, "__code__", None)
    if code is None and callable(function):
        code = getattr(type(function).__call__, "__code__", None)
    if code is None or not is_own(code.co_filename):
        return None
    return Site(shown(code.co_filename), code.co_firstlineno)


def most_threads(pids: tuple[int, ...]) -> int | None:
    """Return the largest number of threads of these processes, the one that feeds their queue left out."""
    counts = []
    for pid in pids:
        try:
            counts.append(len(list(Path(f"/proc/{pid}/task").iterdir())) - 1)
        except OSError:
            continue
    return max(1, *counts) if counts else None
