"""What loader workers tell of their random streams, and that their batches stay as they are."""

import gc
import pickle
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from dlcheck.runs.facts import WorkerSeeds
from dlcheck.watching.workers import Workers


class Noisy(Dataset[Tensor]):
    """Samples that draw from global streams."""

    def __init__(self, *streams: str) -> None:
        self.streams = streams

    def __len__(self) -> int:
        return 8

    def __getitem__(self, index: int) -> Tensor:
        drawn = [
            np.random.random() if "numpy" in self.streams else 0.0,
            random.random() if "python" in self.streams else 0.0,
            float(torch.rand(())),
        ]
        return torch.tensor([index, *drawn], dtype=torch.float64)


def as_pytorch_does(worker: int) -> None:
    return None


def all_alike(worker: int) -> None:
    np.random.seed(13)


def every_epoch_alike(worker: int) -> None:
    np.random.seed(worker)
    random.seed(worker)


def failing(worker: int) -> None:
    raise LookupError("no such worker")


def loaded(
    workers: Workers | None, dataset: Dataset[Tensor], initialise: Callable[[int], None] | None, **how: Any
) -> tuple[list[Tensor], WorkerSeeds | None]:
    """Read a loader twice, with probes or without, and return the batches and what is known."""
    torch.manual_seed(0)
    loader = DataLoader(dataset, 2, num_workers=2, worker_init_fn=initialise, **how)
    batches, source = [], object()
    for _ in range(2):
        if workers is not None:
            loader.worker_init_fn = workers.probe(loader)
        iterator = iter(loader)
        loader.worker_init_fn = initialise
        batches += [*iterator]
        if workers is not None:
            workers.belongs(loader, source)
    fact = workers.fact(source) if workers is not None else None
    if workers is not None:
        workers.close()
    return batches, fact


@pytest.mark.parametrize(
    ("initialise", "distinct", "repeats"),
    [
        pytest.param(None, 2, False, id="no function"),
        pytest.param(as_pytorch_does, 2, False, id="a function that seeds nothing"),
        pytest.param(all_alike, 1, True, id="all alike"),
        pytest.param(every_epoch_alike, 2, True, id="every epoch alike"),
    ],
)
def test_how_workers_begin(initialise: Callable[[int], None] | None, distinct: int, repeats: bool) -> None:
    batches, fact = loaded(Workers(), Noisy("numpy", "python"), initialise)
    assert fact is not None
    assert (fact.workers, fact.numpy_distinct, fact.epochs_repeat) == (2, distinct, repeats)
    assert (fact.torch_distinct, fact.numpy_used, fact.python_used) == (2, True, True)
    assert (fact.site is not None) == (initialise is not None)
    plain, nothing = loaded(None, Noisy("numpy", "python"), initialise)
    assert nothing is None
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(batches, plain, strict=True))


def test_streams_that_the_data_do_not_draw_from() -> None:
    _, fact = loaded(Workers(), Noisy("python"), all_alike)
    assert fact is not None
    assert (fact.numpy_distinct, fact.numpy_used, fact.python_used, fact.epochs_repeat) == (1, False, True, False)


def test_probes_reach_workers_that_are_spawned() -> None:
    loader = DataLoader(Noisy(), 2, num_workers=2, worker_init_fn=all_alike)
    workers = Workers()
    probe = workers.probe(loader)
    assert probe is not None
    assert pickle.loads(pickle.dumps(probe)) == probe
    folder = Path(probe.file).parent
    del workers
    gc.collect()
    assert not folder.exists()


def test_what_a_function_raises_goes_on() -> None:
    with pytest.raises(LookupError, match="no such worker"):
        loaded(Workers(), Noisy(), failing)


def test_later_epochs_are_left_alone_and_nothing_stays() -> None:
    workers, loader = Workers(), DataLoader(Noisy(), 2, num_workers=2)
    probe = workers.probe(loader)
    assert probe is not None
    assert workers.probe(loader) is not None
    assert workers.probe(loader) is None
    folder = Path(probe.file).parent
    assert folder.is_dir()
    workers.close()
    assert not folder.exists()
    probe(0)  # as late workers may: there is nobody to tell
