"""Networks whose memory is predicted and measured; of PyTorch alone, as the peers' environment loads this file."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

import torch
from torch import Tensor, nn

SIZES = {"mlp": 256, "cnn": 64, "resnet18": 32, "transformer": 16}
"""Samples of a batch."""
OPTIMIZERS = ("sgd", "momentum", "adam")


class Transformer(nn.Module):
    """A small encoder over 128 tokens, with a guess of the class from their mean."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(1000, 256)
        layer = nn.TransformerEncoderLayer(256, 8, 1024, dropout=0.1, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 4)
        self.head = nn.Linear(256, 10)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return scores of shape (samples, 10) for tokens of shape (samples, 128)."""
        scores: Tensor = self.head(self.encoder(self.embed(tokens)).mean(dim=1))
        return scores


def mlp() -> nn.Module:
    """Return a perceptron of four layers."""
    return nn.Sequential(
        nn.Flatten(), nn.Linear(784, 1024), nn.ReLU(), nn.Linear(1024, 1024), nn.ReLU(), nn.Linear(1024, 1024),
        nn.ReLU(), nn.Linear(1024, 10),
    )  # fmt: skip


def cnn() -> nn.Module:
    """Return a convolutional network for images of 64 pixels."""
    return nn.Sequential(
        nn.Conv2d(3, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(64, 128, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(2048, 10),
    )  # fmt: skip


def resnet18() -> nn.Module:
    """Return torchvision's ResNet-18 with ten classes."""
    made: nn.Module = import_module("torchvision.models").resnet18(num_classes=10)
    return made


NETS: dict[str, Callable[[], nn.Module]] = {"mlp": mlp, "cnn": cnn, "resnet18": resnet18, "transformer": Transformer}


def batch(name: str, samples: int | None = None) -> tuple[Tensor, Tensor]:
    """Return inputs and classes for a network."""
    size = samples or SIZES[name]
    shape = {"mlp": (1, 28, 28), "cnn": (3, 64, 64), "resnet18": (3, 64, 64)}.get(name)
    inputs = torch.randint(0, 1000, (size, 128)) if shape is None else torch.randn(size, *shape)
    return inputs, torch.randint(0, 10, (size,))


def optimizer(name: str, model: nn.Module) -> torch.optim.Optimizer:
    """Return an optimizer by name."""
    if name == "adam":
        return torch.optim.Adam(model.parameters(), 1e-3)
    return torch.optim.SGD(model.parameters(), 1e-2, momentum=0.9 if name == "momentum" else 0.0)
