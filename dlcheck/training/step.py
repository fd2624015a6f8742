"""One optimizer step: forward, backward, penalties, clipping, update."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from dlcheck.components.batches import Batch
from dlcheck.components.losses import Loss
from dlcheck.components.regularizers import StepHook
from dlcheck.errors import DlcheckError
from dlcheck.recipe.train import Train
from dlcheck.training.sharding import is_sharded, whole_norm

_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


def autocast(precision: str, device: torch.device) -> AbstractContextManager[Any]:
    """Return the context in which forward passes run at this precision; one object serves every step."""
    if precision == "fp32":
        return nullcontext()
    return torch.autocast(device.type, dtype=_DTYPES[precision])


class Listener(Protocol):
    """Hears what happens inside a step; the monitor is one."""

    def batch(self, batch: object, wait_s: float | None = None) -> None:
        """A batch has come, after so long."""

    def loss(self, loss: Tensor, *, again: Callable[[], Tensor] | None = None) -> None:
        """A loss is there, before its backward pass; ``again`` computes it anew."""

    def backward_ended(self) -> None:
        """The backward pass is over."""

    def clipped(self, norm: Tensor | float, limit: float) -> None:
        """The gradient was clipped to a norm."""


class Stepper:
    """Computes gradients of a few batches and moves the weights once.

    The batches of one step count by their samples, so that accumulating k small batches gives the gradient of
    the one large batch they make up, a ragged last one included.
    """

    def __init__(
        self,
        model: nn.Module,
        loss: Loss,
        hooks: Sequence[StepHook],
        train: Train,
        device: torch.device,
    ) -> None:
        self.model, self.loss, self.hooks, self.train = model, loss, hooks, train
        self.autocast = autocast(train.precision, device)
        self.scaler = torch.amp.GradScaler(device.type, enabled=train.precision == "fp16")
        self.parameters = [p for p in model.parameters() if p.requires_grad]
        self.predicted: list[tuple[Tensor, Tensor]] = []
        """Outputs and targets of the last step's batches."""
        self.grad_norm: Tensor | None = None
        """Norm of the whole gradient before clipping, on the device; None unless ``clip_norm`` measures it."""
        self.listener: Listener | None = None

    def step(
        self,
        optimizer: torch.optim.Optimizer,
        batches: Sequence[Batch],
        notify: Iterable[Any],
        shares: Sequence[float] | None = None,
    ) -> Tensor:
        """Make one step; return the mean loss as a device tensor, penalties not included.

        ``notify`` are functions to call when gradients are complete and clipped; ``shares`` is what each batch counts
        for, unset: by its samples.
        """
        if isinstance(optimizer, torch.optim.LBFGS):
            return self._closure_step(optimizer, batches, notify)
        loss = self._gradients(batches, shares)
        self._finish_gradients(optimizer, notify)
        if self.scaler.is_enabled():
            self.scaler.step(optimizer)
            self.scaler.update()
        else:
            optimizer.step()
        for hook in self.hooks:
            hook.after_step()
        return loss

    def _closure_step(
        self, optimizer: torch.optim.Optimizer, batches: Sequence[Batch], notify: Iterable[Any]
    ) -> Tensor:
        if self.scaler.is_enabled():
            raise DlcheckError("train.precision: fp16 needs a loss scaler, which lbfgs cannot use; take bf16")
        first: list[Tensor] = []

        def closure() -> float:
            loss = self._gradients(batches)
            self._finish_gradients(optimizer, () if first else notify)
            first.append(loss)
            return float(loss)

        optimizer.step(closure)
        for hook in self.hooks:
            hook.after_step()
        return first[0]

    def _gradients(self, batches: Sequence[Batch], shares: Sequence[float] | None = None) -> Tensor:
        for parameter in self.parameters:  # as optimizer.zero_grad() does, without its detour through the profiler
            parameter.grad = None
        self.predicted = []
        if shares is None and len(batches) == 1:
            return self._backward(batches[0], 1.0)
        if shares is None:
            samples = [len(batch[-1]) for batch in batches]
            shares = [n / sum(samples) for n in samples]
        parts = []
        for place, (batch, share) in enumerate(zip(batches, shares, strict=True), start=1):
            with self._apart(last=place == len(batches)):
                parts.append(self._backward(batch, share))
        return torch.stack(parts).sum()

    def _apart(self, *, last: bool) -> AbstractContextManager[Any]:
        """Return the context in which gradients are not yet averaged over processes: of all batches but the last."""
        if is_sharded(self.model):
            self.model.set_requires_gradient_sync(last)  # type: ignore[operator]
        if last or not isinstance(self.model, DistributedDataParallel):
            return nullcontext()
        return self.model.no_sync()

    def _backward(self, batch: Batch, share: float) -> Tensor:
        for hook in self.hooks:
            batch = hook.before_forward(batch)
        for hook in self.hooks:
            hook.before_gradients()
        output, loss = self._forward(batch, share)
        if self.listener is not None:
            self.listener.loss(loss, again=lambda: self._forward(batch, share, again=True)[1])
        self.scaler.scale(loss).backward() if self.scaler.is_enabled() else loss.backward()  # type: ignore[no-untyped-call]
        if self.listener is not None:
            self.listener.backward_ended()
        if share:  # a row that only keeps a process company is no prediction
            self.predicted.append((output.detach(), batch[-1]))
        return loss.detach()

    def _forward(self, batch: Batch, share: float, *, again: bool = False) -> tuple[Tensor, Tensor]:
        """Return output and loss, the loss times its share of the step; ``again`` asks no other process for buffers."""
        *inputs, target = batch
        model: nn.Module = self.model
        if again and isinstance(model, DistributedDataParallel):
            model = model.module
        with self.autocast:
            output = model(*inputs)
            loss: Tensor = self.loss(output, target)
        return output, loss if share == 1.0 else loss * share

    def _finish_gradients(self, optimizer: torch.optim.Optimizer, notify: Iterable[Any]) -> None:
        if self.scaler.is_enabled():
            self.scaler.unscale_(optimizer)
        for hook in self.hooks:
            hook.after_backward()
        if self.train.clip_value is not None:
            nn.utils.clip_grad_value_(self.parameters, self.train.clip_value)
        if self.train.clip_norm is not None:
            self.grad_norm = whole_norm(nn.utils.clip_grad_norm_(self.parameters, self.train.clip_norm))
            if self.listener is not None:
                self.listener.clipped(self.grad_norm, self.train.clip_norm)
        for function in notify:
            function()
