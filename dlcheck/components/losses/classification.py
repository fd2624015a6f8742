"""Losses over classes: cross-entropy, binary cross-entropy, and the multi-class margin."""

from torch import Tensor
from torch.nn import functional

from dlcheck.components.losses.loss import Loss, check_codes, is_probability_target, shape
from dlcheck.errors import DlcheckError

PADDING = -100
"""Target code that counts for nothing (PyTorch's own default)."""


class CrossEntropy(Loss):
    """−Σ y log softmax(output), y the target's probabilities, averaged over samples or tokens.

    Outputs have shape (batch, classes) or (batch, time, classes). Targets are codes of shape (batch,) or
    (batch, time), −100 where padded, or probabilities in the output's shape. With class weights w the mean is
    Σ wᵧ · loss / Σ wᵧ. Label smoothing ε turns y into (1 − ε) y + ε / classes (Szegedy et al. 2016, CVPR).
    """

    def __init__(self, classes: int, *, weights: Tensor | None = None, smoothing: float = 0.0) -> None:
        super().__init__("cross_entropy")
        self.classes = classes
        self.smoothing = smoothing
        self.weights: Tensor | None
        self.register_buffer("weights", weights, persistent=False)

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """Return the mean loss."""
        if is_probability_target(target, output):
            return self._of_probabilities(output, target)
        if output.ndim > 2:
            output, target = output.flatten(0, -2), target.flatten()
        return functional.cross_entropy(
            output, target, self.weights, ignore_index=PADDING, label_smoothing=self.smoothing
        )

    def _of_probabilities(self, output: Tensor, target: Tensor) -> Tensor:
        if self.weights is None:
            return functional.cross_entropy(output, target, label_smoothing=self.smoothing)
        # PyTorch divides by the batch size here, by the sum of weights for codes: do as for codes in both.
        smooth = target * (1 - self.smoothing) + self.smoothing / self.classes
        weighted = -(smooth * self.weights * output.log_softmax(-1)).sum()
        return weighted / (target * self.weights).sum()

    def check(self, output: Tensor, target: Tensor) -> None:
        """Refuse an output without a number for each class, and targets that are no class codes."""
        expected = (len(output), *target.shape[1:], self.classes) if output.ndim != 2 else (len(output), self.classes)
        if tuple(output.shape) != expected:
            raise DlcheckError(
                f"model output of shape {shape(output)} does not fit cross_entropy "
                f"over {self.classes} classes: expected {expected}"
            )
        if is_probability_target(target, output):
            return
        if target.shape != output.shape[:-1]:
            expected = tuple(output.shape[:-1])
            raise DlcheckError(f"target of shape {shape(target)} does not fit cross_entropy: expected {expected}")
        check_codes(self.name, target, self.classes, PADDING)


class BinaryCrossEntropy(Loss):
    """Binary cross-entropy of logits: of one output for two classes, else of each output by itself.

    Two classes: output (batch, 1) or (batch,), target codes 0 and 1 of shape (batch,), or probabilities
    (batch, 2). More classes: output (batch, classes), target codes (each class against the rest) or
    probabilities. Reconstruction, ``classes`` None: output and target of one shape, targets from 0 to 1.
    Label smoothing ε turns targets y into (1 − ε) y + ε / 2. Class weights (two classes only) weigh samples.
    """

    def __init__(self, classes: int | None, *, weights: Tensor | None = None, smoothing: float = 0.0) -> None:
        super().__init__("bce")
        self.classes = classes
        self.smoothing = smoothing
        self.weights: Tensor | None
        self.register_buffer("weights", weights, persistent=False)

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """Return the mean loss."""
        output, hard = self._pair(output, target)
        smooth = hard * (1 - self.smoothing) + self.smoothing / 2 if self.smoothing else hard
        if self.weights is None:
            return functional.binary_cross_entropy_with_logits(output, smooth)
        weight = self.weights[0] + (self.weights[1] - self.weights[0]) * hard
        total = functional.binary_cross_entropy_with_logits(output, smooth, weight, reduction="sum")
        return total / weight.sum()

    def _pair(self, output: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Bring output and target to one shape."""
        if self.classes == 2:
            probability = target[:, 1] if target.ndim == 2 else target
            return output.flatten(), probability.to(output.dtype)
        if target.ndim < output.ndim:
            target = functional.one_hot(target, output.shape[-1])
        return output, target.to(output.dtype)

    def check(self, output: Tensor, target: Tensor) -> None:
        """Refuse outputs that do not pair up with the targets, and targets that are no probabilities."""
        if self.classes == 2:
            self._check_two_classes(output, target)
        elif self.classes is not None and target.ndim < output.ndim:
            self._check_shape(output, (len(target), self.classes))
            check_codes(self.name, target, self.classes)
        else:
            self._check_shape(output, tuple(target.shape))
            _check_probabilities(target)

    def _check_two_classes(self, output: Tensor, target: Tensor) -> None:
        count = len(target)
        if tuple(output.shape) not in ((count,), (count, 1)):
            self._check_shape(output, (count, 1))
        if target.ndim == 1:
            check_codes(self.name, target, 2)
        elif tuple(target.shape) != (count, 2):
            raise DlcheckError(f"target of shape {shape(target)} does not fit bce: expected ({count},)")

    def _check_shape(self, output: Tensor, expected: tuple[int, ...]) -> None:
        if tuple(output.shape) != expected:
            over = f" over {self.classes} classes" if self.classes else ""
            raise DlcheckError(f"model output of shape {shape(output)} does not fit bce{over}: expected {expected}")


def _check_probabilities(target: Tensor) -> None:
    low, high = target.min().item(), target.max().item()
    if not (low >= 0 and high <= 1):
        raise DlcheckError(
            f"loss.name = bce: targets run from {low:.3g} to {high:.3g}, expected 0 to 1 "
            '(data.normalize = "minmax" brings inputs there)'
        )


class Hinge(Loss):
    """Multi-class margin of Weston and Watkins (1999, ESANN), divided by the number of classes.

    (1 / classes) Σ_{j ≠ y} max(0, margin − output_y + output_j): output (batch, classes), target codes
    (batch,). Class weights w make the mean Σ wᵧ · loss / Σ wᵧ.
    """

    def __init__(self, classes: int, *, margin: float = 1.0, weights: Tensor | None = None) -> None:
        super().__init__("hinge")
        self.classes = classes
        self.margin = margin
        self.weights: Tensor | None
        self.register_buffer("weights", weights, persistent=False)

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """Return the mean loss."""
        if self.weights is None:
            return functional.multi_margin_loss(output, target, margin=self.margin)
        each = functional.multi_margin_loss(output, target, margin=self.margin, weight=self.weights, reduction="none")
        return each.sum() / self.weights[target].sum()

    def check(self, output: Tensor, target: Tensor) -> None:
        """Refuse an output without a number for each class, and targets that are no class codes."""
        expected = (len(target), self.classes)
        if tuple(output.shape) != expected:
            raise DlcheckError(
                f"model output of shape {shape(output)} does not fit hinge over {self.classes} classes: "
                f"expected {expected}"
            )
        if target.ndim != 1:
            raise DlcheckError(f"target of shape {shape(target)} does not fit hinge: expected ({len(target)},)")
        check_codes(self.name, target, self.classes)
