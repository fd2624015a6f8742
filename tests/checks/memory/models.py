"""Small models of each kind, with a batch and optimizers."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torchvision.models import resnet18  # type: ignore[import-untyped]

Case = tuple[nn.Module, tuple[Tensor, ...]]


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed, self.place = nn.Embedding(100, 32), nn.Parameter(torch.randn(16, 32))
        layer = nn.TransformerEncoderLayer(32, 4, 64, dropout=0.1, batch_first=True)
        self.body, self.head = nn.TransformerEncoder(layer, 2), nn.Linear(32, 10)

    def forward(self, codes: Tensor) -> Tensor:
        out: Tensor = self.head(self.body(self.embed(codes) + self.place).mean(1))
        return out


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed, self.lstm, self.head = nn.Embedding(100, 16), nn.LSTM(16, 32, batch_first=True), nn.Linear(32, 10)

    def forward(self, codes: Tensor) -> Tensor:
        out: Tensor = self.head(self.lstm(self.embed(codes))[0][:, -1])
        return out


class Reading(nn.Module):
    """Looks at values, and makes a tensor of a size that depends on them: cannot be imitated."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Linear(12, 10)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.body(x)
        return out + torch.nonzero(x > 0).float().mean() * 0


def mlp() -> Case:
    model = nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, 10))
    return model, (torch.randn(32, 64), torch.randint(10, (32,)))


def cnn() -> Case:
    layers = [nn.Conv2d(3, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2)]
    layers += [nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Dropout(0.3), nn.Linear(32 * 64, 10)]
    return nn.Sequential(*layers), (torch.randn(8, 3, 16, 16), torch.randint(10, (8,)))


def resnet() -> Case:
    return resnet18(num_classes=10), (torch.randn(4, 3, 64, 64), torch.randint(10, (4,)))


def transformer() -> Case:
    return Attention(), (torch.randint(100, (8, 16)), torch.randint(10, (8,)))


def lstm() -> Case:
    return Recurrent(), (torch.randint(100, (8, 20)), torch.randint(10, (8,)))


def reading() -> Case:
    return Reading(), (torch.randn(32, 12), torch.randint(10, (32,)))


MODELS: dict[str, Callable[[], Case]] = {
    "mlp": mlp,
    "cnn": cnn,
    "resnet": resnet,
    "transformer": transformer,
    "lstm": lstm,
    "reading": reading,
}
OPTIMIZERS: dict[str, Callable[[nn.Module], torch.optim.Optimizer]] = {
    "sgd": lambda model: torch.optim.SGD(model.parameters(), 0.01),
    "momentum": lambda model: torch.optim.SGD(model.parameters(), 0.01, momentum=0.9),
    "adam": lambda model: torch.optim.Adam(model.parameters(), 0.001),
    "adam, all at once": lambda model: torch.optim.Adam(model.parameters(), 0.001, foreach=True),
    "adamw, fused": lambda model: torch.optim.AdamW(model.parameters(), 0.001, fused=True),
}
