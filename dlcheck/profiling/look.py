"""What can be said of a loader and its data set from outside."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from dlcheck.components.data.loader_batches import LoaderBatches
from dlcheck.components.data.tensor_batches import TensorBatches
from dlcheck.monitor.site import is_own
from dlcheck.profiling.found import Found
from dlcheck.profiling.named import DEEPEST, WITHIN
from dlcheck.runs.facts import Site
from dlcheck.watching.place import shown

if TYPE_CHECKING:
    from dlcheck.profiling.feed import Feed
    from dlcheck.profiling.loader_hooks import LoaderFacts
    from dlcheck.profiling.rig_recipe import RecipeRig

HANDING = 2
"""Threads of a worker that hand over its batches: one feeds the queue, one shares the memory."""
METHODS = ("__getitems__", "__getitem__", "__iter__")


def found_recipe(rig: RecipeRig) -> Found:
    """Return what is known of a recipe's training."""
    trainer, train, feed = rig.trainer, rig.parts.data.train, rig.feed
    found = Found(
        kind="memory" if isinstance(train, TensorBatches) else "opaque",
        device=str(rig.parts.device),
        batch_size=getattr(train, "batch_size", None),
        dataset=rig.parts.recipe.data.name,
        samples=train.samples,
        steps_per_epoch=trainer.steps_per_epoch,
        accumulate=trainer.train.accumulate,
        optimizer=type(trainer.optimizer).__name__,
        batch_bytes=feed.batch_bytes,
        batch_pinned=feed.pinned,
        transforms=rig.transforms,
        threads=torch.get_num_threads(),
        main_pid=os.getpid(),
        precision=trainer.train.precision,
        stamped=isinstance(train, LoaderBatches) and feed.mode in ("whole", "loader"),
    )
    if not isinstance(train, LoaderBatches):
        return found
    workers, inner = workers_of(feed.pids), innermost(train.dataset)
    return replace(
        found,
        kind="workers" if train.workers else "main",
        workers=train.workers,
        prefetch=train.settings.prefetch if train.workers else None,
        pin_memory=train.settings.pin_memory,
        persistent=train.workers > 0,
        start_method=torch.multiprocessing.get_start_method() if train.workers else "",
        dataset=type(inner).__name__,
        worker_pids=workers,
        worker_threads=_threads_of(feed, workers),
        fetch_site=fetch_site(inner),
    )


def found_loader(facts: LoaderFacts) -> Found:
    """Return what is known of a ``DataLoader``; the training around it is left to the caller."""
    workers, inner = workers_of(facts.pids), innermost(facts.dataset)
    return Found(
        kind="workers" if facts.workers else "main",
        workers=facts.workers,
        batch_size=facts.batch_size,
        prefetch=facts.prefetch if facts.workers else None,
        pin_memory=facts.pin_memory,
        persistent=facts.persistent,
        in_order=facts.in_order,
        start_method=facts.start_method if facts.workers else "",
        dataset=type(inner).__name__,
        samples=facts.samples,
        steps_per_epoch=facts.batches,
        batch_bytes=facts.batch_bytes,
        batch_pinned=facts.pinned,
        transforms=facts.transforms,
        threads=torch.get_num_threads(),
        main_pid=os.getpid(),
        worker_pids=workers,
        worker_threads=_threads_of(facts, workers),
        fetch_site=fetch_site(inner),
        collate_site=code_site(facts.collate),
        loader_site=facts.site,
        stamped=facts.stamped,
        note=facts.note,
    )


def _threads_of(facts: LoaderFacts | Feed, workers: tuple[int, ...]) -> int | None:
    """Return the most threads that a worker was ever seen to have: between two epochs there may be none."""
    now = most_threads(workers)
    facts.worker_threads = now if facts.worker_threads is None else max(facts.worker_threads, now or 0)
    return facts.worker_threads


def workers_of(pids: tuple[int, ...]) -> tuple[int, ...]:
    """Return the processes other than this one that made batches."""
    return tuple(sorted(pid for pid in pids if pid != os.getpid()))


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
    """Return the largest number of threads of these processes, those left out that hand over their batches."""
    counts = []
    for pid in pids:
        try:
            counts.append(len(list(Path(f"/proc/{pid}/task").iterdir())) - HANDING)
        except OSError:
            continue
    return max(1, *counts) if counts else None
