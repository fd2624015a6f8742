"""A search space for a recipe that names none: what to try first, by how many trials there are."""

from __future__ import annotations

from collections.abc import Iterator

from dlcheck.recipe.patch import value_at
from dlcheck.recipe.recipe import Recipe
from dlcheck.recipe.tune import SearchEntry

FEW, SEVERAL = 10, 25
"""Below the first number of trials only the rate is searched, below the second the momentum too (Google's Deep
Learning Tuning Playbook, on Adam by budget)."""
STRENGTHS = {
    "augment.translate": 0.5,
    "augment.scale": 0.5,
    "augment.rotate": 180.0,
    "augment.shear": 45.0,
    "augment.brightness": 1.0,
    "augment.contrast": 1.0,
    "augment.noise": 1.0,
    "augment.erase": 1.0,
    "regularize.label_smoothing": 0.5,
    "regularize.mixup": 2.0,
}
"""Keys whose value is a strength, and the largest worth trying; searched only where the recipe uses them."""
SIZES = ("model.hidden", "model.channels", "model.width", "model.code", "model.embedding")
MOMENTUM = {
    "momentum": "optimizer.momentum",
    "nesterov": "optimizer.momentum",
    "rmsprop": "optimizer.alpha",
}
"""Where the memory of past gradients lies; all others with ``betas`` have it there."""


def auto_space(recipe: Recipe, trials: int, *, architecture: bool = False) -> dict[str, list[SearchEntry]]:
    """Return a ``[search]`` for a recipe without one.

    Never how long to train, nor the batch size, which is a question of speed rather than of quality.

    Args:
        recipe: What to search around.
        trials: How many there will be: the more, the more keys.
        architecture: Search sizes of layers too.
    """
    found = {"optimizer.lr": _entry(times=[0.01, 100.0])}
    if trials >= FEW and (path := _memory(recipe)) is not None:
        found[path] = _entry(near_one=[0.9, 0.999] if path.endswith("alpha") else [0.5, 0.99])
    if trials >= SEVERAL:
        found |= dict(_regularizers(recipe))
    if architecture:
        found |= dict(_sizes(recipe))
    return {path: [entry] for path, entry in found.items()}


def _entry(**fields: object) -> SearchEntry:
    return SearchEntry.model_validate(fields)


def _memory(recipe: Recipe) -> str | None:
    name = recipe.optimizer.name
    if name in MOMENTUM:
        return MOMENTUM[name]
    return "optimizer.betas.0" if value_at(recipe, "optimizer.betas.0") is not None else None


def _regularizers(recipe: Recipe) -> Iterator[tuple[str, SearchEntry]]:
    if recipe.optimizer.name not in ("lbfgs", "custom"):
        yield "optimizer.weight_decay", _entry(log=[1e-6, 0.1], or_zero=True)
    if value_at(recipe, "model.dropout") is not None:
        yield "model.dropout", _entry(float=[0.0, 0.5])
    for path, largest in STRENGTHS.items():
        own = value_at(recipe, path)
        if isinstance(own, int | float) and 0 < own < largest:
            yield path, _entry(float=[0.0, min(2.0 * own, largest)])


def _sizes(recipe: Recipe) -> Iterator[tuple[str, SearchEntry]]:
    heads = value_at(recipe, "model.heads")
    for path in SIZES:
        own = value_at(recipe, path)
        if isinstance(own, list):
            yield from ((f"{path}.{index}", _size(size)) for index, size in enumerate(own))
        elif isinstance(own, int) and heads is None:
            yield path, _size(own)
        elif isinstance(own, int) and isinstance(heads, int) and not heads & (heads - 1):
            # Every head takes the same share of the width.
            yield path, _entry(pow2=[max(heads, _power(own) // 4), max(heads, _power(own)) * 4])
    layers = value_at(recipe, "model.layers")
    if isinstance(layers, int):
        yield "model.layers", _entry(int=[1, layers + 2])


def _size(own: int) -> SearchEntry:
    return _entry(int=[max(1, own // 4), max(own * 4, 2)], log=True)


def _power(number: int) -> int:
    return 1 << max(number.bit_length() - 1, 0)
