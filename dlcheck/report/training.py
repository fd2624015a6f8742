"""What a training reached, in a few lines after its diagnosis."""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dlcheck.rules.statistics import wilson_interval


def result_lines(facts: Mapping[str, Any]) -> Iterator[str]:
    """Yield what was reached on the test split, with its uncertainty, and what was decided along the way."""
    name, samples = str(facts.get("metric", "")), facts.get("samples") or {}
    for split, found in (("test", "test_"), ("validation", "best_val_")):
        value = facts.get(found + name)
        if isinstance(value, float) and math.isfinite(value):
            size = int(samples.get("test" if split == "test" else "val", 0))
            yield f"{split} {name} {_with_interval(name, value, size, str(facts.get('task')))}{_which(facts, split)}"
            break
    for note in facts.get("notes") or ():
        yield f"note: {note}"
    if transfer := facts.get("transfer"):
        agrees = "as the recipe does" if transfer["agrees"] else "the recipe does otherwise"
        yield f"transfer learning: {transfer['case']}: {transfer['advice']} ({agrees}), for {transfer['why']}"


def fold_lines(parent: Path, table: Mapping[str, tuple[float, float, int]]) -> Iterator[str]:
    """Yield mean and spread of each validation metric across folds."""
    for name, (mean, deviation, folds) in table.items():
        yield f"{name}: {mean:.4g} ± {deviation:.2g} (standard deviation over {folds} folds)"
    yield f"folds: {parent}"


def _with_interval(name: str, value: float, size: int, task: str) -> str:
    if name != "accuracy":
        return f"{value:.4g}"
    if not size or task != "classification":  # tokens of one text are not independent: no interval for them
        return f"{value:.2%}"
    low, high = wilson_interval(value, size)
    return f"{value:.2%} ({round(value * size)} of {size}; 95 % interval {low:.1%} to {high:.1%})"


def _which(facts: Mapping[str, Any], split: str) -> str:
    best = facts.get("best_epoch")
    if split == "test" and facts.get("tested_weights") == "best" and isinstance(best, int):
        return f", with the weights of epoch {best}"
    return ""
