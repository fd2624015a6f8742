"""How well an answer fits its target, measured by ourselves and not by the loss that is examined."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from dlcheck.checks.patient import LossFunction, Patient

Kind = Literal["classes", "binary", "numbers", "unknown"]


@dataclass(frozen=True, slots=True)
class Yardstick:
    """What kind of answer the network gives, and measures of its fit."""

    kind: Kind
    classes: int = 0

    def scores(self, output: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Return classes' scores (places, classes) and codes (places,), places without a target left out."""
        if output.ndim > 2 and output.shape[:-1] == target.shape:
            output = output.flatten(0, -2)
        elif output.ndim > 2:
            output = output.movedim(1, -1).flatten(0, -2)
        codes = target.flatten()
        keep = codes >= 0
        return output[keep], codes[keep]

    def hits(self, output: Tensor, target: Tensor) -> float | None:
        """Return the share of right answers; None for numbers."""
        output = output.detach()
        if self.kind == "classes":
            scores, codes = self.scores(output, target)
            return float((scores.argmax(-1) == codes).float().mean())
        if self.kind == "binary":
            middle = 0.5 if bool(((output >= 0) & (output <= 1)).all()) and output.min() != output.max() else 0.0
            return float(((output.flatten() > middle) == (target.flatten() > 0.5)).float().mean())
        return None

    def misfit(self, output: Tensor, target: Tensor) -> float:
        """Return cross-entropy, or mean squared difference where shapes allow; NaN where neither does."""
        output = output.detach().float()
        if self.kind == "classes":
            return float(functional.cross_entropy(*self.scores(output, target)))
        if self.kind == "binary":
            return float(functional.binary_cross_entropy_with_logits(output.flatten(), target.flatten().float()))
        if output.numel() == target.numel():
            return float((output.flatten() - target.flatten().float()).square().mean())
        return float("nan")


def yardstick(patient: Patient, output: Tensor, target: Tensor) -> Yardstick:
    """Return the yardstick that fits an output and a target."""
    whole = not target.is_floating_point() and target.dtype != torch.bool
    if whole and output.ndim > target.ndim and output.shape != target.shape:
        axis = -1 if output.shape[:-1] == target.shape else 1
        if output.shape[axis] > 1:
            return Yardstick("classes", output.shape[axis])
    if output.numel() == target.numel() == len(target) and bool(((target == 0) | (target == 1)).all()):
        return Yardstick("binary", 2)
    if output.numel() == target.numel() and target.is_floating_point():
        return Yardstick("numbers")
    return Yardstick("unknown")


def constant_loss(loss: LossFunction, output: Tensor, target: Tensor, kind: Yardstick) -> float | None:
    """Return the loss of the best constant answer over these samples; None where it cannot be had.

    For classes the logarithm of their frequencies, for numbers their mean, given to the loss itself.
    """
    with torch.no_grad():
        answer = _constant(output, target, kind)
        return None if answer is None else _try(loss, answer, target)


def zero_loss(loss: LossFunction, output: Tensor, target: Tensor) -> float | None:
    """Return the loss when every output is 0, as those of an untrained network nearly are; None if it cannot be had."""
    with torch.no_grad():
        return _try(loss, torch.zeros_like(output), target)


def _constant(output: Tensor, target: Tensor, kind: Yardstick) -> Tensor | None:
    if kind.kind == "classes":
        _, codes = kind.scores(output, target)
        counts = torch.bincount(codes, minlength=kind.classes).float()
        logs = (counts / counts.sum()).clamp_min(1e-6).log()
        last = output.shape[:-1] == target.shape
        shape = (*[1] * (output.ndim - 1), -1) if last else (1, -1, *[1] * (output.ndim - 2))
        return logs.reshape(shape).expand_as(output).contiguous()
    if kind.kind == "binary":
        share = target.float().mean().clamp(1e-6, 1 - 1e-6)
        return torch.logit(share).expand_as(output).contiguous()
    if kind.kind == "numbers":
        return target.float().mean(0, keepdim=True).expand_as(target).reshape(output.shape).contiguous()
    return None


def _try(loss: LossFunction, answer: Tensor, target: Tensor) -> float | None:
    try:
        value = float(loss(answer, target))
    except Exception:  # somebody else's loss may refuse an answer that is not the model's
        return None
    return value if value == value and abs(value) != float("inf") else None
