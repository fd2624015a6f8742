"""Arrays from NumPy or PyTorch files; nothing pickled is ever loaded."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from dlcheck.components.data.array_source import make_source
from dlcheck.components.data.file import require_file
from dlcheck.components.data.source import DATA, Request, Source
from dlcheck.errors import DlcheckError, nearest, one_line
from dlcheck.recipe.data import ArrayData

Array = npt.NDArray[Any]
UNNAMED = ""
"""Name of the only array of a file that has no names."""


@DATA.register(ArrayData)
def load_arrays(section: ArrayData, request: Request) -> Source:
    """Load inputs and targets, or the splits ``x_train``, ``y_train``, ``x_val``, … when the file has them.

    Raises:
        DlcheckError: a file missing or unreadable, an array missing, of unequal lengths, or of wrong values.
    """
    path = require_file(section.path, "data.path", request.recipe)
    found = read_arrays(path)
    labels_path = None
    if section.labels is not None:
        labels_path = require_file(section.labels, "data.labels", request.recipe)
    splits = ("train", "val", "test") if f"{section.x}_train" in found else ("",)
    pairs: dict[str, tuple[Array, Array | None]] = {}
    for split in splits:
        suffix = f"_{split}" if split else ""
        if split in ("", "train") or f"{section.x}{suffix}" in found:
            x = _pick(found, section.x + suffix, path, "data.x")
            pairs[split or "train"] = (x, _targets(section, suffix, found, path, labels_path))
    group = section.split.group
    groups = None if group is None else _pick(found, group, path, "data.split.group")
    return make_source(section, request, pairs, str(path), groups=groups)


def _targets(
    section: ArrayData, suffix: str, found: Mapping[str, Array], path: Path, labels_path: Path | None
) -> Array | None:
    if labels_path is not None:
        return _pick(read_arrays(labels_path), section.y, labels_path, "data.y")
    if section.task == "reconstruction" and section.y + suffix not in found:
        return None
    if UNNAMED in found:
        raise DlcheckError(f"{path}: one array only; data.labels must name the file of targets")
    return _pick(found, section.y + suffix, path, "data.y")


def _pick(found: Mapping[str, Array], name: str, path: Path, key: str) -> Array:
    if UNNAMED in found and key in ("data.x", "data.y"):
        return found[UNNAMED]
    if name not in found:
        raise DlcheckError(f"{path}: no array {name!r} ({key}); {nearest(name, found, 'it has')}")
    return found[name]


def read_arrays(path: Path) -> dict[str, Array]:
    """Return the arrays of a .npz, .npy, .pt or .pth file; a lone array is called ``UNNAMED``.

    Raises:
        DlcheckError: another suffix, damaged, or with contents other than arrays and tensors.
    """
    readers = {".npz": _read_numpy, ".npy": _read_numpy, ".pt": _read_torch, ".pth": _read_torch}
    if path.suffix not in readers:
        raise DlcheckError(f"{path}: file type {path.suffix!r} is unknown; valid: {', '.join(readers)}")
    try:
        return readers[path.suffix](path)
    except DlcheckError:
        raise
    except Exception as error:  # damaged files raise nearly anything
        raise DlcheckError(f"{path}: cannot be read without unpickling: {one_line(error)}") from None


def _read_numpy(path: Path) -> dict[str, Array]:
    with path.open("rb") as file:
        loaded = np.load(file, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return {UNNAMED: loaded}
        with loaded:
            found = {name: loaded[name] for name in loaded.files}
    for name, array in found.items():
        if not isinstance(array, np.ndarray):  # any other file that lies in the archive
            raise DlcheckError(f"{path}: its member {name!r} is no array")
    return found


def _read_torch(path: Path) -> dict[str, Array]:
    loaded = torch.load(path, map_location="cpu", weights_only=True)
    if isinstance(loaded, Tensor):
        return {UNNAMED: _numpy(loaded)}
    if isinstance(loaded, list | tuple) and len(loaded) == 2:
        loaded = dict(zip(("x", "y"), loaded, strict=True))
    if not isinstance(loaded, dict) or not all(isinstance(item, Tensor) for item in loaded.values()):
        raise DlcheckError(f"{path}: holds a {type(loaded).__name__}; a tensor, a pair or a dict of them is needed")
    return {str(name): _numpy(item) for name, item in loaded.items()}


def _numpy(tensor: Tensor) -> Array:
    tensor = tensor.detach().resolve_conj().resolve_neg().to_dense()
    return np.asarray(tensor.float() if tensor.dtype in (torch.bfloat16, torch.float16) else tensor)
