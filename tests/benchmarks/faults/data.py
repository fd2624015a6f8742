"""Data sets of the benchmark: small, real where they ship with what dlcheck depends on, or drawn from a seed."""

from __future__ import annotations

import gzip
import math
import re
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tests.benchmarks.faults.plan import Data
from tests.conftest import SHARED_DATA

FASHION = SHARED_DATA / "fashion-mnist" / "FashionMNIST" / "raw"
"""Xiao, Rasul & Vollgraf 2017, arXiv:1708.07747, as it is distributed; it does not come with dlcheck."""
HELD_OUT = 0.3
"""Share of the samples for validation."""


def _split(name: str, samples: tuple[Any, Any], task: str) -> Data:
    x, y = samples
    order = np.random.default_rng(0).permutation(len(x))
    cut = round(len(x) * (1 - HELD_OUT))
    train, val = order[:cut], order[cut:]
    inputs = torch.as_tensor(np.asarray(x), dtype=torch.float32)
    target = torch.as_tensor(np.asarray(y), dtype=torch.float32 if task == "numbers" else torch.long)
    classes = int(target.max()) + 1 if task == "classes" else 0
    return Data(name, inputs[train], target[train], inputs[val], target[val], task, classes)


def _standardized(data: Data) -> Data:
    """Scale by the training samples' mean and spread, a column at a time."""
    mean, std = data.x.mean(0), data.x.std(0).clamp_min(1e-6)
    data.x, data.x_val = (data.x - mean) / std, (data.x_val - mean) / std
    if data.task == "numbers":
        middle, spread = data.y.mean(0), data.y.std(0)
        data.y, data.y_val = (data.y - middle) / spread, (data.y_val - middle) / spread
    return data


def _sklearn(name: str) -> Any:
    from sklearn import datasets

    return getattr(datasets, f"load_{name}")(return_X_y=True)


def _load_digits() -> tuple[Any, Any]:
    """Return pixels from -1 to 1, shape (900, 64), and their classes: half of the set, for the sake of time."""
    x, y = _sklearn("digits")
    return x[:900] / 8 - 1, y[:900]


def _digits() -> Data:
    return _split("digits", _load_digits(), "classes")


def _digit_images() -> Data:
    x, y = _load_digits()
    return _split("digit-images", (x.reshape(-1, 1, 8, 8), y), "classes")


def _digit_rows() -> Data:
    """Digits as sequences of eight rows."""
    x, y = _load_digits()
    return _split("digit-rows", (x.reshape(-1, 8, 8), y), "classes")


def _pictures() -> Data:
    """Digits as both input and target of an autoencoder."""
    x, _ = _load_digits()
    return _split("pictures", (x, x), "numbers")


def _wine() -> Data:
    return _standardized(_split("wine", _sklearn("wine"), "classes"))


def _cancer() -> Data:
    return _standardized(_split("cancer", _sklearn("breast_cancer"), "classes"))


def _cancer_score() -> Data:
    """Breast cancer with one output and targets of 0 and 1, for a binary loss."""
    x, y = _sklearn("breast_cancer")
    data = _standardized(_split("cancer-score", (x, y), "classes"))
    data.y, data.y_val, data.task = data.y.float().unsqueeze(1), data.y_val.float().unsqueeze(1), "binary"
    return data


def _diabetes() -> Data:
    x, y = _sklearn("diabetes")
    return _standardized(_split("diabetes", (x, y[:, None]), "numbers"))


def _friedman() -> Data:
    from sklearn.datasets import make_friedman1

    x, y = make_friedman1(1200, 8, noise=0.5, random_state=0)
    return _standardized(_split("friedman", (x, y[:, None]), "numbers"))


def _blobs() -> Data:
    from sklearn.datasets import make_blobs

    x, y = make_blobs(1200, 10, centers=5, cluster_std=4, random_state=0)
    return _standardized(_split("blobs", (x, y), "classes"))


def _circles() -> Data:
    from sklearn.datasets import make_circles

    return _standardized(_split("circles", make_circles(1200, noise=0.1, factor=0.5, random_state=0), "classes"))


def _moons() -> Data:
    from sklearn.datasets import make_moons

    return _standardized(_split("moons", make_moons(1200, noise=0.15, random_state=0), "classes"))


def _waves() -> Data:
    """Noisy sine waves of four frequencies: 32 steps of one number."""
    rng = np.random.default_rng(0)
    y = rng.integers(4, size=1000)
    time = np.arange(32) / 32
    phase = rng.uniform(0, 2 * math.pi, size=(1000, 1))
    x = np.sin(2 * math.pi * (y[:, None] + 1.5) * time + phase) + rng.normal(0, 0.3, size=(1000, 32))
    return _split("waves", (x[:, :, None], y), "classes")


def _shapes() -> Data:
    """Squares, crosses and rings on noise: 12×12 grey images of three classes."""
    rng = np.random.default_rng(0)
    y = rng.integers(3, size=900)
    x = rng.normal(0, 0.4, size=(900, 1, 12, 12))
    for image, kind in zip(x[:, 0], y, strict=True):
        top, left = rng.integers(0, 6, size=2)
        image[top : top + 6, left : left + 6] += _shape(int(kind))
    return _split("shapes", (x, y), "classes")


def _shape(kind: int) -> np.ndarray[Any, Any]:
    square = np.zeros((6, 6))
    if kind == 0:
        square[:] = 1.0
    elif kind == 1:
        square[2:4], square[:, 2:4] = 1.5, 1.5
    else:
        square[0], square[-1], square[:, 0], square[:, -1] = 1.5, 1.5, 1.5, 1.5
    return square


def _fashion() -> Data:
    """Return 1,400 pictures of clothes, averaged to 14×14 pixels from -1 to 1."""
    x = _idx("train-images-idx3-ubyte.gz", 16)[: 1400 * 784].reshape(-1, 1, 14, 2, 14, 2).mean((3, 5))
    y = _idx("train-labels-idx1-ubyte.gz", 8)[:1400].astype(np.int64)
    return _split("fashion", (x / 127.5 - 1, y), "classes")


def _idx(name: str, header: int) -> np.ndarray[Any, Any]:
    return np.frombuffer(gzip.decompress((FASHION / name).read_bytes()), np.uint8, offset=header)


def _text() -> Data:
    """Characters of Python's own manual: windows of 24, each to be told the next one."""
    topics = vars(__import__("pydoc_data.topics", fromlist=["topics"]))["topics"]
    text = re.sub(r"[^a-z ]+", " ", " ".join(topics[name] for name in sorted(topics)).lower())
    text = re.sub(r" +", " ", text)[:24_000]
    codes = torch.tensor([0 if c == " " else ord(c) - 96 for c in text])
    windows = codes[: len(codes) // 24 * 24].view(-1, 24)
    cut = round(len(windows) * (1 - HELD_OUT))
    train, val = windows[:cut], windows[cut:]
    return Data("text", train[:, :-1], train[:, 1:], val[:, :-1], val[:, 1:], "tokens", 27)


_MAKERS: dict[str, Callable[[], Data]] = {
    "digits": _digits,
    "digit-images": _digit_images,
    "digit-rows": _digit_rows,
    "pictures": _pictures,
    "wine": _wine,
    "cancer": _cancer,
    "cancer-score": _cancer_score,
    "diabetes": _diabetes,
    "friedman": _friedman,
    "blobs": _blobs,
    "circles": _circles,
    "moons": _moons,
    "waves": _waves,
    "shapes": _shapes,
    "text": _text,
    "fashion": _fashion,
}
DATA = tuple(_MAKERS)
"""Names of all data sets."""


def available(name: str) -> bool:
    """Say whether a data set is here: all but one ship with what dlcheck depends on, or are drawn."""
    return name != "fashion" or FASHION.is_dir()


@cache
def _made(name: str) -> Data:
    return _MAKERS[name]()


def data(name: str) -> Data:
    """Return a data set of one's own; its tensors may be replaced, not changed in place."""
    made = _made(name)
    return Data(made.name, made.x, made.y, made.x_val, made.y_val, made.task, made.classes)


def outputs(data: Data) -> int:
    """Return how many numbers a model answers a sample with."""
    if data.task == "binary":
        return 1
    return data.classes if data.classes else math.prod(data.y.shape[1:])


def inputs(x: Tensor) -> int:
    """Return how many numbers a sample has."""
    return math.prod(x.shape[1:])
