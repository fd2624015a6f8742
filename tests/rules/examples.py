"""A sick and a healthy run for every rule."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from dlcheck.runs import Part, Run, scalar_frame

EPOCHS = np.arange(1.0, 31.0)
FALLING = 0.05 + 2.0 * np.exp(-EPOCHS / 4)
FLAT = np.full(30, 2.3)


def wobble(size: float, seed: int = 0, count: int = 30) -> np.ndarray:
    return size * np.random.default_rng(seed).standard_normal(count)


def make_run(curves: Mapping[str, Sequence[float] | np.ndarray], *, recipe: bool = False, **facts: object) -> Run:
    """Return a run of ``{"val_loss": values}`` with 10 steps an epoch; ``batch_loss`` has a value each step."""
    parts = []
    for name, values in curves.items():
        array = np.asarray(values, dtype=float)
        order = np.arange(1.0, len(array) + 1)
        split, _, metric = name.rpartition("_")
        if name == "batch_loss":
            parts.append(Part("train", name, array, order, np.ceil(order / 10)))
        else:
            parts.append(Part(split, metric, array, 10 * order, order))
    meta = {"recipe": {"optimizer": {"lr": 0.01}, "train": {"epochs": 30}}} if recipe else {}
    return Run(scalars=scalar_frame(parts), facts=facts, meta=meta)


def healthy_run() -> Run:
    return make_run(
        {
            "train_loss": FALLING + wobble(0.005),
            "val_loss": FALLING + 0.05 + wobble(0.005, 1),
            "val_accuracy": 1 - FALLING / 3 + wobble(0.005, 2),
        },
        trivial_loss=2.3,
    )


def overfit_run() -> Run:
    val = np.where(EPOCHS < 8, 2.3 - 0.25 * EPOCHS, 0.55 + 0.03 * (EPOCHS - 7))
    accuracy = np.where(EPOCHS < 8, 0.1 * EPOCHS, 0.7 - 0.005 * (EPOCHS - 7))
    return make_run(
        {"train_loss": FALLING, "val_loss": val + wobble(0.005), "val_accuracy": accuracy},
        recipe=True,
        trivial_loss=2.3,
    )


NAN = FALLING.copy()
NAN[12:] = math.nan

SICK: dict[str, Run] = {
    "C401": make_run({"train_loss": NAN}, recipe=True),
    "C402": make_run({"train_loss": np.where(EPOCHS < 20, FALLING, 1.9)}, recipe=True),
    "C406": make_run({"train_loss": FLAT + wobble(0.005), "val_loss": FLAT + wobble(0.01, 1)}, trivial_loss=2.303),
    "C409": overfit_run(),
    "C411": make_run({"train_loss": FALLING, "val_loss": 0.3 + 2.0 * np.exp(-EPOCHS) + wobble(0.003)}),
    "C412": make_run({"train_loss": 2.3 - 0.05 * EPOCHS + wobble(0.005)}, recipe=True),
    "R701": make_run({"train_loss": FALLING}),
    "R703": make_run({"train_loss": FALLING[:3]}),
}

HEALTHY: dict[str, Run] = {code: healthy_run() for code in SICK} | {
    # One long plateau is what C411 finds, so its healthy run improves to the end.
    "C411": make_run({"train_loss": FALLING, "val_loss": 2.3 - 0.05 * EPOCHS}),
}
