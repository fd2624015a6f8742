"""Classification data sets of torchvision by name."""

import gzip
import inspect
import struct
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from dlcheck.components.data.divide import divide
from dlcheck.components.data.guard import Guarded
from dlcheck.components.data.image_file import resize_images
from dlcheck.components.data.label import choose_task
from dlcheck.components.data.samples import LazySamples, Samples, TensorSamples
from dlcheck.components.data.source import DATA, Request, Source
from dlcheck.components.data.split import Traits
from dlcheck.errors import DlcheckError, nearest, one_line
from dlcheck.recipe.data import TorchvisionData
from dlcheck.recipe.presence import IDX_PARTS, IDX_SETS, idx_file, missing_torchvision

LABEL_NAMES = ("targets", "labels", "_labels")
"""Under which torchvision's data sets keep their labels."""


@DATA.register(TorchvisionData)
def load_torchvision(section: TorchvisionData, request: Request) -> Source:
    """Load a data set with its own test set; validation samples are drawn from its training set.

    The MNIST family is read from its idx files as they are, compressed or not. Nothing is written or fetched
    unless ``data.download``.

    Raises:
        DlcheckError: no such data set, a kind that is not supported, or files missing or damaged.
    """
    kind = _find_kind(section.dataset)
    task = choose_task(section, True)
    if task == "regression":
        raise DlcheckError(f'data.task = "regression": {section.dataset} has classes, no numbers to predict')
    train, test = (_load_part(kind, section, request, train=which) for which in (True, False))
    parts = divide(train, request, Traits(len(train), np.asarray(train.target)), test=test)
    count = int(train.target.max()) + 1
    names = tuple(str(name) for name in getattr(kind, "classes", None) or range(count))
    return Source(task, parts.train, parts.val, parts.test, outputs=count, class_names=names[:count], notes=parts.notes)


def _find_kind(name: str) -> Any:
    from torchvision import datasets  # type: ignore[import-untyped, unused-ignore]

    kind = getattr(datasets, name, None)
    if name not in datasets.__all__ or kind is None:
        raise DlcheckError(f"data.dataset = {name!r}: {nearest(name, datasets.__all__, 'torchvision has')}")
    return kind


def _load_part(kind: Any, section: TorchvisionData, request: Request, *, train: bool) -> Samples:
    if section.dataset in IDX_SETS:
        raw = Path(section.root).expanduser() / section.dataset / "raw"
        found = [idx_file(raw, part) for part in IDX_PARTS]
        if all(found):
            images, codes = (read_idx(path) for path in found[0 if train else 2 :][:2] if path is not None)
            return _in_memory(images, codes, section)
    dataset = _construct(kind, section, request, train=train)
    labels = next((getattr(dataset, name) for name in LABEL_NAMES if hasattr(dataset, name)), None)
    if labels is None or len(labels) != len(dataset):
        raise DlcheckError(f"data.dataset = {section.dataset!r}: its labels are not single classes; not supported")
    data = getattr(dataset, "data", None)
    if data is not None and len(data) == len(dataset):
        return _in_memory(np.asarray(data), np.asarray(labels), section)
    guarded = Guarded(_Resized(dataset, section), f"data.dataset = {section.dataset!r}")
    return LazySamples(guarded, np.arange(len(dataset)), np.asarray(labels))


def _construct(kind: Any, section: TorchvisionData, request: Request, *, train: bool) -> Any:
    parameters = inspect.signature(kind).parameters
    arguments: dict[str, Any] = {"download": section.download} if "download" in parameters else {}
    if "train" in parameters:
        arguments["train"] = train
    elif "split" in parameters:
        arguments["split"] = "train" if train else "test"
    else:
        raise DlcheckError(
            f"data.dataset = {section.dataset!r}: takes neither train nor split; valid: FashionMNIST, CIFAR10, SVHN, …"
        )
    try:
        return kind(section.root, **arguments)
    except (RuntimeError, OSError) as error:
        if section.download:
            raise DlcheckError(f"data.dataset = {section.dataset!r}: {one_line(error)}") from None
        raise DlcheckError(missing_torchvision(section, request.recipe.source)) from None
    except (TypeError, ValueError) as error:
        raise DlcheckError(f"data.dataset = {section.dataset!r}: not supported: {one_line(error)}") from None


def read_idx(path: Path) -> npt.NDArray[np.uint8]:
    """Read an idx file of bytes, plain or .gz: magic 00 00 08 n, n big-endian sizes, the values.

    Raises:
        DlcheckError: damaged, or of another type.
    """
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        zeros, kind, axes = struct.unpack_from(">HBB", content)
        shape = struct.unpack_from(f">{axes}I", content, 4)
        values = np.frombuffer(content, dtype=np.uint8, offset=4 + 4 * axes).reshape(shape)
    except (OSError, EOFError, ValueError, struct.error) as error:
        raise DlcheckError(f"{path}: damaged idx file: {one_line(error)}") from None
    if zeros != 0 or kind != 8 or axes not in (1, 3):
        raise DlcheckError(f"{path}: no idx file of bytes")
    return values


def _in_memory(images: npt.NDArray[Any], labels: npt.NDArray[Any], section: TorchvisionData) -> TensorSamples:
    if len(images) != len(labels):
        raise DlcheckError(f"{section.dataset}: {len(images)} images, but {len(labels)} labels")
    tensor = torch.from_numpy(images.copy() if not images.flags.writeable else images)
    if tensor.dim() == 3:
        tensor = tensor[:, None]
    elif tensor.shape[-1] in (1, 3) and tensor.shape[1] not in (1, 3):
        tensor = tensor.permute(0, 3, 1, 2).contiguous()
    codes = torch.from_numpy(labels.astype(np.int64))
    return TensorSamples((resize_images(tensor, section.image_size),), codes)


class _Resized:
    """Images of a data set as uint8 tensors of one size."""

    def __init__(self, dataset: Any, section: TorchvisionData) -> None:
        self.dataset, self.size = dataset, section.image_size

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        from torchvision.transforms.v2 import functional  # type: ignore[import-untyped, unused-ignore]

        image, label = self.dataset[index]
        tensor: Tensor = functional.pil_to_tensor(image.convert("RGB"))
        if self.size is not None:
            tensor = functional.resize(tensor, [self.size, self.size], antialias=True)
        return tensor, int(label)
