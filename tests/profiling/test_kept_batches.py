"""Batches that are kept are given again and again, so that a training is timed without its loader."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from tests.profiling.metered import Watch, descend, loader, model, plain, summed


@pytest.mark.parametrize("workers", [0, 1])
def test_kept_batches_repeat_without_end(workers: int) -> None:
    seen: list[float] = []

    def training() -> None:
        network = model()
        optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
        for _ in range(2):
            for x, y in loader(24, workers):
                seen.append(float(x[0, 0]))
                x.mul_(0.5)  # what is written in place must not add up
                descend(functional.cross_entropy(network(x), y))
                optimizer.step()

    watch = Watch("ideal")
    rows = watch(training, rows=9)
    assert len(rows) == 9
    assert seen == [0.0, 8.0, 0.0, 8.0, 0.0, 8.0, 0.0, 8.0, 0.0]
    assert all(row.batch is None for row in rows[2:])
    assert all(summed(row) == pytest.approx(row.period) for row in rows)


def test_fewer_batches_than_are_kept_repeat_as_well() -> None:
    watch = Watch("copied", kept=10)
    assert len(watch(plain(epochs=1)[0], rows=12)) == 12


def test_a_loader_is_drained_without_any_training() -> None:
    trained: list[int] = []

    def training() -> None:
        network = model()
        optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
        for x, y in loader(24):
            descend(functional.cross_entropy(network(x), y))
            optimizer.step()
            trained.append(1)

    watch = Watch("loader")
    rows = watch(training, rows=8)
    assert len(trained) == 1
    assert [row.first for row in rows] == [True, False, False, True, False, False, True, False]
    assert all(row.forward == row.backward == row.optimizer == 0.0 for row in rows[1:])
    assert all(row.batch is not None for row in rows)


@pytest.mark.gpu
def test_kept_batches_lie_on_the_device() -> None:
    places: list[str] = []

    def training() -> None:
        network = model().cuda()
        optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
        for x, y in loader(64):
            places.append(x.device.type)
            descend(functional.cross_entropy(network(x.cuda()), y.cuda()))
            optimizer.step()

    Watch("ideal")(training, rows=6)
    assert places == ["cpu", "cpu", "cuda", "cuda", "cuda", "cuda"]
