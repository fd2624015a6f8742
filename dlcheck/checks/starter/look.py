"""What kind of data lies at a path, and the recipe for it."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from dlcheck.checks.starter.arrays import array_starter
from dlcheck.checks.starter.image_folder import find_root, folder_starter
from dlcheck.checks.starter.label import Task
from dlcheck.checks.starter.prove import source_of
from dlcheck.checks.starter.table import table_starter
from dlcheck.checks.starter.text import text_starter
from dlcheck.checks.starter.torchvision_set import find_set, set_starter
from dlcheck.components.data.image_folder import split_folders
from dlcheck.errors import DlcheckError
from dlcheck.recipe.starter import Starter

IMAGES = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".gif", ".ppm", ".pgm"}
TABLES = {".csv", ".tsv"}
ARRAYS = {".npz", ".npy", ".pt", ".pth"}
TEXTS = {".txt", ".text", ".md"}
VALID = "a folder with one sub-folder of images a class, or a .csv, .tsv, .txt, .npz, .npy or .pt file"
MOST_LISTED = 200
"""Files of a folder that are looked at to tell what it holds."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What the user said of the data; None: to be guessed."""

    label: str | None = None
    task: Task | None = None


def look(data: Path, wish: Wish | None = None) -> Starter:
    """Measure what lies at a path, and return the recipe for it; nothing is written.

    Raises:
        DlcheckError: nothing there, nothing that dlcheck can train on, or a wish that the data cannot fulfil.
    """
    wish = wish or Wish()
    if data.is_dir():
        return _folder(data, wish)
    if not data.is_file():
        raise DlcheckError(f"{data}: no such file or folder")
    kind = data.suffix.lower()
    if wish.label is not None and kind not in TABLES:
        raise DlcheckError(f"--label {wish.label}: names a column of a .csv or .tsv file, and {data} is none")
    if kind in TABLES:
        starter = table_starter(data, label=wish.label, task=wish.task)
        source_of(starter.tables[0])
        return starter
    if kind in ARRAYS:
        return array_starter(data, task=wish.task)
    if kind in TEXTS:
        _refuse_task(data, wish, "a text's next character is a class")
        return text_starter(data)
    raise DlcheckError(f"{data}: cannot tell what this is; expected {VALID}")


def look_at_set(name: str, root: Path, *, download: bool) -> Starter:
    """Measure a data set of torchvision, and return the recipe for it.

    Raises:
        DlcheckError: as ``set_starter``.
    """
    return set_starter(name, root, download=download)


def _folder(folder: Path, wish: Wish) -> Starter:
    if wish.label is not None:
        raise DlcheckError(f"--label {wish.label}: names a column of a .csv or .tsv file, and {folder} is a folder")
    _refuse_task(folder, wish, "folders of images name classes")
    known = find_set(folder)
    if known is not None:
        return set_starter(*known, download=False)
    root = find_root(folder)
    inner = [item for item in root.iterdir() if item.is_dir() and item.name[0] != "."]
    if not inner or not _holds(root, IMAGES, inside=True):
        raise DlcheckError(f"{folder}: {_instead(root)}")
    if "train" in (parts := split_folders(root)) and not any(item.is_dir() for item in parts["train"].iterdir()):
        raise DlcheckError(f"{parts['train']}: {_instead(parts['train'])}")
    return folder_starter(folder)


def _refuse_task(data: Path, wish: Wish, why: str) -> None:
    if wish.task == "regression":
        raise DlcheckError(f"--task regression: {why}; {data} has no numbers to predict")


def _holds(folder: Path, kinds: set[str], *, inside: bool) -> bool:
    return any(file.suffix.lower() in kinds for file in islice(_files(folder, inside=inside), 20 * MOST_LISTED))


def _files(folder: Path, *, inside: bool) -> Iterator[Path]:
    return (item for item in (folder.rglob("*") if inside else folder.iterdir()) if item.is_file())


def _instead(folder: Path) -> str:
    """Return what is expected in place of a folder's files, by what they are."""
    if _holds(folder, IMAGES, inside=False):
        table = next((file.name for file in _files(folder, inside=False) if file.suffix.lower() in TABLES), None)
        beside = f" as {table} names them" if table else ""
        return f"images without class folders; sort them into one sub-folder a class{beside}: cat/1.jpg, dog/2.jpg, …"
    for kinds, what in ((TABLES, "a table"), (ARRAYS, "arrays")):
        file = next((file for file in _files(folder, inside=False) if file.suffix.lower() in kinds), None)
        if file is not None:
            return f"a folder with {what} in it; name the file: dlcheck init {file}"
    if _holds(folder, TEXTS, inside=True):
        return "a folder of texts; one file is read: join them (cat *.txt > all.txt), and name that"
    return f"nothing to train on; expected {VALID}"
