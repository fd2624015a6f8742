"""A folder of images, one sub-folder a class."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from dlcheck.components.data.divide import divide
from dlcheck.components.data.file import require_folder
from dlcheck.components.data.image_file import ImageFiles
from dlcheck.components.data.label import check_class_count, choose_task
from dlcheck.components.data.samples import LazySamples, Samples, TensorSamples
from dlcheck.components.data.source import DATA, Request, Source
from dlcheck.components.data.split import Traits
from dlcheck.components.info import Task
from dlcheck.errors import DlcheckError
from dlcheck.recipe.data import ImageFolderData

SPLIT_FOLDERS = {
    "train": ("train", "training", "training_set"),
    "val": ("val", "valid", "validation", "validation_set"),
    "test": ("test", "testing", "test_set"),
}


@dataclass(frozen=True, slots=True)
class Listing:
    """The image files of one split."""

    files: tuple[Path, ...]
    codes: tuple[int, ...]
    classes: tuple[str, ...]


@DATA.register(ImageFolderData)
def load_image_folder(section: ImageFolderData, request: Request) -> Source:
    """Load photos of any size as squares; decoded in memory as uint8 when they fit, else read on demand.

    Raises:
        DlcheckError: no such folder, an empty class, classes that differ between splits, or (from whichever
            reads first) a file that is no image.
    """
    root = require_folder(section.root, "data.root", request.recipe)
    listings = list_splits(root, left_out(root, section.drop))
    classes = listings["train"].classes
    task = choose_task(section, True)
    _check_task(task)
    check_class_count(len(classes), str(root))
    images = sum(len(listing.files) for listing in listings.values())
    in_memory = section.in_memory
    if in_memory == "auto":
        in_memory = images * section.channels * section.image_size**2 <= section.memory_limit_gib * 2**30
    crop = 0.0 if in_memory else request.recipe.augment.crop
    made = {name: _samples(listing, section, in_memory, 0.0) for name, listing in listings.items()}
    traits = Traits(len(made["train"]), np.asarray(listings["train"].codes))
    parts = divide(made["train"], request, traits, val=made.get("val"), test=made.get("test"))
    train = _cropping(parts.train, crop)
    return Source(
        task,
        train,
        parts.val,
        parts.test,
        outputs=len(classes),
        class_names=classes,
        notes=parts.notes,
        eval_train=parts.train if train is not parts.train else None,
    )


def _check_task(task: Task) -> None:
    if task == "regression":
        raise DlcheckError('data.task = "regression": folders name classes; valid: classification, reconstruction')


def left_out(root: Path, names: Sequence[str]) -> frozenset[Path]:
    """Return the files that ``data.drop`` names.

    Raises:
        DlcheckError: one of them is not there.
    """
    for name in names:
        if not (root / name).is_file():
            raise DlcheckError(f"data.drop: {root} has no file {name!r}")
    return frozenset(root / name for name in names)


def list_splits(root: Path, drop: frozenset[Path] = frozenset()) -> dict[str, Listing]:
    """Return the files of train and, where they have folders, of val and test; those of ``drop`` left out.

    Raises:
        DlcheckError: no classes, an empty one, or one that a split lacks.
    """
    folders = split_folders(root)
    if "train" not in folders:
        return {"train": list_classes(root, drop)}
    listings = {name: list_classes(folder, drop) for name, folder in folders.items()}
    expected = set(listings["train"].classes)
    for name, listing in listings.items():
        odd = sorted(expected.symmetric_difference(listing.classes))
        if odd:
            other, lacking = ("train", name) if odd[0] in expected else (name, "train")
            raise DlcheckError(f"{root}: class {odd[0]!r} has a folder in {other}, but none in {lacking}")
    return listings


def split_folders(root: Path) -> dict[str, Path]:
    """Return the folders of train, val and test that are there, by split."""
    found = {
        name: next((root / alias for alias in aliases if (root / alias).is_dir()), None)
        for name, aliases in SPLIT_FOLDERS.items()
    }
    return {name: folder for name, folder in found.items() if folder is not None}


def list_classes(folder: Path, drop: frozenset[Path] = frozenset()) -> Listing:
    """Return the files of each class folder, hidden ones and those of ``drop`` left out, in the order of their names.

    Raises:
        DlcheckError: no class folders, or an empty one.
    """
    classes = tuple(sorted(item.name for item in folder.iterdir() if item.is_dir() and item.name[0] != "."))
    if not classes:
        raise DlcheckError(f"{folder}: no sub-folders; one for each class, with its images, is needed")
    files: list[Path] = []
    codes: list[int] = []
    for code, name in enumerate(classes):
        walked = (Path(place, file) for place, _, names in os.walk(folder / name) for file in names if file[0] != ".")
        found = sorted(file for file in walked if file not in drop)
        if not found:
            raise DlcheckError(f"{folder / name}: this class has no images")
        files += found
        codes += [code] * len(found)
    return Listing(tuple(files), tuple(codes), classes)


def _samples(listing: Listing, section: ImageFolderData, in_memory: bool, crop: float) -> Samples:
    images = _files(listing.files, listing.codes, section, crop)
    if in_memory:
        return TensorSamples((images.decode_all(),), torch.tensor(listing.codes))
    return LazySamples(images, np.arange(len(images)), np.asarray(listing.codes))


def _files(files: Sequence[Path], codes: Sequence[int], section: ImageFolderData, crop: float) -> ImageFiles:
    return ImageFiles(
        files,
        codes,
        size=section.image_size,
        resize=section.resize or round(section.image_size * 8 / 7),
        channels=section.channels,
        random_crop=crop,
    )


def _cropping(samples: Samples, crop: float) -> Samples:
    """Return the same samples, read with random crops."""
    if not crop or not isinstance(samples, LazySamples):
        return samples
    return LazySamples(_recrop(samples.dataset, crop), samples.index, samples.targets)


def _recrop(dataset: object, crop: float) -> ImageFiles:
    assert isinstance(dataset, ImageFiles)
    return ImageFiles(
        dataset.files,
        dataset.codes,
        size=dataset.size,
        resize=dataset.resize,
        channels=dataset.channels,
        random_crop=crop,
    )
