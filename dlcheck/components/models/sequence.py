"""Inputs of any kind as sequences of vectors."""

from torch import Tensor

from dlcheck.components.info import DataInfo


def sequence_shape(info: DataInfo) -> tuple[int, int]:
    """Return (time, features) of inputs read as sequences: columns one by one, images row by row."""
    shape = info.input_shape
    if info.is_image:
        channels, height, width = shape
        return height, channels * width
    return (shape[0], shape[1]) if len(shape) == 2 else (shape[0], 1)


def as_sequence(x: Tensor) -> Tensor:
    """Return (batch, time, features).

    Vectors (batch, columns) become one column a step, images (batch, channels, height, width) one row a step.
    """
    if x.dim() == 4:
        return x.transpose(1, 2).flatten(2)
    return x.unsqueeze(-1) if x.dim() == 2 else x
