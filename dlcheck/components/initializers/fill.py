"""Where a model keeps its weights, and how to overwrite them."""

from collections.abc import Callable
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized

from dlcheck.errors import DlcheckError

Draw = Callable[[Tensor], object]
"""Overwrites one weight matrix (outputs, inputs, …) in place."""

GATES: Final = {"RNN_TANH": 1, "RNN_RELU": 1, "GRU": 3, "LSTM": 4}
WEIGHTED: Final = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)


@torch.no_grad()
def fill_weights(
    scope: nn.Module, draw: Draw, *, draw_recurrent: Draw | None = None, draw_embedding: Draw | None = None
) -> None:
    """Overwrite the weights of linear, convolutional, recurrent and attention layers.

    Matrices that PyTorch stacks (an LSTM's gates, attention's query, key and value) are drawn one by one, so that
    each has the fan of its own. Norms are left alone, and embeddings unless ``draw_embedding`` is given.

    Args:
        scope: the module whose layers to fill, itself included.
        draw: fills one matrix.
        draw_recurrent: fills matrices from hidden to hidden state; unset: ``draw``.
        draw_embedding: fills embedding tables.
    """
    for module in scope.modules():
        if isinstance(module, WEIGHTED):
            fill(module, "weight", draw)
        elif isinstance(module, nn.RNNBase):
            _fill_recurrent(module, draw, draw_recurrent or draw)
        elif isinstance(module, nn.MultiheadAttention):
            _fill_attention(module, draw)
        elif isinstance(module, nn.Embedding) and draw_embedding is not None:
            fill(module, "weight", draw_embedding)


@torch.no_grad()
def fill(module: nn.Module, name: str, draw: Draw, chunks: int = 1) -> None:
    """Overwrite one parameter, in ``chunks`` equal matrices; a weight-normalised one keeps its form.

    Raises:
        DlcheckError: a weight-normalised unit would get weights of 0, whose direction is undefined.
    """
    if not is_parametrized(module, name):
        for part in getattr(module, name).chunk(chunks):
            draw(part)
        return
    value = getattr(module, name).detach().clone()
    for part in value.chunk(chunks):
        draw(part)
    if not value.flatten(1).norm(dim=1).all():
        raise DlcheckError('init: model.norm = "weight" divides by the length of the weights, which would be 0')
    setattr(module, name, value)


def _fill_recurrent(module: nn.RNNBase, draw: Draw, draw_hidden: Draw) -> None:
    for name, _ in list(module.named_parameters(recurse=False)):
        if name.startswith("weight_hh"):
            fill(module, name, draw_hidden, GATES[module.mode])
        elif name.startswith("weight"):
            fill(module, name, draw, GATES[module.mode])


def _fill_attention(module: nn.MultiheadAttention, draw: Draw) -> None:
    for name, chunks in (("in_proj_weight", 3), ("q_proj_weight", 1), ("k_proj_weight", 1), ("v_proj_weight", 1)):
        if getattr(module, name) is not None:
            fill(module, name, draw, chunks)


@torch.no_grad()
def fill_biases(scope: nn.Module, value: float) -> None:
    """Set the biases of linear, convolutional, recurrent and attention layers; norms are left alone.

    Recurrent layers add two biases: the first gets the value, the second 0.
    """
    for module in scope.modules():
        if isinstance(module, WEIGHTED) and module.bias is not None:
            module.bias.fill_(value)
        elif isinstance(module, nn.MultiheadAttention) and module.in_proj_bias is not None:
            module.in_proj_bias.fill_(value)
        elif isinstance(module, nn.RNNBase):
            for name, bias in module.named_parameters(recurse=False):
                if name.startswith("bias"):
                    bias.fill_(0.0 if name.startswith("bias_hh") else value)


@torch.no_grad()
def fill_forget_biases(scope: nn.Module, value: float) -> None:
    """Set the biases of all LSTMs' forget gates, the second of PyTorch's four gates.

    Jozefowicz, Zaremba & Sutskever 2015, "An empirical exploration of recurrent network architectures", ICML.
    """
    for module in scope.modules():
        if not isinstance(module, nn.LSTM):
            continue
        for name, bias in module.named_parameters(recurse=False):
            if name.startswith("bias"):
                forget = bias.chunk(GATES["LSTM"])[1]
                forget.fill_(0.0 if name.startswith("bias_hh") else value)
