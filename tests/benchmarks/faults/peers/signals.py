"""Sampled tensors of a training, for the rules: gradients, weights around a step, inputs and outputs of layers.

Nothing is changed: hooks return nothing, tensors are copied, no random number is drawn. Hooks on layers live within
one training forward pass of a sampled step; a copy of the model that is made meanwhile does not feed them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn


@dataclass
class Sample:
    """One step. Names are those of ``named_parameters`` and ``named_modules``."""

    step: int
    gradients: dict[str, Tensor] = field(default_factory=dict)
    """As the last backward pass before the step left them, before any clipping; none where there was none."""
    before: dict[str, Tensor] = field(default_factory=dict)
    after: dict[str, Tensor] = field(default_factory=dict)
    inputs: dict[str, Tensor] = field(default_factory=dict)
    """Of modules without children."""
    outputs: dict[str, Tensor] = field(default_factory=dict)

    def matrices(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return those of two dimensions or more: weights, not biases."""
        return {name: one for name, one in tensors.items() if one.dim() > 1}


class Signals:
    """Samples step 1 and every k-th."""

    def __init__(self, model: nn.Module, every: int = 10) -> None:
        self.model, self.every = model, every
        self.leaves = {name: one for name, one in model.named_modules() if not list(one.children())}
        self._sample: Sample | None = None
        self._inner: list[Any] = []
        self._outer = [model.register_forward_pre_hook(self._enter()), model.register_forward_hook(self._leave())]
        self._arm(1)

    def backward(self, step: int) -> None:
        """Copy the gradients, if the step is sampled; a later pass before the same step replaces them."""
        if self._sample is not None and self._sample.step == step:
            self._sample.gradients = {
                name: one.grad.detach().clone() for name, one in self._parameters() if one.grad is not None
            }

    def step(self, step: int) -> Sample | None:
        """Return the sample of this step, if it was sampled, and make ready for the next step."""
        sample, self._sample = self._sample, None
        if sample is not None:
            sample.after = {name: one.detach().clone() for name, one in self._parameters()}
        self._arm(step + 1)
        return sample

    def close(self) -> None:
        """Remove all hooks."""
        for one in (*self._inner, *self._outer):
            one.remove()
        self._inner, self._outer, self._sample = [], [], None

    def _parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        return self.model.named_parameters()

    def _arm(self, step: int) -> None:
        if step == 1 or step % self.every == 0:
            self._sample = Sample(step, before={name: one.detach().clone() for name, one in self._parameters()})

    def _enter(self) -> Any:
        def hook(module: nn.Module, given: Any) -> None:
            if self._sample is not None and module is self.model and torch.is_grad_enabled() and not self._inner:
                self._inner = [one.register_forward_hook(self._keep(name, one)) for name, one in self.leaves.items()]

        return hook

    def _leave(self) -> Any:
        def hook(module: nn.Module, given: Any, output: Any) -> None:
            if module is self.model:
                for one in self._inner:
                    one.remove()
                self._inner = []

        return hook

    def _keep(self, name: str, owner: nn.Module) -> Any:
        def hook(module: nn.Module, given: Any, output: Any) -> None:
            if module is not owner or self._sample is None:
                return
            for kept, value in ((self._sample.inputs, given), (self._sample.outputs, output)):
                first = value[0] if isinstance(value, tuple) and value else value
                if isinstance(first, Tensor):
                    kept[name] = first.detach().clone()

        return hook


def finite(tensor: Tensor) -> bool:
    """Return whether every number is."""
    return bool(torch.isfinite(tensor).all())


def mean_size(tensor: Tensor) -> float:
    """Return the mean absolute value."""
    return float(tensor.abs().float().mean()) if tensor.numel() else 0.0


def units(tensor: Tensor) -> Tensor:
    """Return activations as rows of (values, units): channels of images are units, else the last dimension."""
    if tensor.dim() == 4:
        tensor = tensor.movedim(1, -1)
    return tensor.reshape(-1, tensor.shape[-1]) if tensor.dim() else tensor.reshape(1, 1)


def relus(leaves: dict[str, nn.Module]) -> list[str]:
    """Return the names of rectifiers."""
    return [name for name, one in leaves.items() if isinstance(one, nn.ReLU)]


def guard(model: nn.Module) -> set[int]:
    """Return the forward hooks that stand; given to ``guarded`` after a peer has hung its own."""
    return {key for one in model.modules() for key in one._forward_hooks}


def guarded(model: nn.Module, known: set[int]) -> None:
    """Let the new hooks hear only the modules on which they hang: a deep copy of the model takes its hooks along."""
    for module in model.modules():
        for key, hook in list(module._forward_hooks.items()):
            if key not in known:
                module._forward_hooks[key] = _only(module, hook)


def _only(owner: nn.Module, hook: Any) -> Any:
    def own(module: nn.Module, given: Any, output: Any) -> Any:
        return hook(module, given, output) if module is owner else None

    return own
