"""Where a sample lies: its row in the data as it was read, its file and line, and its label."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dlcheck.components.data.csv_file import read_csv
from dlcheck.components.data.image_file import ImageFiles
from dlcheck.components.data.load import load_source
from dlcheck.components.data.samples import LazySamples, Samples, TensorSamples
from dlcheck.components.data.source import Source
from dlcheck.recipe import LoadedRecipe, Recipe
from dlcheck.recipe.data import ArrayData, CsvData, ImageFolderData
from dlcheck.runs.spreadsheet import Cell
from dlcheck.treatment.rows.lines import row_lines

Lines = list[tuple[str, int]]
"""File and line of each row of a table."""


@dataclass(frozen=True, slots=True)
class Places:
    """A recipe's data before normalisation, with the way back to its files."""

    source: Source
    lines: Lines
    """Empty for what is no table."""
    file: str
    """The only file that everything lies in; empty where there are several, or none."""
    targets: Mapping[str, np.ndarray]
    """By split, (samples, …)."""

    def part(self, split: str) -> Samples | None:
        """Return a split's samples by its name: ``train``, ``val`` or ``test``."""
        found: Samples | None = getattr(self.source, split)
        return found

    def of(self, split: str, index: int) -> dict[str, Cell]:
        """Return what tells a sample from others: split, index there, row in the data, file, line, label."""
        row = self._row(split, index)
        file, line = self._file(split, index, row)
        return {
            "split": split,
            "index": index,
            "row": row,
            "file": file,
            "line": line,
            "label": self.label(split, index),
        }

    def label(self, split: str, index: int) -> Cell:
        """Return a sample's label as the data has it: the class's name, or the number; None where it is neither."""
        target = self.targets.get(split)
        if target is None or self.source.task not in ("classification", "regression"):
            return None
        value = target[index].reshape(-1) if index < len(target) else np.empty(0)
        return None if value.size != 1 else self.named(value[0])

    def named(self, value: Any) -> Cell:
        """Return the name of a class, or the number itself."""
        if self.source.task != "classification":
            return float(value)
        code, names = int(value), self.source.class_names
        return names[code] if 0 <= code < len(names) else code

    def input(self, split: str, index: int) -> np.ndarray | None:
        """Return a sample's first input in the units of the data, flat; None where it is read on demand."""
        part = self.part(split)
        return np.asarray(part.inputs[0][index]).ravel() if isinstance(part, TensorSamples) else None

    def feature(self, number: int, features: int) -> str:
        """Return a feature's name, or its number where it has none."""
        names = self.source.feature_names
        return names[number] if len(names) == features else str(number)

    def _row(self, split: str, index: int) -> int | None:
        part = self.part(split)
        if isinstance(part, LazySamples):
            return int(part.index[index])
        if part is None or self.source.context is not None:
            return None
        return index if part.origin is None else int(part.origin[index])

    def _file(self, split: str, index: int, row: int | None) -> tuple[Cell, Cell]:
        if row is not None and row < len(self.lines):
            return self.lines[row]
        found = image_path(self.part(split), row)
        return (found or self.file or None), None


def image_path(part: Samples | None, row: int | None) -> str:
    """Return the file of a sample that is read on demand, where its data set lists files; otherwise nothing."""
    if not isinstance(part, LazySamples) or row is None:
        return ""
    files: Any = part.dataset.files if isinstance(part.dataset, ImageFiles) else None
    if files is None:  # as torchvision's ImageFolder lists them, alone or behind a guard
        listed: Any = getattr(getattr(part.dataset, "dataset", part.dataset), "samples", None)
        found = listed[row] if isinstance(listed, list) and row < len(listed) else None
        return str(found[0]) if isinstance(found, tuple) and found and isinstance(found[0], str | Path) else ""
    return str(files[row]) if row < len(files) else ""


def find_places(loaded: LoadedRecipe) -> Places:
    """Read a recipe's data again, images only as a list of files.

    Raises:
        DlcheckError: it is missing or unusable.
    """
    recipe = _on_demand(loaded.recipe)
    source = load_source(recipe, folder=loaded.folder)
    parts = {"train": source.train, "val": source.val, "test": source.test}
    targets = {name: np.asarray(part.target) for name, part in parts.items() if part is not None}
    section = recipe.data
    if isinstance(section, CsvData):
        return Places(source, _table_lines(section), "", targets)
    path = getattr(section, "path", None) if isinstance(section, ArrayData) or section.name == "time_series" else None
    return Places(source, [], str(path or ""), targets)


def _on_demand(recipe: Recipe) -> Recipe:
    """Return the recipe with images that are read when asked for: the split is the same, and nothing is decoded."""
    if not isinstance(recipe.data, ImageFolderData):
        return recipe
    return recipe.model_copy(update={"data": recipe.data.model_copy(update={"in_memory": False})})


def _table_lines(section: CsvData) -> Lines:
    found: Lines = []
    for path in [section.path] if isinstance(section.path, str) else section.path:
        file = Path(path).expanduser()
        lines = row_lines(file, header=section.columns is None, separator=section.separator)
        if len(lines) != len(read_csv(file, columns=section.columns, separator=section.separator)):
            return []  # not read here as pandas does: a wrong line would mislead
        found += [(path, line) for line in lines]
    return found
