"""DropConnect: drop weights rather than units."""

from functools import partial

from torch import Tensor, nn
from torch.nn import functional

from dlcheck.components.regularizers.hook import StepHook
from dlcheck.errors import DlcheckError


class DropConnect(StepHook):
    """Drops each weight of fully connected layers with a probability, in training mode only.

    (Wan et al. 2013, ICML.) Kept weights are scaled by 1 / (1 − probability), so that evaluation with all
    weights sees the same mean; the paper draws its evaluation from a Gaussian instead, and its masks for each
    sample rather than each pass. Names of parameters and the state dict do not change. Layers whose weights
    others read, as inside multi-head attention, are not reached.

    Raises:
        DlcheckError: the model has no fully connected layer.
    """

    def __init__(self, model: nn.Module, probability: float) -> None:
        layers = [module for module in model.modules() if isinstance(module, nn.Linear)]
        if not layers:
            raise DlcheckError("regularize.dropconnect: the model has no fully connected layer")
        for layer in layers:
            layer.forward = partial(_forward, layer, probability)  # type: ignore[method-assign]


def _forward(layer: nn.Linear, probability: float, inputs: Tensor) -> Tensor:
    weight = functional.dropout(layer.weight, probability, layer.training)
    return functional.linear(inputs, weight, layer.bias)
