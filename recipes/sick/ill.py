"""Data and a network with one mistake each, for the recipes of this folder that no key can make ill."""

from __future__ import annotations

import io

import numpy as np
import torch
from PIL import Image
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.utils.data import Dataset

Split = tuple[Tensor, Tensor]


def leaking() -> dict[str, Split]:
    """Return the digits, a third of the validation and test images among the training images too."""
    x, y = _digits()
    train, val, test = slice(0, 1000), slice(1000, 1400), slice(1400, 1797)
    known = torch.cat([torch.arange(1000, 1133), torch.arange(1400, 1532)])
    return {
        "train": (torch.cat([x[train], x[known]]), torch.cat([y[train], y[known]])),
        "val": (x[val], y[val]),
        "test": (x[test], y[test]),
    }


def misaligned() -> dict[str, Split]:
    """Return the digits, each training image with the label of the one before it."""
    x, y = _digits()
    return {"train": (x[:1000], y[:1000].roll(1)), "val": (x[1000:1400], y[1000:1400]), "test": (x[1400:], y[1400:])}


def mislabelled() -> dict[str, Split]:
    """Return the digits, 15 % of the training labels drawn anew."""
    x, y = _digits()
    drawn = torch.Generator().manual_seed(0)
    wrong = torch.randperm(1000, generator=drawn)[:150]
    y = y.clone()
    y[wrong] = (y[wrong] + torch.randint(1, 10, (150,), generator=drawn)) % 10
    return {"train": (x[:1000], y[:1000]), "val": (x[1000:1400], y[1000:1400]), "test": (x[1400:], y[1400:])}


def imbalanced() -> Split:
    """Return the digits 3 and 8, with twenty of the eights left."""
    x, y = _digits()
    threes, eights = torch.nonzero(y == 3).flatten(), torch.nonzero(y == 8).flatten()[:20]
    kept = torch.cat([threes, eights])
    return x[kept], (y[kept] == 8).long()


class Photographs(Dataset[tuple[Tensor, int]]):
    """The digits as photographs of a camera: large files that are decoded and shrunk each time one is asked for."""

    def __init__(self, side: int = 768) -> None:
        x, y = load_digits(return_X_y=True)
        self.files = [_jpeg(image.reshape(8, 8), side) for image in x[:400]]
        self.labels = [int(label) for label in y[:400]]

    def __len__(self) -> int:
        """Return the number of photographs."""
        return len(self.files)

    def __getitem__(self, place: int) -> tuple[Tensor, int]:
        """Decode a photograph, and shrink it to 1×16×16."""
        photograph = Image.open(io.BytesIO(self.files[place])).resize((16, 16), Image.Resampling.LANCZOS)
        return torch.from_numpy(np.asarray(photograph, dtype=np.float32) / 255)[None], self.labels[place]


def photographs() -> Photographs:
    """Return the photographs."""
    return Photographs()


class SoftmaxTwice(nn.Module):
    """A network that ends in a softmax, before a loss that takes a softmax itself."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10), nn.Softmax(dim=1))

    def forward(self, images: Tensor) -> Tensor:
        """Return probabilities N×10 of images N×1×8×8, where the loss expects logits."""
        probabilities: Tensor = self.layers(images)
        return probabilities


def _digits() -> Split:
    x, y = load_digits(return_X_y=True)
    return torch.tensor(x, dtype=torch.float32).reshape(-1, 1, 8, 8), torch.tensor(y)


def _jpeg(image: np.ndarray, side: int) -> bytes:  # type: ignore[type-arg]
    kept = io.BytesIO()
    large = Image.fromarray((image * 15.9).astype(np.uint8)).resize((side, side), Image.Resampling.BICUBIC)
    large.save(kept, format="JPEG")
    return kept.getvalue()
