"""The moments of a training step at which a regulariser may act."""

from dlcheck.components.batches import Batch


class StepHook:
    """Does nothing at any moment; a regulariser overrides those it needs.

    When a step has several batches, the first two moments come once a batch, the last two once a step.
    """

    def before_forward(self, batch: Batch) -> Batch:
        """Return the batch to train on, which is on the device."""
        return batch

    def before_gradients(self) -> None:
        """Act before a forward pass; weights may be changed until the gradients are complete."""

    def after_backward(self) -> None:
        """Act on gradients that are complete and unscaled, but not yet clipped."""

    def after_step(self) -> None:
        """Act on weights that the optimizer has moved."""
