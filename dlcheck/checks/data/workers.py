"""Whether loader workers draw different random numbers."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from dlcheck.components.batches import Batches
from dlcheck.components.data.finish import Paired
from dlcheck.components.data.loader_batches import LoaderBatches, LoaderSettings
from dlcheck.runs.facts import WorkerSeeds

LOOKED_AT = 3
"""Samples read to see which global generators the data set draws from."""


class _Draws(Dataset[Any]):
    """Answers with the worker's number and the next number of each global stream."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        info = torch.utils.data.get_worker_info()
        numbers = [0 if info is None else info.id, np.random.random(), random.random(), float(torch.rand(()))]
        return torch.tensor(numbers, dtype=torch.float64), torch.zeros(())


def worker_seeds(batches: Batches) -> WorkerSeeds | None:
    """Let the loader's workers, with their own initialisation, each draw a number; None without several workers."""
    loader = getattr(batches, "loader", None)
    workers = getattr(batches, "workers", None) if isinstance(batches, LoaderBatches) else None
    if isinstance(loader, DataLoader):
        workers = loader.num_workers
    if not workers or workers < 2:
        return None
    epochs = _of_recipe(batches, workers) if isinstance(batches, LoaderBatches) else _of_loader(loader, workers)
    first, second = (np.stack([rows[worker] for worker in sorted(rows)]) for rows in epochs)
    dataset = getattr(batches, "dataset", None) if isinstance(batches, LoaderBatches) else getattr(loader, "dataset")  # noqa: B009
    numpy_used, python_used = _used(dataset.samples if isinstance(dataset, Paired) else dataset)
    used = [column for column, uses in ((1, numpy_used), (2, python_used)) if uses]
    return WorkerSeeds(
        workers=len(first),
        numpy_distinct=len(np.unique(first[:, 1])),
        python_distinct=len(np.unique(first[:, 2])),
        torch_distinct=len(np.unique(first[:, 3])),
        numpy_used=numpy_used,
        python_used=python_used,
        epochs_repeat=first.shape == second.shape and any(np.array_equal(first[:, c], second[:, c]) for c in used),
    )


Rows = dict[int, np.ndarray[Any, Any]]
"""The first draw of each worker."""


def _of_recipe(batches: LoaderBatches, workers: int) -> tuple[Rows, Rows]:
    probe = LoaderBatches(_Draws(2 * workers), 1, seed=batches.seed, settings=LoaderSettings(workers, prefetch=1))
    return _first_rows(probe.epoch(0)), _first_rows(probe.epoch(1))


def _of_loader(loader: Any, workers: int) -> tuple[Rows, Rows]:
    probe: DataLoader[Any] = DataLoader(
        _Draws(2 * workers),
        batch_size=1,
        num_workers=workers,
        worker_init_fn=loader.worker_init_fn,
        generator=loader.generator,
        multiprocessing_context=loader.multiprocessing_context,
        persistent_workers=loader.persistent_workers,
    )
    found = _first_rows(iter(probe)), _first_rows(iter(probe))
    del probe
    return found


def _first_rows(batches: Any) -> Rows:
    rows: Rows = {}
    for batch in batches:
        row = batch[0][0].numpy()
        rows.setdefault(int(row[0]), row)
    return rows


def _used(dataset: Any) -> tuple[bool, bool]:
    """Return whether samples draw from NumPy's and from Python's global generator."""
    before_numpy, before_python = np.random.get_state(legacy=True), random.getstate()
    try:
        for index in range(min(LOOKED_AT, len(dataset))):
            dataset[index]
        return repr(before_numpy) != repr(np.random.get_state()), before_python != random.getstate()
    finally:
        np.random.set_state(before_numpy)
        random.setstate(before_python)
