"""One batch through model and loss before training, so that what does not fit is told in one line."""

from __future__ import annotations

import torch
from torch import nn

from dlcheck.components.batches import Batch
from dlcheck.components.losses import Loss
from dlcheck.components.losses.loss import shape
from dlcheck.errors import DlcheckError, one_line


def check_fit(model: nn.Module, loss: Loss, sample: Batch) -> None:
    """Check that the model takes the data and the loss takes its output; changes nothing.

    Raises:
        DlcheckError: either does not fit; names shapes.
    """
    *inputs, target = sample
    was_training = model.training
    model.eval()  # running statistics stay as they are, and a single sample passes batch normalisation
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            output = _predict(model, inputs)
            loss.check(output, target)
            loss(output, target)
    except DlcheckError:
        raise
    except Exception as error:  # a user's loss may raise anything
        shapes = f"output {shape(output)}, target {shape(target)}"
        raise DlcheckError(f"loss does not take this model's output ({shapes}): {one_line(error)}") from error
    finally:
        model.train(was_training)


def _predict(model: nn.Module, inputs: list[torch.Tensor]) -> torch.Tensor:
    try:
        output = model(*inputs)
    except DlcheckError:
        raise
    except torch.OutOfMemoryError:
        raise
    except Exception as error:  # a user's model may raise anything
        shapes = ", ".join(shape(tensor) for tensor in inputs)
        raise DlcheckError(f"the model does not take inputs of shape {shapes}: {one_line(error)}") from error
    if not isinstance(output, torch.Tensor):
        raise DlcheckError(f"the model must return one tensor, found {type(output).__name__}")
    return output
