"""From arrays of inputs and targets, in one piece or split already, to a source."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from dlcheck.components.data.divide import divide
from dlcheck.components.data.label import check_class_codes, check_finite, choose_task
from dlcheck.components.data.samples import TensorSamples
from dlcheck.components.data.source import Request, Source
from dlcheck.components.data.split import Traits
from dlcheck.components.info import Task
from dlcheck.errors import DlcheckError
from dlcheck.recipe.data import DataSection

Array = npt.NDArray[Any]
Pair = tuple[Array, Array | None]


def make_source(
    section: DataSection, request: Request, pairs: Mapping[str, Pair], where: str, *, groups: Array | None = None
) -> Source:
    """Check arrays, and divide what is in one piece.

    Whole-number targets are classes, others numbers to predict, unless ``data.task`` says otherwise. uint8 inputs
    are images: (samples, height, width), with channels first or last.

    Args:
        section: for ``task``.
        request: for the split.
        pairs: inputs and targets of ``train``, and of ``val`` and ``test`` where they have their own.
        where: names the data in messages.
        groups: (samples,), what must not be torn apart.

    Raises:
        DlcheckError: wrong types, lengths or values.
    """
    targets = pairs["train"][1]
    looks_like_classes = targets is not None and (targets.dtype == np.bool_ or targets.dtype.kind in "iu")
    task = choose_task(section, looks_like_classes)
    made = {name: _samples(pair, task, f"{where} ({name})") for name, pair in pairs.items()}
    if task == "classification":
        _check_splits(made, where)
    _check_shapes(made, where)
    train = made["train"]
    if groups is not None and groups.shape != (len(train),):
        raise DlcheckError(f"data.split.group: array of shape {groups.shape} for {len(train)} samples")
    classes = np.asarray(train.target) if task == "classification" else None
    traits = Traits(len(train), classes, groups)
    parts = divide(train, request, traits, val=made.get("val"), test=made.get("test"))
    outputs = 1 if task == "reconstruction" else train.target[0].numel()
    if task == "classification":
        outputs = int(train.target.max()) + 1
    names = tuple(str(code) for code in range(outputs)) if task == "classification" else ()
    return Source(task, parts.train, parts.val, parts.test, outputs, class_names=names, notes=parts.notes)


def _samples(pair: Pair, task: Task, where: str) -> TensorSamples:
    x = input_tensor(pair[0], where)
    if len(x) == 0:
        raise DlcheckError(f"{where}: no samples")
    check_finite(x, where)
    if pair[1] is None or task == "reconstruction":
        return TensorSamples((x,), torch.zeros(len(x)))
    y = target_tensor(pair[1], task, where)
    if len(x) != len(y):
        raise DlcheckError(f"{where}: {len(x)} inputs, but {len(y)} targets")
    return TensorSamples((x,), y)


def input_tensor(x: Array, where: str) -> Tensor:
    """Return inputs as float32, or as uint8 images (samples, channels, height, width).

    Raises:
        DlcheckError: no numbers, or a single one.
    """
    if x.dtype.kind not in "biuf" or x.ndim == 0 or 0 in x.shape[1:]:
        raise DlcheckError(f"{where}: inputs of type {x.dtype} and shape {x.shape}; numbers by sample are needed")
    if x.dtype == np.uint8 and x.ndim in (3, 4):
        return _images(torch.from_numpy(np.ascontiguousarray(x)))
    with np.errstate(over="ignore"):  # too large for float32 becomes infinity, which the next check names
        tensor = torch.from_numpy(x.astype(np.float32))
    return tensor[:, None] if tensor.dim() == 1 else tensor


def _images(images: Tensor) -> Tensor:
    if images.dim() == 3:
        return images[:, None]
    last, first = images.shape[3], images.shape[1]
    return images.permute(0, 3, 1, 2).contiguous() if last in (1, 3, 4) and first not in (1, 3, 4) else images


def target_tensor(y: Array, task: Task, where: str) -> Tensor:
    """Return class codes (samples,) as int64, or numbers (samples, outputs) as float32.

    Raises:
        DlcheckError: wrong types or values.
    """
    if task == "classification":
        return torch.from_numpy(check_class_codes(y, where))
    if y.dtype.kind not in "biuf" or y.ndim == 0 or 0 in y.shape[1:]:
        raise DlcheckError(f"{where}: targets of type {y.dtype} and shape {y.shape}; numbers by sample are needed")
    values = torch.from_numpy(y.astype(np.float64)).reshape(len(y), -1)
    check_finite(values, f"{where}, target")
    return values.float()


def _check_splits(made: Mapping[str, TensorSamples], where: str) -> None:
    classes = int(made["train"].target.max()) + 1
    for name, samples in made.items():
        largest = int(samples.target.max())
        if largest >= classes:
            raise DlcheckError(f"{where} ({name}): label {largest}, but training has classes 0 to {classes - 1} only")


def _check_shapes(made: Mapping[str, TensorSamples], where: str) -> None:
    train = made["train"].inputs[0].shape[1:]
    for name, samples in made.items():
        if samples.inputs[0].shape[1:] != train:
            raise DlcheckError(
                f"{where}: {name} inputs of shape {tuple(samples.inputs[0].shape[1:])}, train {tuple(train)}"
            )
