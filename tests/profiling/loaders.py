"""Data sets as people write them, for tests of what their batches bring along."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset, IterableDataset

Sample = tuple[Tensor, int]


class Doubled:
    """A transform of the user's own."""

    def __call__(self, x: Tensor) -> Tensor:
        return x * 2


class Chain:
    """What many call Compose."""

    def __init__(self, transforms: list[Any]) -> None:
        self.transforms = transforms

    def __call__(self, x: Any) -> Any:
        for transform in self.transforms:
            x = transform(x)
        return x


Compose = type("Compose", (Chain,), {"__module__": __name__})


class Numbers(Dataset[Sample]):
    """Samples that tell their index."""

    def __init__(self, samples: int = 24, transform: Any = None) -> None:
        self.samples, self.transform, self.classes = samples, transform, ["even", "odd"]

    def __len__(self) -> int:
        return self.samples

    def __getitem__(self, index: int) -> Sample:
        x = torch.full((3,), float(index))
        return (x if self.transform is None else self.transform(x)), index % 2


class Straggling(Numbers):
    """One sample takes far longer."""

    def __getitem__(self, index: int) -> Sample:
        time.sleep(0.2 if index == 5 else 0.0005)
        return super().__getitem__(index)


class Whole(Numbers):
    """Gets all samples of a batch at once."""

    def __getitems__(self, indices: list[int]) -> list[Sample]:
        return [self[index] for index in indices]


class Stream(IterableDataset[Sample]):
    """A stream that gives each worker its share, as the documentation of PyTorch shows it."""

    def __init__(self, samples: int = 24) -> None:
        self.start, self.end = 0, samples

    def __iter__(self) -> Iterator[Sample]:
        for index in range(self.start, self.end):
            yield torch.full((3,), float(index)), index % 2


def share(worker: int) -> None:
    """A ``worker_init_fn`` that changes the data set of its worker."""
    info = torch.utils.data.get_worker_info()
    assert info is not None
    dataset: Any = info.dataset
    assert isinstance(dataset, Stream)
    each = (dataset.end - dataset.start) // info.num_workers
    dataset.start = worker * each
    dataset.end = dataset.start + each


def collate(samples: list[Sample]) -> dict[str, Tensor]:
    """Collate in a way of one's own."""
    return {"x": torch.stack([x for x, _ in samples]), "y": torch.tensor([y for _, y in samples])}
