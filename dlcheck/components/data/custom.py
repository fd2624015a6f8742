"""The user's own data sets."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import TensorDataset

from dlcheck.components.data.array_source import Pair, make_source
from dlcheck.components.data.divide import divide
from dlcheck.components.data.guard import Guarded
from dlcheck.components.data.label import check_class_codes, choose_task
from dlcheck.components.data.loader_batches import seeded
from dlcheck.components.data.samples import LazySamples
from dlcheck.components.data.source import DATA, Request, Source
from dlcheck.components.data.split import Traits
from dlcheck.components.target import call_target
from dlcheck.errors import DlcheckError, one_line
from dlcheck.recipe.data import CustomData

SPLITS = ("train", "val", "test")


@DATA.register(CustomData)
def load_custom(section: CustomData, request: Request) -> Source:
    """Call the target, and take what it returns as one data set or as its splits.

    Raises:
        DlcheckError: the target fails, or returns something else; a sample cannot be fetched.
    """
    where = f'target = "{section.target}"'
    found = call_target(section.target, request.folder, **section.arguments)
    splits = name_splits(found, where)
    if all(_is_arrays(data) for data in splits.values()):
        pairs = {name: _pair(data, where) for name, data in splits.items()}
        return make_source(section, request, pairs, where)
    guarded = {name: Guarded(_as_data_set(data), where) for name, data in splits.items()}
    samples = {name: LazySamples(data, np.arange(len(data)), find_targets(data)) for name, data in guarded.items()}
    targets = samples["train"].targets
    task = choose_task(section, targets.dtype.kind in "iub")
    classes: npt.NDArray[Any] | None = None
    outputs = 1 if targets.ndim == 1 else int(np.prod(targets.shape[1:]))
    if task == "classification":
        classes = check_class_codes(targets, where)
        outputs = int(classes.max()) + 1
    parts = divide(
        samples["train"],
        request,
        Traits(len(targets), classes),
        val=samples.get("val"),
        test=samples.get("test"),
    )
    names = tuple(str(name) for name in getattr(splits["train"], "classes", None) or range(outputs))
    return Source(
        task,
        parts.train,
        parts.val,
        parts.test,
        outputs,
        class_names=names[:outputs] if task == "classification" else (),
        notes=parts.notes,
    )


def name_splits(found: Any, where: str) -> dict[str, Any]:
    """Return data sets by split: the whole is ``train`` when there is one only.

    Raises:
        DlcheckError: neither a data set nor a dict or tuple of them, or no training data.
    """
    if isinstance(found, Mapping):
        unknown = sorted(str(key) for key in found if key not in SPLITS)
        if unknown or "train" not in found:
            raise DlcheckError(f"{where}: returned a dict of {list(found)}; valid keys: train, val, test")
        named = {str(key): data for key, data in found.items() if data is not None}
    elif isinstance(found, tuple | list) and not _is_arrays(found):
        if not 1 <= len(found) <= 3:
            raise DlcheckError(f"{where}: returned {len(found)} data sets; one to three are valid: train, val, test")
        named = {name: data for name, data in zip(SPLITS, found, strict=False) if data is not None}
    else:
        named = {"train": found}
    for name, data in named.items():
        if not _is_arrays(data) and not (hasattr(data, "__len__") and hasattr(data, "__getitem__")):
            raise DlcheckError(
                f"{where}: {name} is a {type(data).__name__}; a map-style data set (with __len__ and __getitem__) "
                "or a tuple of arrays is needed"
            )
    return named


def find_targets(data: Guarded) -> npt.NDArray[Any]:
    """Return a data set's ``targets`` or ``labels``; where it has none, fetch every sample once for its target.

    Raises:
        DlcheckError: targets of different shapes, or a sample that cannot be fetched.
    """
    if len(data) == 0:
        raise DlcheckError(f"{data.where}: no samples")
    known = getattr(data.dataset, "targets", getattr(data.dataset, "labels", None))
    if known is not None and len(known) == len(data):
        return np.asarray(known)
    try:
        with seeded(0):  # samples that draw at random leave the global generators as they were
            return np.stack([np.asarray(data[index][-1]) for index in range(len(data))])
    except ValueError as error:
        raise DlcheckError(f"{data.where}: targets of different shapes: {one_line(error)}") from None


def _is_arrays(data: Any) -> bool:
    if isinstance(data, TensorDataset):
        return True
    return isinstance(data, tuple | list) and len(data) > 1 and all(isinstance(x, Tensor | np.ndarray) for x in data)


def _as_data_set(data: Any) -> Any:
    if not _is_arrays(data) or isinstance(data, TensorDataset):
        return data
    return TensorDataset(*(torch.as_tensor(array) for array in data))


def _pair(data: Any, where: str) -> Pair:
    arrays = data.tensors if isinstance(data, TensorDataset) else data
    if len(arrays) != 2:
        raise DlcheckError(f"{where}: a tuple of {len(arrays)} arrays; inputs and target are needed")
    x, y = (np.asarray(torch.as_tensor(array).cpu()) for array in arrays)
    return x, y
