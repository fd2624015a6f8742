"""Which loader a batch belongs to that a model is called on."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, TensorDataset

import dlcheck
from dlcheck.runs import read_run
from dlcheck.watching.account import Account
from dlcheck.watching.sources import Sources

Batch = tuple[Tensor, Tensor]


def ahead(loader: DataLoader[Any]) -> Iterator[Batch]:
    """Yield the batches of a loader, each only when the next is there, as wrappers do that tell of the last."""
    batches = iter(loader)
    now = next(batches)
    for following in batches:
        yield now
        now = following
    yield now


@pytest.mark.parametrize("rows", [40, 16])
def test_the_last_batch_of_a_loader_that_is_read_ahead_is_its_own(tmp_path: Path, rows: int) -> None:
    x = torch.randn(192, 6)
    labels = (x[:, 0] > 0).long()
    train = DataLoader(TensorDataset(x, labels), 16, shuffle=True)
    held = torch.randn(rows, 6)
    val = DataLoader(TensorDataset(held, (held[:, 0] > 0).long()), 16)
    model = nn.Linear(6, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    losses = []
    with dlcheck.watch(model, optimizer, run_dir=tmp_path / "run"):
        for _ in range(4):
            model.train()
            for inputs, targets in ahead(train):
                optimizer.zero_grad()
                nn.functional.cross_entropy(model(inputs), targets).backward()  # type: ignore[no-untyped-call]
                optimizer.step()
            model.eval()
            with torch.no_grad():
                parts = [len(b) * nn.functional.cross_entropy(model(a), b).item() for a, b in ahead(val)]
            losses.append(sum(parts) / rows)
    run = read_run(tmp_path / "run")
    assert run.curve("loss", "val").values == pytest.approx(losses)
    assert not len(run.curve("loss", "test"))
    assert len(run.curve("batch_loss")) == 48


def test_tensors_of_ones_own_are_no_loaders_batch() -> None:
    sources = Sources(Account())
    loader = DataLoader(TensorDataset(torch.randn(32, 3)), 16)
    iterator = iter(loader)
    source = sources.begins(loader, iterator)
    first, second = (batch[0] for batch in loader)
    sources.came(iterator, first, 0)
    sources.came(iterator, second, 0)
    sources.ended(iterator)
    assert sources.called_on(second[:, :2]) is source
    assert sources.called_on(second.to("meta")) is source
    assert sources.called_on(torch.randn(16, 3)) is None
    assert sources.called_on(second) is None


def test_a_copy_elsewhere_belongs_to_a_loader_that_was_read_ahead_alone() -> None:
    sources = Sources(Account())
    loader = DataLoader(TensorDataset(torch.randn(32, 3)), 16)
    iterator = iter(loader)
    source = sources.begins(loader, iterator)
    for (batch,) in loader:
        sources.came(iterator, batch, 0)
        assert sources.called_on(batch.to("meta")) is source
    sources.ended(iterator)
    assert sources.called_on(batch.to("meta")) is None


def test_a_loader_for_every_evaluation_is_one_source(tmp_path: Path) -> None:
    x = torch.randn(96, 6)
    labels = (x[:, 0] > 0).long()
    train = DataLoader(TensorDataset(x, labels), 16, shuffle=True)
    held = torch.randn(32, 6)
    val = TensorDataset(held, (held[:, 0] > 0).long())
    model = nn.Linear(6, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    kept = []

    def evaluate() -> float:
        kept.append(DataLoader(val, 16))
        with torch.no_grad():
            return sum(nn.functional.cross_entropy(model(a), b).item() for a, b in kept[-1]) / 2

    with dlcheck.watch(model, optimizer, run_dir=tmp_path / "run"):
        losses = []
        for _ in range(4):
            for inputs, targets in train:
                optimizer.zero_grad()
                nn.functional.cross_entropy(model(inputs), targets).backward()  # type: ignore[no-untyped-call]
                optimizer.step()
            losses.append(evaluate())
    run = read_run(tmp_path / "run")
    assert run.curve("loss", "val").values == pytest.approx(losses)
    assert not len(run.curve("loss", "test"))


class View(Dataset[Tensor]):
    """A data set that is told by a fingerprint, as those are whose views are built anew for each use."""

    def __init__(self, name: str) -> None:
        self._fingerprint = name

    def __len__(self) -> int:
        return 32

    def __getitem__(self, index: int) -> Tensor:
        return torch.zeros(3)


def test_views_with_one_fingerprint_are_the_same_rows() -> None:
    sources = Sources(Account())
    found, kept = [], list[DataLoader[Tensor]]()
    for name in ("a", "a", "b"):
        kept.append(DataLoader(View(name), 16))
        found.append(sources.begins(kept[-1], iter(kept[-1])))
        found[-1].forwards += 1
    assert found[0] is found[1] is not found[2]


def test_two_loaders_of_one_training_stay_two() -> None:
    sources = Sources(Account())
    data = TensorDataset(torch.randn(32, 3))
    one, other = DataLoader(data, 16, shuffle=True), DataLoader(data, 16, shuffle=True)
    first = sources.begins(one, iter(one))
    assert sources.begins(other, iter(other)) is not first
