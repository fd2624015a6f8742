"""Whether a recipe's data lies on this machine: a look at the file system, nothing is read."""

from dataclasses import dataclass
from pathlib import Path

from dlcheck.recipe.data import (
    ArrayData,
    CsvData,
    CustomData,
    ImageFolderData,
    TextData,
    TimeSeriesData,
    TorchvisionData,
)
from dlcheck.recipe.recipe import Recipe

IDX_SETS = ("MNIST", "FashionMNIST", "KMNIST")
"""Data sets of torchvision that come as four idx files, plain or .gz, in ``<root>/<name>/raw``."""
IDX_PARTS = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
OTHER_PLACES = {
    "CIFAR10": "cifar-10-batches-py",
    "CIFAR100": "cifar-100-python",
    "SVHN": "train_32x32.mat",
    "STL10": "stl10_binary",
}
"""What torchvision looks for under ``root``."""


@dataclass(frozen=True, slots=True)
class DataState:
    """Whether data is there, where it was looked for, and what to do when it is not."""

    present: bool
    where: str
    how: str = ""
    """One line; empty when present."""


def data_state(recipe: Recipe) -> DataState:
    """Look whether the data of a recipe is on this machine, without reading it or importing PyTorch.

    Data of the user's own code counts as present: only its code knows.
    """
    section = recipe.data
    if isinstance(section, TorchvisionData):
        return _torchvision_state(section, recipe.source)
    if isinstance(section, ImageFolderData):
        return _path_state([section.root], "data.root", recipe.source, folder=True)
    if isinstance(section, CsvData | TimeSeriesData | TextData | ArrayData):
        paths = [section.path] if isinstance(section.path, str) else section.path
        labels = [section.labels] if isinstance(section, ArrayData) and section.labels else []
        return _path_state([*paths, *labels], "data.path", recipe.source, folder=False)
    if isinstance(section, CustomData):
        return DataState(True, section.target)
    return DataState(True, "comes with scikit-learn")


def missing(what: str, key: str, source: str) -> str:
    """Return ``what`` is missing with where to get it, as one line."""
    get = f"get the data from {source}, and " if source else ""
    return f"{what}; {get}point {key} to it (--set {key}=PATH)"


def idx_file(folder: Path, name: str) -> Path | None:
    """Return an idx file, plain or else compressed; None when neither is there."""
    for candidate in (folder / name, folder / f"{name}.gz"):
        if candidate.is_file():
            return candidate
    return None


def missing_torchvision(section: TorchvisionData, source: str) -> str:
    """Return the line that tells how to get a data set of torchvision."""
    get = f"get it from {source} and " if source else ""
    return (
        f"data.root = {section.root!r}: {section.dataset} is not there; {get}point data.root to it, "
        "or let torchvision fetch it: --set data.download=true"
    )


def _torchvision_state(section: TorchvisionData, source: str) -> DataState:
    root = Path(section.root).expanduser()
    if section.dataset in IDX_SETS:
        raw = root / section.dataset / "raw"
        present = all(idx_file(raw, part) is not None for part in IDX_PARTS)
        where = str(raw)
    else:
        place = root / OTHER_PLACES.get(section.dataset, "")
        present, where = place.exists(), str(place)
    return DataState(present, where, "" if present else missing_torchvision(section, source))


def _path_state(paths: list[str], key: str, source: str, *, folder: bool) -> DataState:
    places = [Path(path).expanduser() for path in paths]
    for path, place in zip(paths, places, strict=True):
        if not (place.is_dir() if folder else place.is_file()):
            what = f"{key} = {path!r}: no such {'folder' if folder else 'file'}"
            return DataState(False, str(place), missing(what, key, source))
    return DataState(True, ", ".join(str(place) for place in places))
