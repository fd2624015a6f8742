"""Batches through the DataLoader: bit-identical whatever the number of workers, and errors that arrive whole."""

import gc
import random
import time
from collections.abc import Iterable

import numpy as np
import pytest
import torch
from torch import Tensor

from dlcheck.components.batches import Batch
from dlcheck.components.data.loader_batches import LoaderBatches, LoaderSettings, choose_workers, seeded
from dlcheck.errors import DlcheckError

pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")


class Noisy:
    """Samples that depend on all three random generators."""

    def __init__(self, samples: int = 40) -> None:
        self.samples = samples

    def __len__(self) -> int:
        return self.samples

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        drawn = [torch.rand(()).item(), np.random.random(), random.random()]
        return torch.tensor([float(index), *drawn]), index


class Broken(Noisy):
    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        if index == 25:
            raise DlcheckError("photos/cat/7.jpg: cannot be read as an image")
        return super().__getitem__(index)


def equal(first: Iterable[Batch], second: Iterable[Batch]) -> bool:
    pairs = zip(first, second, strict=True)
    return all(torch.equal(a, b) for one, other in pairs for a, b in zip(one, other, strict=True))


def loader(workers: int, *, seed: int = 0, prefetch: int = 2) -> LoaderBatches:
    return LoaderBatches(Noisy(), 6, seed=seed, shuffle=True, settings=LoaderSettings(workers, prefetch=prefetch))


def test_workers_and_start_do_not_change_the_batches() -> None:
    alone, together = loader(0), loader(2)
    for epoch in (0, 3):
        whole = list(alone.epoch(epoch))
        assert len(whole) == len(alone) == 7
        assert equal(whole, together.epoch(epoch))
        assert equal(whole[3:], together.epoch(epoch, 3))
    assert equal(alone.epoch(1, 5), list(alone.epoch(1))[5:])


def test_an_epoch_left_early_does_not_leak_into_the_next() -> None:
    batches, fresh = loader(2), loader(0)
    iterator = batches.epoch(0)
    next(iterator)
    del iterator
    assert equal(batches.epoch(1), fresh.epoch(1))


def test_workers_end_at_once_even_in_a_cycle_of_references() -> None:
    batches = loader(2)
    iterator = batches.epoch(0)
    next(iterator)
    cycle: list[object] = [batches, iterator]
    cycle.append(cycle)
    del batches, iterator, cycle
    began = time.perf_counter()
    gc.collect()
    assert time.perf_counter() - began < 9  # workers that are waited for in vain take ten seconds


def test_epochs_and_seeds_draw_other_noise() -> None:
    def noise(batches: LoaderBatches, epoch: int) -> dict[int, float]:
        return {int(x[0]): float(x[1]) for inputs, _ in batches.epoch(epoch) for x in inputs}

    first, second, other = noise(loader(0), 0), noise(loader(0), 1), noise(loader(0, seed=1), 0)
    assert sorted(first) == list(range(40))
    assert all(first[i] != second[i] and first[i] != other[i] for i in first)
    assert len(set(first.values())) == 40


def test_loading_leaves_the_global_generators_alone() -> None:
    states = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()  # type: ignore[index]
    list(loader(0).epoch(0))
    assert torch.equal(states[0], torch.get_rng_state())
    assert np.array_equal(states[1], np.random.get_state()[1])  # type: ignore[index]
    assert states[2] == random.getstate()


@pytest.mark.parametrize("workers", [0, 2])
def test_bad_input_keeps_its_message(workers: int) -> None:
    batches = LoaderBatches(Broken(), 6, settings=LoaderSettings(workers))
    with pytest.raises(DlcheckError, match=r"^photos/cat/7\.jpg: cannot be read as an image$"):
        list(batches.epoch(0))


def test_samples_of_different_shapes_are_one_clear_line() -> None:
    class Ragged(Noisy):
        def __getitem__(self, index: int) -> tuple[Tensor, int]:
            return torch.zeros(1 + index % 2), index

    with pytest.raises(DlcheckError, match="do not fit into one batch"):
        list(LoaderBatches(Ragged(), 4).epoch(0))


def test_transform_and_drop_last_apply() -> None:
    batches = LoaderBatches(Noisy(), 16, drop_last=True, transform=lambda batch: (batch[0] + 100, batch[1]))
    seen = list(batches.epoch(0))
    assert [len(target) for _, target in seen] == [16, 16]
    assert all(torch.equal(x[:, 0], target + 100.0) for x, target in seen)


def test_seeded_gives_the_same_draws_and_restores() -> None:
    torch.manual_seed(1)
    expected = torch.rand(1)
    torch.manual_seed(1)
    with seeded(7):
        first = torch.rand(1)
    with seeded(7):
        assert torch.equal(first, torch.rand(1))
    assert torch.equal(expected, torch.rand(1))


def test_auto_workers_are_none_for_little_data() -> None:
    assert choose_workers("auto", 100) == 0
    assert 1 <= choose_workers("auto", 100_000) <= 4
    assert choose_workers(3, 10) == 3
