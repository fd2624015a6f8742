"""What loading a recipe's data gives to training and to the exam."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from dlcheck.components.batches import Batch, Batches
from dlcheck.components.info import DataInfo


@dataclass(frozen=True, slots=True)
class LoadedData:
    """The splits as batches, normalised; held on the device when it is a GPU with room for them.

    Targets are int64 class codes (batch,), float32 numbers (batch, outputs), the clean normalised input for
    reconstruction, or int64 codes (batch, time) for text and captions, −100 where nothing is to be predicted.
    """

    train: Batches
    val: Batches | None
    test: Batches | None
    train_eval: Batches
    """A fixed part of the training samples without augmentation, as many as validate (at least 256)."""
    info: DataInfo
    sample: Batch
    """Up to 64 training samples without augmentation, on the device."""
    augment: Callable[[Tensor], Tensor] | None = None
    """Random changes to a batch of training inputs on the device; None when off, or done by the loader."""
    eval_crops: Callable[[Tensor], list[Tensor]] | None = None
    """The crops of a batch of inputs over which to average the prediction; None without."""
