"""Healthy variants: valid, unusual settings under which a program trains as well as ever."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dlcheck.recipe import Recipe

Patch = dict[str, object]


@dataclass(frozen=True, slots=True)
class Variant:
    """Settings that a careful person may choose."""

    name: str
    patch: Callable[[Recipe], Patch | None]


def _sets(patch: Patch) -> Callable[[Recipe], Patch | None]:
    return lambda recipe: dict(patch)


def _when(section: str, names: tuple[str, ...], patch: Patch) -> Callable[[Recipe], Patch | None]:
    return lambda recipe: dict(patch) if getattr(recipe, section).name in names else None


def _rate(factor: float) -> Callable[[Recipe], Patch | None]:
    return lambda recipe: {"optimizer.lr": float(f"{recipe.optimizer.lr * factor:.3g}")}


def _longer(recipe: Recipe) -> Patch | None:
    return {"train.epochs": recipe.train.epochs * 2}


CLASSES = ("digits", "breast_cancer", "wine", "iris", "blobs", "moons", "circles")
VARIANTS = {
    one.name: one
    for one in (
        Variant("plain", _sets({})),
        Variant("rate x2", _rate(2)),
        Variant("rate /2", _rate(0.5)),
        Variant("twice as long", _longer),
        Variant("batch 16", _sets({"train.batch_size": 16})),
        Variant("clipped at 5", _sets({"train.clip_norm": 5.0})),
        Variant("L2 1e-4", _sets({"regularize.l2": 1e-4})),
        Variant("label smoothing 0.1", _when("data", CLASSES, {"regularize.label_smoothing": 0.1})),
        Variant("cosine with warm-up", _sets({"schedule.name": "cosine", "schedule.warmup": 1.0})),
        Variant("minmax", _sets({"data.normalize": "minmax"})),
        Variant("max norm 4", _sets({"regularize.max_norm": 4.0})),
        Variant("input noise 0.05", _sets({"regularize.input_noise": 0.05})),
        Variant("nesterov", _when("optimizer", ("momentum",), {"optimizer.name": "nesterov"})),
        Variant("beta2 0.99", _when("optimizer", ("adam", "adamw"), {"optimizer.betas": [0.9, 0.99]})),
        Variant("eps 1e-6", _when("optimizer", ("adam", "adamw", "rmsprop"), {"optimizer.eps": 1e-6})),
        Variant("xavier", _when("model", ("mlp", "cnn"), {"init.name": "xavier"})),
        Variant("gelu", _when("model", ("mlp", "cnn"), {"model.activation": "gelu"})),
        Variant("layer norm", _when("model", ("mlp",), {"model.norm": "layer"})),
        Variant("dropout 0.1", _when("model", ("mlp", "cnn"), {"model.dropout": 0.1})),
        Variant("patience 8", _sets({"train.patience": 8})),
        Variant("last weights", _sets({"train.restore_best": False})),
        Variant("averaged", _sets({"regularize.average": "swa"})),
        Variant("weight decay 0.01", _when("optimizer", ("adamw",), {"optimizer.weight_decay": 0.01})),
        Variant("mixup 0.2", _when("data", CLASSES, {"regularize.mixup": 0.2})),
    )
}
