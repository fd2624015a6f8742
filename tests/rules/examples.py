"""A sick and a healthy run for every rule."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from dlcheck.runs import Event, Part, Run, scalar_frame
from dlcheck.runs.signals import column_signal
from tests.rules import (
    examples_data,
    examples_gradients,
    examples_initialisation,
    examples_model,
    examples_ranks,
    examples_search,
    examples_speed,
    examples_usage,
)

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
        split, metric = column_signal(name)
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

SPIKED = FALLING + wobble(0.005)
SPIKED[[12, 18, 25]] += 3.0
FROZEN = FALLING + wobble(0.02)
FROZEN[15:] = 0.0
RATE = np.full(30, 0.1)
WARMING = np.linspace(0.001, 0.1, 30)
HALF = np.concatenate([np.linspace(2.0, 1.0, 6), np.full(24, 1.0)])

SICK: dict[str, Run] = {
    "C401": make_run({"train_loss": NAN}, recipe=True),
    "C402": make_run({"train_loss": np.where(EPOCHS < 20, FALLING, 1.9)}, recipe=True),
    "C403": make_run({"train_loss": SPIKED}, recipe=True),
    "C404": make_run({"train_loss": np.where(EPOCHS < 10, FALLING, 1.9) + wobble(0.01), "train_lr": RATE}, recipe=True),
    "C405": make_run({"train_loss": 2.3 - 0.005 * EPOCHS + wobble(0.002)}, recipe=True, trivial_loss=2.303),
    "C406": make_run({"train_loss": FLAT + wobble(0.005), "val_loss": FLAT + wobble(0.01, 1)}, trivial_loss=2.303),
    "C407": make_run({"train_loss": HALF + wobble(0.01), "val_loss": HALF + 0.1 + wobble(0.01, 1)}),
    "C408": make_run({"train_loss": HALF + wobble(0.01)}, trivial_loss=1.3),
    "C409": overfit_run(),
    "C410": make_run({"train_loss": FALLING, "val_loss": np.maximum(FALLING, 1.4) + wobble(0.01)}),
    "C411": make_run({"train_loss": FALLING, "val_loss": 0.3 + 2.0 * np.exp(-EPOCHS) + wobble(0.003)}),
    "C412": make_run({"train_loss": 2.3 - 0.05 * EPOCHS + wobble(0.005)}, recipe=True),
    "C413": make_run({"train_loss": FALLING + 0.5, "val_loss": FALLING + 0.5 + np.abs(wobble(0.5))}),
    "C414": make_run({"train_loss": FALLING + 0.5, "val_loss": FALLING + 0.2}),
    "C415": make_run(
        {
            "train_loss": FALLING,
            "val_loss": np.where(EPOCHS < 8, 2.3 - 0.2 * EPOCHS, 0.9 + 0.04 * (EPOCHS - 7)) + wobble(0.005),
            "val_accuracy": 0.5 + 0.01 * EPOCHS + wobble(0.002, 1),
        },
        recipe=True,
    ),
    "C416": make_run({"train_loss": 2.3 + 0.3 * EPOCHS + wobble(0.01)}),
    "C417": make_run({"train_loss": FALLING, "train_lr": WARMING}, recipe=True),
    "C418": make_run({"val_accuracy": np.ones(30), "train_eval_accuracy": 1 - FALLING / 5}),
    "C419": make_run({"train_loss": FROZEN}, recipe=True),
    "R701": make_run({"train_loss": FALLING}),
    "R702": replace(make_run({"train_loss": FALLING}), events=(Event("overlap", 100, detail={"first": 1, "last": 5}),)),
    "R703": make_run({"train_loss": FALLING[:3]}),
    "R704": replace(make_run({"train_loss": FALLING}), events=(Event("truncated"), Event("bad-record", 20))),
    "R705": replace(make_run({"train_loss": FALLING}), meta={"ambiguous": ["loss or nll could be the loss"]}),
}

CURVES_FALL: Mapping[str, np.ndarray] = {"train_loss": FALLING, "train_lr": 0.05 * (1 + np.cos(np.pi * EPOCHS / 30))}

HEALTHY: dict[str, Run] = {code: healthy_run() for code in SICK} | {
    "C404": make_run(CURVES_FALL),
    # One long plateau is what C411 finds, so its healthy run improves to the end.
    "C411": make_run({"train_loss": FALLING, "val_loss": 2.3 - 0.05 * EPOCHS}),
    "C417": make_run(CURVES_FALL),
}

FAMILIES = (
    examples_data,
    examples_initialisation,
    examples_model,
    examples_gradients,
    examples_usage,
    examples_ranks,
    examples_search,
    examples_speed,
)
for family in FAMILIES:
    SICK |= family.SICK
    HEALTHY |= family.HEALTHY
