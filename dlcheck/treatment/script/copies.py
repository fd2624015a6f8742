"""Copies that are mended and run: of a script and the modules beside it, or of a module's whole package."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from dlcheck.runs.atomic import refused
from dlcheck.treatment.script.source import Edit, Source
from dlcheck.treatment.script.suggest import Suggestion
from dlcheck.watching.target import Target

SKIPPED = ("__pycache__", "dlcheck-runs")


@dataclass(frozen=True, slots=True)
class Program:
    """What is treated, and where its own files lie."""

    file: Path
    """That is run."""
    home: Path
    """Folder that Python finds it in: a script's own, a package's parent."""
    module: str | None = None
    """Its name for ``python -m``."""

    @classmethod
    def of(cls, target: Target, module: str | None) -> Program:
        """Return a program as it was found."""
        file = Path(target.code.co_filename).resolve()
        if module is None:
            return cls(file, file.parent)
        spec = target.attributes.get("__spec__")
        # package.part.train lies two folders below the one that Python finds the package in.
        depth = str(getattr(spec, "name", module)).count(".")
        return cls(file, file.parents[min(depth, len(file.parents) - 1)], module)

    @property
    def package(self) -> Path | None:
        """The folder of the module's outermost package; None for a script, or a module in no package."""
        inside = self.file.relative_to(self.home).parts
        return self.home / inside[0] if self.module is not None and len(inside) > 1 else None

    def owns(self, file: Path) -> bool:
        """Return whether a file may be edited: one beside a script, or of the module's package."""
        whole = file.resolve()
        package = self.package
        if package is not None:
            return whole.is_relative_to(package)
        return whole.parent == self.home and (self.module is None or whole == self.file)


def mended(exact: Sequence[Suggestion], program: Program, folder: Path) -> tuple[list[Path], list[Suggestion]]:
    """Write copies of the edited files and of what must lie beside them, and return those edited with what was done.

    Raises:
        DlcheckError: the folder cannot be written.
    """
    results, taken = _merged(exact)
    if not results:
        return [], []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _beside(program, folder, [one.text for one in results])
        copies = []
        for source in results:
            copy = folder / source.path.resolve().relative_to(program.home)
            copy.write_bytes(source.text.encode("utf-8"))
            copies.append(copy)
    except OSError as error:
        raise refused(folder, error) from None
    return copies, taken


def _merged(exact: Sequence[Suggestion]) -> tuple[list[Source], list[Suggestion]]:
    """Return the files with all edits that fit together, and what was done."""
    taken: list[Suggestion] = []
    results: list[Source] = []
    for path in dict.fromkeys(one.source.path for one in exact if one.source is not None):
        edits: list[Edit] = []
        result: Source | None = None
        for one in exact:
            if one.source is None or one.source.path != path:
                continue
            more = one.source.edited([*edits, *one.edits])
            if more is not None:
                edits, result = [*edits, *one.edits], more
                taken.append(one)
        results += [result] if result is not None else []
    return results, taken


def _beside(program: Program, folder: Path, texts: Iterable[str]) -> None:
    """Put what the copies need beside them: the whole package, or the script that imports an edited module."""
    package = program.package
    if package is not None:
        _copy_tree(package, folder / package.name, folder)
        return
    own = program.file.read_bytes()
    (folder / program.file.name).write_bytes(own)
    if b"__file__" in own or any("__file__" in text for text in texts):
        for other in program.home.iterdir():  # what the script finds by its own place
            if other.suffix != ".py" and _wanted(other.name) and not folder.resolve().is_relative_to(other.resolve()):
                _link(other, folder / other.name)


def _copy_tree(original: Path, copy: Path, own: Path) -> None:
    """Copy a package's code; what else lies in it, data perhaps, is linked to."""
    for place, folders, files in os.walk(original):
        folders[:] = [one for one in folders if _wanted(one) and not own.resolve().is_relative_to(Path(place, one))]
        there = copy / Path(place).relative_to(original)
        there.mkdir(parents=True, exist_ok=True)
        for name in [*files, *(one for one in folders if Path(place, one).is_symlink())]:
            if name.endswith(".py"):
                shutil.copyfile(Path(place, name), there / name)
            else:
                _link(Path(place, name), there / name)


def _wanted(name: str) -> bool:
    return not name.startswith(".") and name not in SKIPPED


def _link(original: Path, copy: Path) -> None:
    try:
        copy.symlink_to(original.resolve())
    except OSError:  # a system without links for everybody
        if original.is_file():
            shutil.copyfile(original, copy)
