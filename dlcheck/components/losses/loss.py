"""The contract of a loss, and the user's own."""

from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from dlcheck.errors import DlcheckError, one_line


class Loss(nn.Module):
    """Called with a model's output and the target; returns the mean over the batch, a tensor without axes."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    @abstractmethod
    def check(self, output: Tensor, target: Tensor) -> None:
        """Look at a first batch, once, before training.

        Raises:
            DlcheckError: the output or the target does not fit the loss; says what would.
        """


class CustomLossModule(Loss):
    """The user's own loss."""

    def __init__(self, function: Callable[..., Any], target: str) -> None:
        super().__init__("custom")
        self.function = function
        self.target = target

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """Return whatever the user's loss returns."""
        loss: Tensor = self.function(output, target)
        return loss

    def check(self, output: Tensor, target: Tensor) -> None:
        """Try the loss: it must return one number."""
        where = f'loss.target = "{self.target}"'
        try:
            loss = self(output, target)
        except Exception as error:  # whatever the user's code raises is bad input to us
            raise DlcheckError(f"{where} raised {type(error).__name__}: {one_line(error)}") from error
        if not isinstance(loss, Tensor) or loss.numel() != 1:
            found = f"shape {shape(loss)}" if isinstance(loss, Tensor) else type(loss).__name__
            raise DlcheckError(f"{where} returned {found}: expected one number, the mean over the batch")


def shape(tensor: Tensor) -> str:
    """Return a tensor's shape as ``(64, 10)``."""
    return str(tuple(tensor.shape))


def is_probability_target(target: Tensor, output: Tensor) -> bool:
    """Return whether the target holds a probability for each class rather than codes, as after mixup."""
    return target.is_floating_point() and target.shape == output.shape


def check_codes(name: str, target: Tensor, classes: int, ignored: int | None = None) -> None:
    """Refuse class codes that are no 64-bit integers, or outside 0 to ``classes`` − 1.

    Raises:
        DlcheckError: names the offending type or values.
    """
    if target.dtype != torch.int64:
        kind = str(target.dtype).removeprefix("torch.")
        raise DlcheckError(
            f"loss.name = {name}: targets are {kind} of shape {shape(target)}, expected int64 class codes"
        )
    codes = target if ignored is None else target[target != ignored]
    if codes.numel() and (codes.min() < 0 or codes.max() >= classes):
        span = f"{int(codes.min())} to {int(codes.max())}"
        raise DlcheckError(f"loss.name = {name}: class codes run from {span}, expected 0 to {classes - 1}")
