"""Copies of tensors to a CUDA device, told to a meter."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from dlcheck.profiling.meter import Meter
from dlcheck.profiling.stepping import COPY
from dlcheck.watching.patching import Function

METHODS = ("to", "cuda")


class CopyHooks:
    """Hooks on ``Tensor.to`` and ``Tensor.cuda``, on machines that have a CUDA device."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._installed = False

    def install(self) -> None:
        """Put them in, where there is a device to copy to."""
        if torch.cuda.is_available():
            for name in METHODS:
                setattr(Tensor, name, self._copying(getattr(Tensor, name)))
            self._installed = True

    def remove(self) -> None:
        """Take them out; the methods are those of the base class again."""
        if self._installed:
            for name in METHODS:
                delattr(Tensor, name)
            self._installed = False

    def _copying(self, original: Function) -> Function:
        meter = self._meter

        def copied(tensor: Tensor, *args: Any, **named: Any) -> Any:
            if tensor.is_cuda or not meter.active or meter.waiting or torch.compiler.is_compiling():
                return original(tensor, *args, **named)
            meter.begin(COPY)
            result = None
            try:
                result = original(tensor, *args, **named)
                return result
            finally:
                # One that stays on the host, as a change of type, is no copy.
                meter.end(COPY, counts=result is not None and result.is_cuda)

        return copied
