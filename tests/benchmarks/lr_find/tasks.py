"""Trainings on which rates are suggested: a half on which the finder's factors were chosen, and one held out.

Every task is a recipe, so that the finder under test and the truth are given exactly the same thing. The tuning half
is small tables, digits and toy laws; the held-out half has other data and, where data is made, other seeds,
architectures, batch sizes and optimizers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dlcheck.recipe import LoadedRecipe, parse_recipe

Arrays = tuple[NDArray[np.float32], NDArray[np.float32] | NDArray[np.int64]]
STEPS = 200
"""Length of the trainings that say which rate is best."""
EXCERPT, EXCERPT_CHARACTERS = "shakespeare.txt", 60_000
"""The beginning of a text that as a whole would take longest to validate on."""
CONSTANTS = {"adaptive": 3e-3, "momentum": 3e-2, "sgd": 3e-1}
SMALLER_CONSTANTS = {"adaptive": 1e-3, "momentum": 1e-2, "sgd": 1e-1}
FAMILIES = {"sgd": "sgd", "momentum": "momentum", "nesterov": "momentum"}


@dataclass(frozen=True, slots=True)
class Task:
    """A training whose rate is looked for."""

    name: str
    data: str
    """Lines of ``[data]``; ``NAME.npz`` stands for arrays of ``ARRAYS``, ``shared/`` for the shared real data."""
    rest: str
    """Lines of the other tables."""
    optimizer: str = "adam"
    batch_size: int = 32
    train: str = ""

    @property
    def family(self) -> str:
        """Which constant applies: adaptive, momentum or sgd."""
        return FAMILIES.get(self.optimizer, "adaptive")

    def needs(self, shared: Path) -> str | None:
        """Return what is missing to run this task, None when nothing is."""
        real = "shared/" in self.data or EXCERPT in self.data
        return None if not real or shared.is_dir() else f"no shared data at {shared}"

    def recipe(self, folder: Path, shared: Path, *overrides: str) -> LoadedRecipe:
        """Return the recipe; made data is written into ``folder`` on first use."""
        for name, make in ARRAYS.items():
            path = folder / f"{name}.npz"
            if f"{name}.npz" in self.data and not path.exists():
                x, y = make()
                np.savez(path, x=x, y=y)
        if EXCERPT in self.data and not (folder / EXCERPT).exists():
            text = (shared / "tinyshakespeare" / "input.txt").read_text(encoding="utf-8")
            (folder / EXCERPT).write_text(text[:EXCERPT_CHARACTERS], encoding="utf-8")
        data = self.data.replace("shared/", f"{shared}/").replace('path = "@', f'path = "{folder}/')
        text = (
            f'[data]\n{data}\n{self.rest}\n[optimizer]\nname = "{self.optimizer}"\n'
            f"[train]\nepochs = 100000\nmax_steps = {STEPS}\nbatch_size = {self.batch_size}\n{self.train}\n"
        )
        return parse_recipe(text, self.name, name=self.name, overrides=overrides)


def _classification(seed: int, classes: int, flip: float = 0.02) -> Arrays:
    from sklearn.datasets import make_classification

    x, y = make_classification(
        1500, 20, n_informative=10, n_classes=classes, n_clusters_per_class=2, flip_y=flip, random_state=seed
    )
    return x.astype(np.float32), y.astype(np.int64)


def _regression() -> Arrays:
    from sklearn.datasets import make_regression

    x, y = make_regression(1500, 20, n_informative=10, noise=5.0, random_state=1)
    return x.astype(np.float32), y.astype(np.float32)


def _digit_rows() -> Arrays:
    from sklearn.datasets import load_digits

    digits = load_digits()
    return digits.images.astype(np.float32), digits.target.astype(np.int64)


def _friedman(number: int, seed: int) -> Arrays:
    from sklearn import datasets

    make = getattr(datasets, f"make_friedman{number}")
    x, y = make(1200, noise=0.3 if number != 2 else 30.0, random_state=seed)
    return x.astype(np.float32), y.astype(np.float32)


def _hastie() -> Arrays:
    from sklearn.datasets import make_hastie_10_2

    x, y = make_hastie_10_2(2000, random_state=31)
    return x.astype(np.float32), (y > 0).astype(np.int64)


def _quantiles() -> Arrays:
    from sklearn.datasets import make_gaussian_quantiles

    x, y = make_gaussian_quantiles(n_samples=2000, n_features=8, n_classes=4, random_state=47)
    return x.astype(np.float32), y.astype(np.int64)


def _spirals() -> Arrays:
    draw = np.random.default_rng(61)
    label = np.arange(1500) % 3
    radius = draw.uniform(0.1, 1.0, 1500)
    angle = 5.0 * radius + label * 2 * np.pi / 3 + draw.normal(0, 0.15, 1500)
    points = np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1)
    return points.astype(np.float32), label.astype(np.int64)


def _waves() -> Arrays:
    """Make windows of two sines of unknown phase and their next value."""
    draw = np.random.default_rng(73)
    time = np.arange(25)[None, :]
    slow, fast = (draw.uniform(0, 2 * np.pi, (1500, 1)) for _ in range(2))
    values = np.sin(0.3 * time + slow) + 0.5 * np.sin(0.9 * time + fast) + draw.normal(0, 0.05, (1500, 25))
    return values[:, :-1, None].astype(np.float32), values[:, -1].astype(np.float32)


def _textures() -> Arrays:
    """Make 16×16 stripes of four directions at random phase and wavelength, in noise."""
    draw = np.random.default_rng(89)
    label = np.arange(1200) % 4
    row, column = np.mgrid[:16, :16]
    angle = (label * np.pi / 4)[:, None, None]
    phase, wave = draw.uniform(0, 6.3, (1200, 1, 1)), draw.uniform(0.7, 1.4, (1200, 1, 1))
    images = np.sin(wave * (row * np.cos(angle) + column * np.sin(angle)) + phase) + draw.normal(0, 0.8, (1200, 16, 16))
    return images[:, None].astype(np.float32), label.astype(np.int64)


ARRAYS: dict[str, Callable[[], Arrays]] = {
    "classification": lambda: _classification(0, 3),
    "regression": _regression,
    "digit_rows": _digit_rows,
    "noisy": lambda: _classification(17, 5, 0.2),
    "friedman1": lambda: _friedman(1, 23),
    "friedman2": lambda: _friedman(2, 29),
    "hastie": _hastie,
    "quantiles": _quantiles,
    "spirals": _spirals,
    "waves": _waves,
    "textures": _textures,
}


def _arrays(name: str, more: str = "") -> str:
    return f'name = "arrays"\npath = "@{name}.npz"\n{more}'


def _mlp(hidden: str, more: str = "") -> str:
    return f'[model]\nname = "mlp"\nhidden = {hidden}\n{more}'


_DIGITS, _FASHION = (
    'name = "digits"',
    (
        'name = "torchvision"\ndataset = "FashionMNIST"\nroot = "shared/fashion-mnist"\nlimit = 2000\n'
        "[data.split]\nval = 0.01"
    ),
)
_SHAKESPEARE = 'name = "text"\npath = "@shakespeare.txt"\ncontext = 32'
_WINE_QUALITY = (
    'name = "csv"\npath = "shared/wine-quality/winequality-red.csv"\ntask = "regression"\nlabel = "k"\n'
    'columns = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "t", "k"]'
)
_CO2 = (
    'name = "time_series"\npath = "shared/time-series/co2.csv"\ncolumn = "co2"\ntime = "date"\nwindow = 52\n'
    "horizon = 13\ndifference = true"
)
_DEEP = "[64, 64, 64, 64, 64]"

TUNING = (
    Task("digits mlp adam", _DIGITS, _mlp("[64]")),
    Task("digits mlp momentum", _DIGITS, _mlp("[64]"), "momentum"),
    Task("digits mlp sgd", _DIGITS, _mlp("[64]"), "sgd"),
    Task("digits deep momentum", _DIGITS, _mlp(_DEEP), "momentum"),
    Task("digits deep norm momentum", _DIGITS, _mlp(_DEEP, 'norm = "batch"'), "momentum"),
    Task("digits cnn adamw", _DIGITS, '[model]\nname = "cnn"\nchannels = [8, 16]\nhidden = [32]', "adamw"),
    Task(
        "digits cnn norm momentum", _DIGITS,
        '[model]\nname = "cnn"\nchannels = [8, 16]\nhidden = [32]\nnorm = "batch"', "momentum",
    ),
    Task("digits gru adam", _arrays("digit_rows"), '[model]\nname = "gru"\nhidden = 32'),
    Task(
        "digits transformer adamw", _arrays("digit_rows"),
        '[model]\nname = "transformer"\nwidth = 32\nheads = 4\nlayers = 1', "adamw",
    ),
    Task("digits tanh rmsprop", _DIGITS, _mlp("[64, 64]", 'activation = "tanh"'), "rmsprop"),
    Task("cancer dropout adam", 'name = "breast_cancer"', _mlp("[32, 32]", "dropout = 0.3")),
    Task("cancer linear sgd", 'name = "breast_cancer"', _mlp("[]"), "sgd"),
    Task("wine mlp momentum", 'name = "wine"', _mlp("[32]"), "momentum", 16),
    Task("diabetes mlp adam", 'name = "diabetes"', _mlp("[32]")),
    Task("moons mlp sgd", 'name = "moons"\nnoise = 0.2', _mlp("[32, 32]"), "sgd"),
    Task("classification adam", _arrays("classification"), _mlp("[64, 64]")),
    Task("classification momentum", _arrays("classification"), _mlp("[64, 64]"), "momentum"),
    Task("regression adam", _arrays("regression"), _mlp("[64, 64]")),
    Task("regression momentum", _arrays("regression"), _mlp("[64, 64]"), "momentum"),
)  # fmt: skip

HELD_OUT = (
    Task("wine quality adamw", _WINE_QUALITY, _mlp("[64, 32]", "dropout = 0.1") + '\n[loss]\nname = "huber"', "adamw"),
    Task("co2 lstm adam", _CO2, '[model]\nname = "lstm"\nhidden = 24'),
    Task("iris mlp sgd", 'name = "iris"', _mlp("[16, 16]"), "sgd", 16),
    Task("circles tanh adam", 'name = "circles"\nnoise = 0.15\nseed = 5', _mlp("[24, 24]", 'activation = "tanh"')),
    Task("blobs linear momentum", 'name = "blobs"\nclasses = 6\nnoise = 3.0\nseed = 5', _mlp("[]"), "momentum"),
    Task(
        "waves rnn momentum", _arrays("waves"), '[model]\nname = "rnn"\nhidden = 32', "momentum", 32,
        "clip_norm = 1.0",
    ),
    Task("friedman1 mlp nesterov", _arrays("friedman1"), _mlp("[48, 48]", 'activation = "elu"'), "nesterov"),
    Task("friedman1 mlp rmsprop", _arrays("friedman1"), _mlp("[64]"), "rmsprop", 64),
    Task("spirals gelu nadam", _arrays("spirals"), _mlp("[48, 48, 48, 48]", 'activation = "gelu"'), "nadam"),
    Task("hastie wide adam", _arrays("hastie"), _mlp("[1024]")),
    Task("digits autoencoder adam", _DIGITS + '\ntask = "reconstruction"', '[model]\nname = "autoencoder"'),
    Task("friedman2 unscaled momentum", _arrays("friedman2", 'normalize = "minmax"'), _mlp("[32, 32]"), "momentum"),
    Task("quantiles small batch sgd", _arrays("quantiles"), _mlp("[64, 64]"), "sgd", 8),
    Task("quantiles large batch adam", _arrays("quantiles"), _mlp("[64, 64]"), "adam", 256),
    Task(
        "textures cnn nesterov", _arrays("textures"),
        '[model]\nname = "cnn"\nchannels = [8, 8, 16]\nhidden = [16]\nkernel = 5\n[augment]\ntranslate = 0.1',
        "nesterov",
    ),
    Task(
        "noisy smoothed momentum", _arrays("noisy"),
        _mlp("[64, 64]") + "\n[regularize]\nlabel_smoothing = 0.1\nl2 = 1e-3", "momentum",
    ),
    Task("fashion cnn adam", _FASHION, '[model]\nname = "cnn"\nchannels = [8, 16]\nhidden = [32]', "adam", 64),
    Task("fashion resnet momentum", _FASHION, '[model]\nname = "resnet"\nblocks = [1, 1]\nwidth = 8', "momentum", 16),
    Task("fashion mlp sgd", _FASHION, _mlp("[128, 64]", 'norm = "layer"'), "sgd", 32),
    Task(
        "fashion tanh cnn amsgrad", _FASHION,
        '[model]\nname = "cnn"\nchannels = [6, 16]\nhidden = [32]\nactivation = "tanh"\npool = "average"', "amsgrad",
    ),
    Task(
        "shakespeare gru adamw", _SHAKESPEARE, '[model]\nname = "gru"\nhidden = 64\nembedding = 16', "adamw", 16,
        "clip_norm = 1.0",
    ),
    Task(
        "shakespeare transformer adam", _SHAKESPEARE,
        '[model]\nname = "transformer"\nwidth = 32\nheads = 2\nlayers = 1', "adam", 16,
    ),
)  # fmt: skip
