"""Reads what a loss's graph has saved, where the loss cannot be computed again."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from dlcheck.monitor.detection import Origin, batch_rows, is_finite, values_at
from dlcheck.monitor.forward_graph import nodes_below
from dlcheck.monitor.undefined import Operands, of_node

MOST_NODES = 2000


def walk(loss: Tensor, outputs: set[Any], batch: int) -> Origin | None:
    """Return the operation between a model's finite outputs and a non-finite loss that is undefined or overflows.

    Args:
        loss: Its graph must still hold what it saved.
        outputs: Nodes that made the outputs: behind these all was finite.
        batch: Samples in the batch.
    """
    nodes = nodes_below([loss], stop=outputs, most=MOST_NODES)
    found = [origin for node in nodes if (origin := _origin(node, batch)) is not None]
    return next((one for one in found if one.undefined), next(iter(found), None))


def _origin(node: Any, batch: int) -> Origin | None:
    operation, reason, operands = of_node(node, backward=False)
    overflowed = not reason and _overflowed(operands)
    if not reason and not overflowed:
        return None
    first = operands.first if isinstance(operands.first, Tensor) else None
    bad = ~operands.result.isfinite() if operands.result is not None else None
    if bad is None and first is not None:
        bad = (first <= 0) if "logarithm" in reason else ~first.isfinite()
    second = operands.second
    if reason in ("division by 0", "0/0") and isinstance(second, Tensor):
        bad = second == 0
    return Origin(
        "operation",
        operation,
        reason,
        overflow=overflowed,
        rows=batch_rows(bad, batch) if bad is not None else (),
        values=values_at([first, second], bad, reason) if bad is not None and bool(bad.any()) else (),
    )


def _overflowed(operands: Operands) -> bool:
    """Return whether the result is not finite though the operands, where known, are."""
    if operands.result is None or is_finite(operands.result):
        return False
    return all(is_finite(one) for one in (operands.first, operands.second) if isinstance(one, Tensor))
