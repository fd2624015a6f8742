"""Checks of targets and inputs that every source shares; each complaint is one line."""

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from dlcheck.components.info import Task
from dlcheck.errors import DlcheckError
from dlcheck.recipe.data import DataSection


def check_class_codes(labels: npt.NDArray[Any], where: str) -> npt.NDArray[np.int64]:
    """Return labels as int64 codes from 0 to classes − 1.

    Args:
        labels: (samples,), of any numeric type.
        where: the file and array, for messages.

    Raises:
        DlcheckError: not one label a sample, no whole number, negative, with holes, or fewer than 2 classes.
    """
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1:
        raise DlcheckError(f"{where}: class labels of shape {labels.shape}; one number a sample is needed")
    if not np.issubdtype(labels.dtype, np.number) and labels.dtype != np.bool_:
        raise DlcheckError(f"{where}: class labels of type {labels.dtype}; whole numbers from 0 are needed")
    finite = np.isfinite(labels)
    codes = np.where(finite, labels, 0).astype(np.int64)
    wrong = np.flatnonzero((codes != labels) | ~finite)
    if len(wrong):
        raise DlcheckError(
            f"{where}: label {labels[wrong[0]]} of sample {wrong[0]} is no whole number; "
            'for numbers to predict, set data.task = "regression"'
        )
    _check_range(codes, where)
    return codes


def _check_range(codes: npt.NDArray[np.int64], where: str) -> None:
    found = np.unique(codes)
    if found.size and found[0] < 0:
        position = int(np.argmax(codes < 0))
        raise DlcheckError(f"{where}: label {found[0]} of sample {position} is negative; classes count from 0")
    check_class_count(found.size, where)
    if found[-1] != found.size - 1:
        hole = int(np.flatnonzero(found != np.arange(found.size))[0])
        raise DlcheckError(
            f"{where}: labels reach {found[-1]}, but none is {hole}; classes count from 0 without holes "
            '(for numbers to predict, set data.task = "regression")'
        )


def check_class_count(classes: int, where: str) -> None:
    """Refuse data of fewer than two classes.

    Raises:
        DlcheckError: there is one class, or none.
    """
    if classes < 2:
        raise DlcheckError(f"{where}: {classes} class(es) found; at least 2 are needed to classify")


def check_finite(values: Tensor, where: str) -> None:
    """Refuse NaN and infinity.

    Raises:
        DlcheckError: names the first sample at fault, and the place in it.
    """
    if not values.is_floating_point():
        return
    if bool(torch.isfinite(values.sum())):
        return  # a finite sum has finite terms; an overflow alone is settled below
    bad = ~torch.isfinite(values)
    if not bool(bad.any()):
        return
    first = bad.nonzero()[0].tolist()
    value = values[tuple(first)].item()
    place = f", place {first[1:]}" if len(first) > 1 else ""
    raise DlcheckError(f"{where}: sample {first[0]}{place} is {value}; inputs and targets must be finite numbers")


def choose_task(section: DataSection, classes: bool) -> Task:
    """Return ``data.task``, or what ``auto`` stands for; ``classes``: targets look like classes."""
    if section.task != "auto":
        return section.task
    return "classification" if classes else "regression"
