"""What a source of data hands over, and the registry of sources."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlcheck.components.data.samples import Samples
from dlcheck.components.info import Task
from dlcheck.components.registry import Registry
from dlcheck.recipe.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Request:
    """The recipe, where its own code lies, and which fold is wanted."""

    recipe: Recipe
    folder: Path
    fold: int | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """Samples after splitting and before normalisation."""

    task: Task
    train: Samples
    val: Samples | None
    test: Samples | None
    outputs: int
    class_names: tuple[str, ...] = ()
    vocabulary: tuple[str, ...] = ()
    target_name: str = ""
    feature_names: tuple[str, ...] = ()
    """Columns of a table, one a feature."""
    notes: tuple[str, ...] = ()
    eval_train: Samples | None = None
    """The training samples without random crops, when ``train`` crops while it reads."""
    context: int | None = None
    """Text: each split is one long sequence of codes, to be cut into windows of this many."""


Builder = Callable[[Any, Request], Source]

DATA: Registry[Builder] = Registry("data")
