"""Operations between a model's outputs and the loss whose derivative may be infinite where their value is finite."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from dlcheck.monitor.detection import Origin, batch_rows, values_at
from dlcheck.monitor.forward_graph import through_shapes
from dlcheck.monitor.undefined import Operand, Operands, operands_of, plain_operation, undefined

SINGULAR = frozenset(("sqrt", "rsqrt", "log", "log2", "log10", "log1p", "pow", "div", "reciprocal", "acos", "asin"))
"""Infinite somewhere, which times a gradient of 0 still is not a number. PyTorch mends norms and deviations of 0."""
MOST_NODES = 2000
MOST_KEPT = 8
MOST_STEPS = 64
"""Nodes on the way from the loss to an operation that is followed in every step."""
MOST_NUMBERS = 1 << 20
"""Larger operands are not kept."""
_MASKS = ("Clamp", "Where", "MaskedFill", "Relu", "Threshold", "Hardtanh", "Index", "Select", "Gather")
"""What stands before an operation and lets no gradient through where it took the number from elsewhere."""
Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in a loss's graph an operation stands: which of the next functions to take, from the loss on."""

    operation: str
    path: tuple[int, ...]


class Singular:
    """Keeps the operands of such operations until the step is over: the backward pass lets go of them."""

    def __init__(self) -> None:
        self._places: list[_Place] = []
        self._kept: deque[tuple[str, Operands]] = deque(maxlen=MOST_KEPT * 8)

    def look(self, loss: Tensor, spans: list[Span] | None) -> None:
        """Take note of a loss whose graph is whole.

        Args:
            loss: Before its backward pass.
            spans: Sequence numbers of the nodes of forward passes, which are left out; None: look where such
                operations were found before, rather than everywhere.
        """
        if spans is not None:
            self._places = list(_places(loss.grad_fn, spans))
        for place in self._places:
            node = _follow(loss.grad_fn, place)
            if node is not None:
                self._kept.append((place.operation, _light(operands_of(node, backward=True))))

    @property
    def wanted(self) -> bool:
        """Whether there are such operations, so that every loss must be looked at."""
        return bool(self._places)

    def origin(self, samples: int) -> Origin | None:
        """Return the operation that was at a place where its derivative is infinite; None when none was."""
        for operation, operands in self._kept:
            reason = undefined(operation, operands)
            if reason:
                return _origin(operation, reason, operands, samples)
        return None

    def clear(self) -> None:
        """Forget the step."""
        self._kept.clear()


def _places(last: Any, spans: list[Span]) -> Iterator[_Place]:
    came: dict[Any, tuple[Any, int]] = {last: (None, 0)}
    stack, found = [last], 0
    while stack and len(came) < MOST_NODES and found < MOST_KEPT:
        node = stack.pop()
        if node is None or any(first <= node._sequence_nr() < end for first, end in spans):
            continue
        if _may_fail(node):
            path = _path(node, came)
            if len(path) <= MOST_STEPS:
                found += 1
                yield _Place(plain_operation(type(node).__name__), path)
        for place, (parent, _) in enumerate(node.next_functions):
            if parent is not None and parent not in came:
                came[parent] = node, place
                stack.append(parent)


def _may_fail(node: Any) -> bool:
    operation = plain_operation(type(node).__name__)
    before = [through_shapes(parent) for parent, _ in node.next_functions if parent is not None]
    if operation not in SINGULAR or any(one.name().startswith(_MASKS) for one in before):
        return False
    if operation == "div":  # a divisor without a graph would have made the loss infinite
        return len(node.next_functions) > 1 and node.next_functions[1][0] is not None
    exponent = getattr(node, "_saved_exponent", None) if operation == "pow" else None
    return not isinstance(exponent, int | float) or (exponent < 1 and exponent != 0)


def _path(node: Any, came: dict[Any, tuple[Any, int]]) -> tuple[int, ...]:
    path: list[int] = []
    while (step := came[node])[0] is not None and len(path) <= MOST_STEPS:
        node = step[0]
        path.append(step[1])
    return tuple(path[::-1])


def _follow(node: Any, place: _Place) -> Any:
    """Return the node at a place; None when another graph was built this time."""
    for step in place.path:
        following = node.next_functions if node is not None else ()
        if step >= len(following):
            return None
        node = following[step][0]
    return node if node is not None and plain_operation(type(node).__name__) == place.operation else None


def _light(operands: Operands) -> Operands:
    result = _lightened(operands.result)
    return Operands(
        _lightened(operands.first), _lightened(operands.second), result if isinstance(result, Tensor) else None, True
    )


def _lightened(operand: Operand) -> Operand:
    if not isinstance(operand, Tensor):
        return operand
    return operand.detach() if operand.numel() <= MOST_NUMBERS else None


def _origin(operation: str, reason: str, operands: Operands, samples: int) -> Origin:
    divides = operation == "div"
    at = operands.second if divides else operands.first if operands.first is not None else operands.result
    if not isinstance(at, Tensor):
        return Origin("operation", operation, reason, backward=True)
    bad = (at.abs() >= 1) if "arc" in reason else (at < 0) if "negative number" in reason else (at == 0)
    if operation == "log1p":
        bad = at <= -1
    elif at is operands.result and operation in ("rsqrt", "reciprocal"):
        bad = at.isinf()
    rows = batch_rows(bad, samples)
    values = values_at([operands.first, operands.second] if divides else [at, None], bad, reason)
    return Origin("operation", operation, reason, backward=True, rows=rows, values=values)
