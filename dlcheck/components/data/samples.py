"""Samples of one split before they become batches: in memory, or read on demand."""

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import ConcatDataset, Dataset, default_collate

from dlcheck.components.data.loader_batches import MapStyle, seeded
from dlcheck.errors import DlcheckError, one_line

Index = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class TensorSamples:
    """All samples in memory; inputs are float, uint8 (images) or codes; the first axis is the sample."""

    inputs: tuple[Tensor, ...]
    target: Tensor
    origin: Index | None = None
    """(samples,): places in the data as it was read, before it was split; None: these are all of it, in its order."""

    def __len__(self) -> int:
        return len(self.target)

    def take(self, index: Index) -> "TensorSamples":
        """Return the samples at these positions, in this order."""
        chosen = torch.from_numpy(index)
        origin = index if self.origin is None else self.origin[index]
        return TensorSamples(tuple(x.index_select(0, chosen) for x in self.inputs), self.target[chosen], origin)

    def join(self, other: "TensorSamples") -> "TensorSamples":
        """Return the samples of both, one after the other."""
        pairs = zip(self.inputs, other.inputs, strict=True)
        return TensorSamples(tuple(torch.cat(pair) for pair in pairs), torch.cat((self.target, other.target)))

    def __getitem__(self, index: int) -> tuple[Tensor, ...]:
        return (*(x[index] for x in self.inputs), self.target[index])


@dataclass(frozen=True, slots=True)
class LazySamples:
    """Samples of a map-style data set, read when asked for; ``targets`` are known beforehand."""

    dataset: MapStyle
    index: Index
    targets: npt.NDArray[Any]
    """Of the whole data set, by its own index."""

    def __len__(self) -> int:
        return len(self.index)

    @property
    def target(self) -> Tensor:
        """The chosen samples' targets."""
        return torch.as_tensor(self.targets[self.index])

    def take(self, index: Index) -> "LazySamples":
        """Return the samples at these positions, in this order."""
        return LazySamples(self.dataset, self.index[index], self.targets)

    def join(self, other: "LazySamples") -> "LazySamples":
        """Return the samples of both, one after the other."""
        both: ConcatDataset[Any] = ConcatDataset([cast(Dataset[Any], self), cast(Dataset[Any], other)])
        targets = np.concatenate((self.targets[self.index], other.targets[other.index]))
        return LazySamples(both, np.arange(len(targets)), targets)

    def read(self) -> TensorSamples:
        """Return the samples in memory.

        Raises:
            DlcheckError: one cannot be read, or they differ in shape.
        """
        try:
            with seeded(0):
                *inputs, target = default_collate([self[i] for i in range(len(self))])
        except RuntimeError as error:
            raise DlcheckError(f"data: samples of different shapes: {one_line(error, 200)}") from None
        return TensorSamples(tuple(inputs), target)

    def __getitem__(self, index: int) -> Any:
        return self.dataset[int(self.index[index])]


Samples = TensorSamples | LazySamples
