"""Losses over numbers: squared, absolute, and Huber's between them."""

from collections.abc import Callable

from torch import Tensor

from dlcheck.components.losses.loss import Loss, shape
from dlcheck.errors import DlcheckError


class RegressionLoss(Loss):
    """A function of the differences between output and target, which must have one shape.

    A (batch, 1) output against a (batch,) target would broadcast to (batch, batch): it is refused, each time.
    """

    def __init__(self, name: str, function: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__(name)
        self.function = function

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """Return the mean loss over all numbers."""
        self._check_shape(output, target)
        return self.function(output, target)

    def check(self, output: Tensor, target: Tensor) -> None:
        """Refuse an output of another shape than the target, and targets that are no real numbers."""
        self._check_shape(output, target)
        if not target.is_floating_point():
            kind = str(target.dtype).removeprefix("torch.")
            raise DlcheckError(f"loss.name = {self.name}: targets are {kind}, expected floating-point numbers")

    def _check_shape(self, output: Tensor, target: Tensor) -> None:
        if output.shape != target.shape:
            raise DlcheckError(
                f"model output of shape {shape(output)} does not fit {self.name} against targets of shape "
                f"{shape(target)}: the two must be equal"
            )
