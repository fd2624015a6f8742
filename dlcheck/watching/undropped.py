"""What a training batch loses without dropout, once training is over."""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils import _pytree

from dlcheck.monitor.detection import floats
from dlcheck.monitor.replay import Call, untouched
from dlcheck.watching.losses import BINARY, CLASSIFIES

HIGH = 0.5
"""Lower rates are usual, and nobody asks what they cost: then nothing is kept and nothing computed."""
MOST_NUMBERS = 1 << 22
"""Larger batches are not kept."""


@dataclass(frozen=True, slots=True)
class _Pass:
    """A training batch, with the way from it to its loss."""

    model: nn.Module
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    output: int
    """Which of the outputs the loss was given."""
    shape: tuple[int, ...]
    """In which shape."""
    loss: str
    options: dict[str, Any]
    """What the loss was called with, the answers left out."""
    versions: tuple[tuple[Tensor, int], ...]
    """Tensors of the batch, and how often they had been changed in place."""


class Undropped:
    """Keeps the latest batch that was looked at, of a model with dropout, and sends it through once more."""

    def __init__(self) -> None:
        self._pass: _Pass | None = None
        self._high: dict[int, bool] = {}

    def note(self, calls: list[Call], loss: str, given: Mapping[str, Any]) -> None:
        """Take note of a training loss.

        Args:
            calls: Forward passes of the step.
            loss: Name of the function of ``torch.nn.functional``.
            given: Its arguments by name.
        """
        answer, target = given.get("input"), given.get("target")
        if not isinstance(answer, Tensor) or not isinstance(target, Tensor) or given.get("reduction", "mean") != "mean":
            return
        for call in reversed(calls):
            place = _place(call, answer)
            if place is not None:
                self._keep(call, place, loss, {**given})
                return

    def _keep(self, call: Call, place: int, loss: str, given: dict[str, Any]) -> None:
        high = self._high.get(id(call.model))
        if high is None:
            high = self._high[id(call.model)] = any(rate >= HIGH for rate in _rates(call.model))
        if not high:
            return
        answer = given.pop("input")
        args, kwargs, options = _pytree.tree_map_only(Tensor, Tensor.detach, (call.args, call.kwargs, given))
        tensors = [one for one in _pytree.tree_leaves((args, kwargs, options)) if isinstance(one, Tensor)]
        if sum(one.numel() for one in tensors) > MOST_NUMBERS or any(one.is_inference() for one in tensors):
            return
        versions = tuple((one, one._version) for one in tensors)
        self._pass = _Pass(call.model, args, kwargs, place, tuple(answer.shape), loss, options, versions)

    @torch.no_grad()
    def measure(self) -> tuple[float, float | None] | None:
        """Return the loss without dropout and that of a constant answer to the same samples; None when not known.

        Random streams, running statistics and modes are as before afterwards.
        """
        kept = self._pass
        if kept is None or any(tensor._version != version for tensor, version in kept.versions):
            return None
        # A network that prints has printed for this batch already.
        with untouched(kept.model), redirect_stdout(StringIO()), redirect_stderr(StringIO()):
            for module in kept.model.modules():
                if not isinstance(module, nn.modules.batchnorm._BatchNorm):
                    module.training = False
            outputs = list(floats(kept.model(*kept.args, **kept.kwargs)))
        if kept.output >= len(outputs) or outputs[kept.output].numel() != math.prod(kept.shape):
            return None
        answer = outputs[kept.output].reshape(kept.shape)
        function = inspect.unwrap(getattr(functional, kept.loss))
        loss = function(input=answer, **kept.options)
        return float(loss), _constant(kept)


def _place(call: Call, answer: Tensor) -> int | None:
    """Return which output of a pass the loss was given, whole and unchanged but for its shape."""
    for place, reference in enumerate(call.outputs):
        output = reference()
        if output is None or output.numel() != answer.numel() or output.dtype != answer.dtype:
            continue
        if output is answer or (output.data_ptr() == answer.data_ptr() and output.is_contiguous()):
            return place
    return None


def _rates(model: nn.Module) -> list[float]:
    return [float(module.p) for module in model.modules() if isinstance(module, nn.modules.dropout._DropoutNd)]


def _constant(kept: _Pass) -> float | None:
    """Return what the best constant answer loses on these samples; for classes, no less than that (all alike)."""
    target = kept.options["target"]
    if kept.options.get("weight") is not None or kept.options.get("label_smoothing"):
        return None
    if kept.loss in CLASSIFIES and not target.is_floating_point() and len(kept.shape) > 1:
        return math.log(kept.shape[1])
    if kept.loss in BINARY:
        return math.log(2)
    if kept.loss == "mse_loss" and tuple(target.shape) == kept.shape:
        return float(target.float().var(correction=0))
    return None
