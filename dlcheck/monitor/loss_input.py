"""What a loss function was given: probabilities or raw scores, shapes that fit or spread over each other."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from dlcheck.runs.facts import LossCall, Site

CLASS_LOSSES = frozenset({"cross_entropy", "nll_loss", "kl_div", "multi_margin_loss", "multilabel_margin_loss"})
"""Functions of ``torch.nn.functional`` whose input has classes along its axis 1."""
ELEMENT_LOSSES = frozenset(
    {
        "binary_cross_entropy",
        "binary_cross_entropy_with_logits",
        "gaussian_nll_loss",
        "huber_loss",
        "l1_loss",
        "mse_loss",
        "poisson_nll_loss",
        "smooth_l1_loss",
        "soft_margin_loss",
    }
)
"""Functions that pair each number of the input with one of the target."""
SUM_TOLERANCE = 1e-3
"""Largest distance from 1 of the sum of probabilities: half precision keeps three digits."""
_TRANSPARENT = re.compile(
    r"^(View|UnsafeView|ReshapeAlias|Squeeze|Unsqueeze|Transpose|T|Permute|Clone|Alias|Select|Slice|ToCopy|Clamp"
    r"|ClampMin|ClampMax|Expand|Index|AsStrided|Detach)Backward"
)
_OPERATION = re.compile(r"^(\w+?)Backward\d*$")


def loss_call(loss: str, output: Tensor, target: Tensor, *, trains: bool = True, site: Site | None = None) -> LossCall:
    """Describe one call of a loss; waits for the device.

    Args:
        loss: The function's name in ``torch.nn.functional``, such as ``cross_entropy``.
        output: Its first argument, with its graph where there is one.
        target: Its second.
        trains: Whether a backward pass follows.
        site: Where it was called.
    """
    values = output.detach()
    low, high = _span(values)
    return LossCall(
        loss=loss,
        calls=1,
        input_kind=input_kind(values, axis=1 if loss in CLASS_LOSSES and values.ndim > 1 else -1),
        matched=1,
        made_by=made_by(output),
        input_shape=tuple(output.shape),
        target_shape=tuple(target.shape),
        broadcast=loss not in CLASS_LOSSES and spreads(output, target),
        smallest=low,
        largest=high,
        soft_target=target.is_floating_point(),
        trains=trains,
        site=site,
    )


def merge_calls(calls: Iterable[LossCall]) -> tuple[LossCall, ...]:
    """Return one entry for each loss and place: its most frequent kind of input, and how often it was of that kind.

    Shapes are those of the first call whose shapes spread over each other, else of the first.
    """
    groups: dict[tuple[str, Site | None, bool], list[LossCall]] = {}
    for call in calls:
        groups.setdefault((call.loss, call.site, call.trains), []).append(call)
    return tuple(_merged(group) for group in groups.values())


def _merged(group: list[LossCall]) -> LossCall:
    counts: dict[str, int] = {}
    for call in group:
        counts[call.input_kind] = counts.get(call.input_kind, 0) + call.matched
    kind = max(counts, key=lambda name: counts[name])
    shown = next((call for call in group if call.broadcast), group[0])
    return replace(
        shown,
        calls=sum(call.calls for call in group),
        input_kind=kind,
        matched=counts[kind],
        made_by=next((call.made_by for call in group if call.input_kind == kind), ""),
        smallest=min(call.smallest for call in group),
        largest=max(call.largest for call in group),
    )


def input_kind(values: Tensor, axis: int) -> str:
    """Return ``probabilities``, ``log_probabilities``, ``unit_interval`` or ``raw``, as ``LossCall`` has them.

    Zeros throughout (an untrained last layer of zeros) and values that are not finite are raw.
    """
    if not values.numel() or not values.is_floating_point() or values.ndim == 0:
        return "raw"
    values = values.float()
    low, high = _span(values)
    if not (low > -float("inf") and high < float("inf")) or low == high == 0:
        return "raw"
    classes = values.shape[axis]
    if low >= 0 and high <= 1 + SUM_TOLERANCE:
        return "probabilities" if classes > 1 and _sums_to_one(values, axis) else "unit_interval"
    if high <= SUM_TOLERANCE and classes > 1 and _sums_to_one(values.exp(), axis):
        return "log_probabilities"
    return "raw"


def _sums_to_one(values: Tensor, axis: int) -> bool:
    return bool(((values.sum(axis) - 1).abs() < SUM_TOLERANCE).all())


def _span(values: Tensor) -> tuple[float, float]:
    if not values.numel() or values.is_complex():
        return 0.0, 0.0
    low, high = torch.aminmax(values)
    return float(low), float(high)


def spreads(output: Tensor, target: Tensor) -> bool:
    """Return whether pairing these makes more numbers than either has, as (N, 1) with (N,) makes (N, N)."""
    if output.shape == target.shape:
        return False
    try:
        both: torch.Size = torch.broadcast_shapes(output.shape, target.shape)  # type: ignore[no-untyped-call]
    except RuntimeError:
        return False
    return both.numel() > max(output.numel(), target.numel())


def made_by(output: Tensor) -> str:
    """Return the operation that made a tensor, by its graph, reshaping and clamping left aside; empty without one."""
    node: Any = output.grad_fn
    while node is not None:
        name = str(node.name())
        if not _TRANSPARENT.match(name) or not node.next_functions:
            found = _OPERATION.match(name)
            return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", found[1]).lower() if found else ""
        node = node.next_functions[0][0]
    return ""
