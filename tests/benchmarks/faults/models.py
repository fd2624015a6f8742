"""Architectures of the benchmark, each for samples of a kind."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import torch
from torch import Tensor, nn

from tests.benchmarks.faults.data import inputs, outputs
from tests.benchmarks.faults.plan import Data

Make = Callable[[Data], nn.Module]


def stack(sizes: list[int], act: type[nn.Module], between: Callable[[int], list[nn.Module]] | None = None) -> nn.Module:
    """Return linear layers of these sizes, with an activation after all but the last."""
    layers: list[nn.Module] = []
    for before, after in itertools.pairwise(sizes[:-1]):
        layers += [nn.Linear(before, after), *(between(after) if between else []), act()]
    return nn.Sequential(*layers, nn.Linear(sizes[-2], sizes[-1]))


def _mlp(*hidden: int, act: type[nn.Module] = nn.ReLU) -> Make:
    def make(data: Data) -> nn.Module:
        body = stack([inputs(data.x), *hidden, outputs(data)], act)
        return body if data.x.ndim == 2 else nn.Sequential(nn.Flatten(), *body.children())

    return make


def _batch_norm(data: Data) -> nn.Module:
    return stack([inputs(data.x), 64, 64, outputs(data)], nn.ReLU, lambda width: [nn.BatchNorm1d(width)])


def _dropout(data: Data) -> nn.Module:
    sizes = inputs(data.x), outputs(data)
    return nn.Sequential(
        *(nn.Linear(sizes[0], 96), nn.ReLU(), nn.Dropout(0.3)),
        *(nn.Linear(96, 96), nn.ReLU(), nn.Dropout(0.3), nn.Linear(96, sizes[1])),
    )


def _linear(data: Data) -> nn.Module:
    return nn.Sequential(nn.Linear(inputs(data.x), outputs(data)))


def _cnn(data: Data) -> nn.Module:
    side = data.x.shape[-1] // 2
    return nn.Sequential(
        *(nn.Conv2d(1, 12, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(12, 24, 3, padding=1), nn.ReLU(), nn.Flatten()),
        nn.Linear(24 * side * side, outputs(data)),
    )


class Block(nn.Module):
    """A residual block of two convolutions."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *(nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()),
            *(nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return the sum of input and branch, rectified; shape (N, C, H, W)."""
        return torch.relu(x + self.body(x))


def _resnet(data: Data) -> nn.Module:
    return nn.Sequential(
        *(nn.Conv2d(1, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU()),
        *(Block(8), nn.MaxPool2d(2), Block(8), nn.AdaptiveAvgPool2d(2), nn.Flatten()),
        nn.Linear(32, outputs(data)),
    )


class Recurrent(nn.Module):
    """A recurrent layer; the last state answers."""

    def __init__(self, kind: type[nn.LSTM | nn.GRU], width: int, answers: int) -> None:
        super().__init__()
        self.layer = kind(width, 40, batch_first=True)
        self.head = nn.Linear(40, answers)

    def forward(self, x: Tensor) -> Tensor:
        """Return answers of shape (N, answers) for sequences of shape (N, T, width)."""
        answer: Tensor = self.head(self.layer(x)[0][:, -1])
        return answer


class Encoder(nn.Module):
    """A small Transformer encoder over a sequence; the mean answers."""

    def __init__(self, length: int, width: int, answers: int) -> None:
        super().__init__()
        self.embedding = nn.Linear(width, 32)
        self.place = nn.Parameter(torch.randn(length, 32) * 0.02)
        layer = nn.TransformerEncoderLayer(32, 4, 64, 0.1, batch_first=True, norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(32, answers)

    def forward(self, x: Tensor) -> Tensor:
        """Return answers of shape (N, answers) for sequences of shape (N, T, width)."""
        answer: Tensor = self.head(self.encoder(self.embedding(x) + self.place).mean(1))
        return answer


class Language(nn.Module):
    """Tells the next character; recurrent or attending backwards only. Logits come as (N, classes, T)."""

    def __init__(self, classes: int, length: int, attends: bool) -> None:
        super().__init__()
        self.embedding = nn.Embedding(classes, 32)
        self.place = nn.Parameter(torch.randn(length, 32) * 0.02)
        self.attends = attends
        self.body: nn.Module = (
            nn.TransformerEncoderLayer(32, 4, 64, 0.0, batch_first=True, norm_first=True)
            if attends
            else nn.LSTM(32, 64, batch_first=True)
        )
        self.head = nn.Linear(32 if attends else 64, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits of shape (N, classes, T) for codes of shape (N, T)."""
        seen = self.embedding(x) + self.place
        if self.attends:
            mask = nn.Transformer.generate_square_subsequent_mask(x.shape[1])
            hidden = self.body(seen, src_mask=mask, is_causal=True)
        else:
            hidden = self.body(seen)[0]
        answer: Tensor = self.head(hidden)
        return answer.transpose(1, 2)


def _recurrent(kind: type[nn.LSTM | nn.GRU]) -> Make:
    return lambda data: Recurrent(kind, data.x.shape[-1], outputs(data))


def _encoder(data: Data) -> nn.Module:
    return Encoder(data.x.shape[1], data.x.shape[2], outputs(data))


def _language(*, attends: bool) -> Make:
    return lambda data: Language(data.classes, data.x.shape[1], attends)


MODELS: dict[str, Make] = {
    "linear": _linear,
    "mlp": _mlp(64),
    "mlp2": _mlp(64, 64),
    "mlp6": _mlp(48, 48, 48, 48, 48, 48),
    "tanh3": _mlp(48, 48, 48, act=nn.Tanh),
    "gelu3": _mlp(64, 64, 64, act=nn.GELU),
    "batchnorm": _batch_norm,
    "dropout": _dropout,
    "autoencoder": _mlp(48, 16, 48),
    "cnn": _cnn,
    "resnet": _resnet,
    "lstm": _recurrent(nn.LSTM),
    "gru": _recurrent(nn.GRU),
    "transformer": _encoder,
    "char-lstm": _language(attends=False),
    "char-transformer": _language(attends=True),
}
"""Architectures by name."""
