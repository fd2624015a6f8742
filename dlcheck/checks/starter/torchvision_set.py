"""Data sets of torchvision, by name or by the files that they leave in a folder."""

from pathlib import Path

from dlcheck.checks.starter.prove import source_of
from dlcheck.checks.starter.tensors import tensor_starter
from dlcheck.components.data.samples import TensorSamples
from dlcheck.errors import DlcheckError
from dlcheck.recipe.presence import IDX_PARTS, IDX_SETS, OTHER_PLACES, idx_file
from dlcheck.recipe.starter import Line, Starter, Table

SIDE = 64
"""Of images that a data set holds in many sizes."""


def find_set(folder: Path) -> tuple[str, Path] | None:
    """Return name and root of a data set that lies in a folder, in a folder above its files, or in its ``raw``."""
    for root in (folder, folder.parent, folder.parent.parent):
        for name in IDX_SETS:
            raw = root / name / "raw"
            inside = folder in (root, root / name, raw)
            if inside and all(idx_file(raw, part) for part in IDX_PARTS):
                return name, root
        if root is folder.parent.parent:
            break
        for name, place in OTHER_PLACES.items():
            if (root / place).exists() and folder in (root, root / place):
                return name, root
    return None


def set_starter(name: str, root: Path, *, download: bool) -> Starter:
    """Measure a data set of torchvision, and write a recipe for it.

    Raises:
        DlcheckError: no such data set, not there (and not to be fetched), or of a kind that is not supported.
    """
    lines = [Line("name", "torchvision"), Line("dataset", name), Line("root", str(root))]
    lines += [Line("download", True, "torchvision fetches what is missing")] if download else []
    data = Table("data", tuple(lines))
    try:
        source = source_of(data)
    except DlcheckError as error:
        raise DlcheckError(str(error).replace("--set data.download=true", "dlcheck init … --download")) from None
    if not isinstance(source.train, TensorSamples):
        # Photos of many sizes fit into no batch until they are scaled.
        data = Table("data", (*lines, Line("image_size", SIDE, "photos of many sizes, scaled to squares")))
        source = source_of(data)
    return tensor_starter(
        source, data, name=name, given=frozenset(() if source.test is None else ("test",)), dataset=name
    )
