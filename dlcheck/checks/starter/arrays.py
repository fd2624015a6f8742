"""Which arrays of a file are inputs and which are targets."""

from collections.abc import Iterable
from pathlib import Path

from dlcheck.checks.starter.label import Task
from dlcheck.checks.starter.prove import source_of
from dlcheck.checks.starter.tensors import tensor_starter
from dlcheck.components.data.arrays import UNNAMED, Array, read_arrays
from dlcheck.errors import DlcheckError
from dlcheck.recipe.starter import Line, Starter, Table

INPUTS = ("x", "X", "data", "images", "inputs", "features", "samples", "arr_0")
TARGETS = ("y", "Y", "labels", "targets", "label", "target", "classes", "arr_1")
BESIDE = ("y", "Y", "labels", "targets", "target", "label")
"""What a file of targets is called beside a file of inputs."""


def array_starter(path: Path, *, task: Task | None) -> Starter:
    """Find inputs and targets in a file of arrays, measure them, and write a recipe.

    Raises:
        DlcheckError: unreadable, or no inputs or targets by any usual name.
    """
    found = read_arrays(path)
    given: set[str] = set()
    if UNNAMED in found:
        lines = [Line("labels", str(_beside(path)), "the file of targets, found beside")]
        inputs = found[UNNAMED]
    else:
        x, y = _named(INPUTS, found, path, "inputs"), _named(TARGETS, found, path, "targets")
        lines = [Line("x", x, "name of the inputs in the file"), Line("y", y, "name of the targets")]
        given = {part for part in ("val", "test") if f"{x}_{part}" in found} if f"{x}_train" in found else set()
        inputs = found[f"{x}_train"] if f"{x}_train" in found else found[x]
    _refuse_last(inputs, path)
    data = Table("data", (Line("name", "arrays"), Line("path", str(path)), *lines))
    return tensor_starter(source_of(data, task), data, name=str(path), given=frozenset(given))


def _named(names: tuple[str, ...], found: Iterable[str], path: Path, what: str) -> str:
    there = set(found)
    for name in names:
        if name in there or f"{name}_train" in there:
            return name
    raise DlcheckError(
        f"{path}: no {what} by a usual name; it has {', '.join(sorted(there)) or 'nothing'}, and one of "
        f"{', '.join(names)} is looked for (or NAME_train, NAME_val, NAME_test)"
    )


def _beside(path: Path) -> Path:
    """Return the file of targets that lies beside a file of inputs.

    Raises:
        DlcheckError: there is none.
    """
    stem = path.stem
    names = [*BESIDE, *(f"{stem}_{name}" for name in BESIDE)]
    if stem[:1] in ("x", "X"):
        names.insert(0, ("y" if stem[0] == "x" else "Y") + stem[1:])
        names.insert(1, "y" + stem[1:])
    for name in names:
        candidate = path.with_name(f"{name}{path.suffix}")
        if candidate.is_file() and candidate != path:
            return candidate
    raise DlcheckError(
        f"{path}: one array only, and no file of targets beside it; y{path.suffix} or {stem}_labels{path.suffix} is "
        "looked for"
    )


def _refuse_last(inputs: Array, path: Path) -> None:
    """Refuse images of floats whose channels come last: they would be taken for channels first."""
    if (
        inputs.ndim == 4
        and inputs.dtype.kind == "f"
        and inputs.shape[3] in (1, 3, 4)
        and inputs.shape[1] not in (1, 3, 4)
    ):
        raise DlcheckError(
            f"{path}: images of shape {inputs.shape[1:]} as floats, channels last; save them channels first, or as "
            "uint8, which is taken either way"
        )
