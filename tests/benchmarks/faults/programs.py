"""The programs of the benchmark: data set × architecture × optimizer family, and to which half each belongs."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from tests.benchmarks.faults.data import available, data
from tests.benchmarks.faults.models import MODELS
from tests.benchmarks.faults.plan import Loss, Plan

SPLIT_SEED = 20261128
"""Draws the halves; it was set before any of them was looked at. 20261127 drew others, which were looked at."""

Optimizer = Callable[[Iterable[Any], float], torch.optim.Optimizer]
OPTIMIZERS: dict[str, Optimizer] = {
    "sgd": lambda parameters, lr: torch.optim.SGD(parameters, lr),
    "momentum": lambda parameters, lr: torch.optim.SGD(parameters, lr, momentum=0.9),
    "adam": lambda parameters, lr: torch.optim.Adam(parameters, lr),
    "adamw": lambda parameters, lr: torch.optim.AdamW(parameters, lr),
    "rmsprop": lambda parameters, lr: torch.optim.RMSprop(parameters, lr),
}
"""Optimizer families."""
RATES = {"sgd": 0.1, "momentum": 0.02, "adam": 2e-3, "adamw": 2e-3, "rmsprop": 7e-4}
"""Learning rates that train a small network well; ``_GENTLE`` ones take a fraction of them."""
_GENTLE = {"linear": 0.5, "mlp6": 0.5, "char-transformer": 1.0, "char-lstm": 2.0, "lstm": 2.0, "gru": 2.0}
_EPOCHS = {
    "digit-images": 10,
    "digit-rows": 18,
    "pictures": 25,
    "wine": 25,
    "cancer": 14,
    "cancer-score": 14,
    "diabetes": 20,
    "text": 12,
    "fashion": 12,
    "shapes": 10,
    "waves": 16,
}
_SLOW = {"sgd": 1.2, "momentum": 1.0, "adam": 1.0, "adamw": 1.0, "rmsprop": 1.0}
_CELLS: dict[str, dict[str, tuple[str, ...]]] = {
    "digits": {
        "mlp": ("sgd", "adam"),
        "mlp2": ("momentum", "adamw"),
        "mlp6": ("adam",),
        "tanh3": ("momentum",),
        "gelu3": ("adamw",),
        "batchnorm": ("sgd", "adam"),
        "dropout": ("momentum", "adam"),
    },
    "digit-images": {"cnn": ("momentum", "adam"), "resnet": ("sgd", "adamw")},
    "digit-rows": {"lstm": ("adam", "rmsprop"), "gru": ("adam",), "transformer": ("adamw", "adam")},
    "pictures": {"autoencoder": ("adam", "momentum")},
    "wine": {"mlp": ("sgd", "adam"), "linear": ("sgd",)},
    "cancer": {"mlp2": ("momentum", "adam"), "dropout": ("adamw",), "batchnorm": ("rmsprop",)},
    "cancer-score": {"mlp2": ("adam", "sgd")},
    "diabetes": {"linear": ("sgd",), "mlp": ("adam",)},
    "friedman": {"mlp2": ("adam", "momentum"), "gelu3": ("adamw",), "batchnorm": ("rmsprop",)},
    "blobs": {"mlp2": ("sgd", "adam"), "linear": ("momentum",), "tanh3": ("rmsprop",)},
    "circles": {"mlp2": ("adam", "momentum"), "gelu3": ("adamw",)},
    "moons": {"mlp2": ("momentum", "rmsprop"), "tanh3": ("adam",)},
    "waves": {"lstm": ("adam",), "gru": ("rmsprop",), "mlp2": ("sgd", "adam")},
    "shapes": {"cnn": ("sgd", "adamw"), "resnet": ("momentum",)},
    "text": {"char-lstm": ("adam", "rmsprop"), "char-transformer": ("adamw",)},
}


@dataclass(frozen=True)
class Program:
    """A data set, an architecture and an optimizer family."""

    data: str
    model: str
    optimizer: str

    @property
    def name(self) -> str:
        """``data/architecture/optimizer``."""
        return f"{self.data}/{self.model}/{self.optimizer}"

    def plan(self, seed: int) -> Plan:
        """Return its training as a careful person writes it; the model is drawn from the seed."""
        torch.manual_seed(seed)
        samples = data(self.data)
        model = MODELS[self.model](samples)
        rate = RATES[self.optimizer] * _GENTLE.get(self.model, 1.0)
        epochs = round(_EPOCHS.get(self.data, 15) * _SLOW[self.optimizer])
        batch = 16 if len(samples.x) < 600 else 32
        return Plan(samples, model, loss(samples.task), OPTIMIZERS[self.optimizer], rate, batch, epochs, seed)


def loss(task: str) -> Loss:
    """Return the loss that fits a task."""
    kinds: dict[str, type[nn.Module]] = {"numbers": nn.MSELoss, "binary": nn.BCEWithLogitsLoss}
    made: Loss = kinds.get(task, nn.CrossEntropyLoss)()
    return made


_ABSENT_CELLS: dict[str, dict[str, tuple[str, ...]]] = {
    "fashion": {"cnn": ("momentum", "adam"), "mlp2": ("sgd", "adamw")},
}


def _programs(cells: dict[str, dict[str, tuple[str, ...]]]) -> tuple[Program, ...]:
    return tuple(
        Program(samples, model, optimizer)
        for samples, models in cells.items()
        for model, optimizers in models.items()
        for optimizer in optimizers
    )


PROGRAMS = _programs(_CELLS)
"""All programs whose data are everywhere."""
OPTIONAL = _programs(_ABSENT_CELLS)
"""Programs whose data may be absent: healthy trainings only, so that plants and halves are the same everywhere."""


def present() -> tuple[Program, ...]:
    """Return the programs whose data are here."""
    return (*PROGRAMS, *(one for one in OPTIONAL if available(one.data)))


def halves(seed: int = SPLIT_SEED) -> dict[str, str]:
    """Return ``tuning`` or ``held`` for each program's name: half of each data set's programs to each."""
    chance, found, turn = random.Random(seed), dict[str, str](), 0
    for samples in (*_CELLS, *_ABSENT_CELLS):
        own = [one.name for one in (*PROGRAMS, *OPTIONAL) if one.data == samples]
        chance.shuffle(own)
        for name in own:
            found[name] = ("tuning", "held")[turn % 2]
            turn += 1
    return found
