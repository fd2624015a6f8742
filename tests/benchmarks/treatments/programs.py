"""Healthy recipes with data that ships: what faults are planted into."""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from dlcheck.recipe import LoadedRecipe, parse_recipe

HALVES_SEED = 2026
"""Draws which programs of each data set are held out."""
TUNED, HELD_OUT = "tuned", "held-out"


@dataclass(frozen=True, slots=True)
class Program:
    """A recipe that trains well within seconds."""

    name: str
    data: str
    lines: str
    """Of ``[data]``, beyond the name."""
    model: str
    optimizer: str
    train: str
    good: float
    """Points that it must reach over three seeds to count as healthy at all: accuracy in per cent, or 100 · R²."""
    schedule: str = 'name = "constant"'

    @property
    def text(self) -> str:
        """As a recipe's file."""
        tables = {
            "data": f'name = "{self.data}"\n{self.lines}',
            "model": self.model,
            "optimizer": self.optimizer,
            "schedule": self.schedule,
            "train": self.train,
        }
        return "\n".join(f"[{name}]\n{lines}\n" for name, lines in tables.items())

    def recipe(self) -> LoadedRecipe:
        """Return it, valid."""
        return _parsed(self)


@cache
def _parsed(program: Program) -> LoadedRecipe:
    return parse_recipe(program.text, program.name, name=program.name, folder=Path())


def _mlp(hidden: str, more: str = "") -> str:
    return f'name = "mlp"\nhidden = {hidden}\n{more}'


def _by(name: str, rate: float) -> str:
    return f'name = "{name}"\nlr = {rate}'


def _train(epochs: int, batch: int) -> str:
    return f"epochs = {epochs}\nbatch_size = {batch}\nthreads = 1"


COSINE = 'name = "cosine"'
STEP = 'name = "step"\nevery = 8\ngamma = 0.3'
TANH, NORM = 'activation = "tanh"', 'norm = "batch"\ndropout = 0.1'
CNN = 'name = "cnn"\nchannels = [8, 16]\nhidden = [32]'

_ALL = (
    Program("digits-mlp-adam", "digits", "", _mlp("[64, 32]"), _by("adam", 0.003), _train(12, 64), 93),
    Program("digits-deep-momentum", "digits", "", _mlp("[64, 64, 64]"), _by("momentum", 0.05), _train(14, 32), 93),
    Program("digits-tanh-sgd", "digits", "", _mlp("[64]", TANH), _by("sgd", 0.3), _train(14, 32), 93, COSINE),
    Program("digits-norm-adamw", "digits", "", _mlp("[64, 32]", NORM), _by("adamw", 0.005), _train(12, 64), 93),
    Program("digits-cnn-adam", "digits", "", f"{CNN}\n{NORM}", _by("adam", 0.004), _train(9, 64), 94, COSINE),
    Program("digits-cnn-momentum", "digits", "", CNN, _by("momentum", 0.03), _train(8, 32), 94),
    Program("digits-wide-rmsprop", "digits", "", _mlp("[96]"), _by("rmsprop", 0.002), _train(12, 64), 93, STEP),
    Program("digits-lstm-adam", "digits", "", 'name = "lstm"\nhidden = 32', _by("adam", 0.01), _train(8, 64), 85),
    Program("cancer-mlp-adam", "breast_cancer", "", _mlp("[32]"), _by("adam", 0.003), _train(20, 32), 93),
    Program("cancer-deep-momentum", "breast_cancer", "", _mlp("[32, 32, 32]"), _by("momentum", 0.02),
            _train(20, 32), 93),
    Program("cancer-norm-adamw", "breast_cancer", "", _mlp("[32]", NORM), _by("adamw", 0.003),
            _train(20, 32), 93, COSINE),
    Program("cancer-tanh-sgd", "breast_cancer", "", _mlp("[24]", TANH), _by("sgd", 0.1), _train(24, 16), 93),
    Program("wine-mlp-adam", "wine", "", _mlp("[32]"), _by("adam", 0.005), _train(30, 16), 93),
    Program("wine-tanh-momentum", "wine", "", _mlp("[24]", TANH), _by("momentum", 0.03), _train(30, 16), 93, COSINE),
    Program("iris-mlp-adam", "iris", "", _mlp("[32]"), _by("adam", 0.01), _train(40, 16), 90),
    Program("iris-tanh-momentum", "iris", "", _mlp("[24]", TANH), _by("momentum", 0.05), _train(40, 16), 90),
    Program("diabetes-mlp-adam", "diabetes", "", _mlp("[32]"), _by("adam", 0.003), _train(20, 32), 35),
    Program("diabetes-tanh-sgd", "diabetes", "", _mlp("[24]", TANH), _by("sgd", 0.03), _train(25, 16), 35, COSINE),
    Program("blobs-mlp-sgd", "blobs", "features = 8\nclasses = 4", _mlp("[32]"), _by("sgd", 0.1), _train(15, 32), 85),
    Program("blobs-deep-adam", "blobs", "features = 6\nclasses = 5\nseed = 3", _mlp("[32, 32]"), _by("adam", 0.003),
            _train(15, 32), 85),
    Program("moons-mlp-adam", "moons", "noise = 0.15", _mlp("[32, 32]"), _by("adam", 0.01), _train(20, 32), 93),
    Program("moons-tanh-momentum", "moons", "noise = 0.2\nseed = 5", _mlp("[32, 32]", TANH), _by("momentum", 0.1),
            _train(25, 32), 90),
    Program("circles-mlp-adam", "circles", "noise = 0.08", _mlp("[32, 32]"), _by("adam", 0.01), _train(20, 32), 93),
    Program("circles-deep-rmsprop", "circles", "noise = 0.1\nseed = 2", _mlp("[32, 32, 32]"), _by("rmsprop", 0.003),
            _train(20, 32), 90, COSINE),
    Program("linear-mlp-adam", "linear", "", _mlp("[32]"), _by("adam", 0.005), _train(20, 32), 80),
    Program("linear-tanh-momentum", "linear", "features = 6\nseed = 4", _mlp("[32]", TANH), _by("momentum", 0.02),
            _train(20, 32), 80),
)  # fmt: skip
PROGRAMS = {one.name: one for one in _ALL}


def halves() -> dict[str, str]:
    """Return each program's half; of each data set one half is held out, and an odd one in turn."""
    chance, found, spare = random.Random(HALVES_SEED), dict[str, str](), 0
    for data in sorted({one.data for one in _ALL}):
        names = sorted(one.name for one in _ALL if one.data == data)
        chance.shuffle(names)
        middle = (len(names) + spare) // 2
        spare ^= len(names) % 2
        found |= {name: TUNED if place < middle else HELD_OUT for place, name in enumerate(names)}
    return found
