"""What the data says about itself: all that models, losses and reports need to know of it."""

from dataclasses import dataclass
from typing import Literal

Task = Literal["classification", "regression", "reconstruction", "language", "caption"]


@dataclass(frozen=True, slots=True)
class DataInfo:
    """Shapes, sizes and names of a data set, after splitting and normalisation."""

    task: Task
    input_shape: tuple[int, ...]
    """Of one sample: (channels, height, width), (features,), (time, features), or (time,) for character codes."""
    outputs: int
    """Classes; numbers to predict; vocabulary size for text and captions."""
    sizes: dict[str, int]
    """Samples in each split: train, and val and test when there are any."""
    class_names: tuple[str, ...] = ()
    class_counts: tuple[int, ...] = ()
    """Training samples of each class (of each token for text)."""
    vocabulary: tuple[str, ...] = ()
    """Characters (language) or words (caption), by code."""
    target_mean: float | None = None
    """Regression: of the training targets, in their own unit."""
    target_std: float | None = None
    """Regression: targets are standardised by these for training, and errors reported in the target's unit."""
    target_name: str = ""
    feature_names: tuple[str, ...] = ()
    """Columns of a table, one a feature; a text column's name stands once for each of its values."""
    batch_augment: bool = False
    """Augmentation runs on whole batches on the device rather than in the loader."""
    notes: tuple[str, ...] = ()
    """What was decided from the data rather than by the recipe, one sentence each."""

    @property
    def is_image(self) -> bool:
        """Whether inputs have the shape (channels, height, width)."""
        return len(self.input_shape) == 3
