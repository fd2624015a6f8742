"""Small things to look for a rate of."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from dlcheck.recipe import LoadedRecipe, parse_recipe

TINY = """
[data]
name = "digits"
limit = 300
[model]
name = "mlp"
hidden = [24]
[optimizer]
name = "adam"
lr = 0.01
[train]
epochs = 10
batch_size = 32
"""

Tiny = Callable[..., LoadedRecipe]


@pytest.fixture
def tiny() -> Tiny:
    """Return a function that gives the small recipe with keys changed."""

    def load(*overrides: str, text: str = TINY, folder: Path = Path()) -> LoadedRecipe:
        return parse_recipe(text, "tiny", name="tiny", folder=folder, overrides=overrides)

    return load


class Net(nn.Module):
    """Batch normalisation and dropout: buffers and random numbers that a measurement could leave changed."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.2))
        self.head = nn.Linear(16, 3)

    def forward(self, x: Tensor) -> Tensor:
        answer: Tensor = self.head(self.body(x))
        return answer


def loader(samples: int = 200, batch_size: int = 20, *, seed: int | None = 5) -> DataLoader[tuple[Tensor, ...]]:
    """Return batches of a task that can be learned, in an order of their own stream or of the global one."""
    x = torch.randn(samples, 8, generator=torch.Generator().manual_seed(1))
    y = x[:, :3].argmax(1)
    order = None if seed is None else torch.Generator().manual_seed(seed)
    return DataLoader(TensorDataset(x, y), batch_size=batch_size, shuffle=True, generator=order)
