"""Finds the operation that makes non-finite numbers of finite ones, while a step is computed again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from dlcheck.monitor.site import traced_site, user_site
from dlcheck.monitor.undefined import Operands, of_node, plain_operation, undefined
from dlcheck.runs.facts import Site

MOST_VALUES = 10
_UNWRITTEN = {"empty", "empty_like", "empty_strided", "new_empty", "new_empty_strided", "resize", "empty_permuted"}
"""Their numbers are whatever lay in memory."""
_FILLS = {"masked_fill", "full", "full_like", "new_full", "fill", "where", "scalar_tensor", "lift_fresh", "index_put"}
"""An infinity from these was written on purpose, as in a mask."""
_OVERFLOWING = "mm addmm bmm baddbmm exp mul pow add sum convolution to_copy cumsum square dot matmul expm1 sinh cosh"
_OVERFLOWS = frozenset(_OVERFLOWING.split())


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a non-finite number came from."""

    kind: str
    """``operation``, ``fill``, ``input`` or ``weight``."""
    operation: str = ""
    undefined: str = ""
    module: str = ""
    module_type: str = ""
    backward: bool = False
    overflow: bool = False
    rows: tuple[int, ...] = ()
    values: tuple[float, ...] = ()
    site: Site | None = None


class Detector(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Watches every operation, and remembers where the non-finite numbers of each tensor came from.

    Tensors are known by their storage, so that views and changes in place keep their origin.
    """

    def __init__(self, names: dict[int, str], batch: int) -> None:
        """Make a detector.

        Args:
            names: Names of modules, by ``id``.
            batch: Samples in the batch.
        """
        super().__init__()  # type: ignore[no-untyped-call]
        self._names, self._batch = names, batch
        self._stack: list[nn.Module] = []
        self._origins: dict[int, Origin] = {}
        self._kept: list[Tensor] = []

    def enter(self, module: nn.Module, args: Any) -> None:
        """Take note that a module begins."""
        self._stack.append(module)

    def leave(self, module: nn.Module, args: Any, output: Any) -> None:
        """Take note that a module has ended."""
        if self._stack:
            self._stack.pop()

    def mark(self, tensor: Tensor, origin: Origin) -> None:
        """Give the origin of a tensor that is non-finite already."""
        self._kept.append(tensor)
        self._origins[tensor.untyped_storage().data_ptr()] = origin

    def origin(self, tensor: Tensor) -> Origin | None:
        """Return where the non-finite numbers of a tensor came from; None when not known."""
        return self._origins.get(tensor.untyped_storage().data_ptr())

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        before = [one for one in floats((args, kwargs or {})) if not is_finite(one)]
        has_nan = any(bool(one.isnan().any()) for one in before)
        known = [origin for one in before if (origin := self.origin(one)) is not None]
        result = func(*args, **(kwargs or {}))
        name = plain_operation(func.overloadpacket.__name__)
        if name in _UNWRITTEN:
            return result
        for output in floats(result):
            if not is_finite(output):
                self.mark(output, self._judge(name, args, output, known, has_nan))
        return result

    def _judge(self, name: str, args: Any, output: Tensor, known: list[Origin], has_nan: bool) -> Origin:
        made = [origin for origin in known if origin.kind != "fill"]
        if made:
            return made[0]
        if known and (has_nan or not bool(output.isnan().any())):
            return known[0]
        if name in _FILLS and not bool(output.isnan().any()):
            return Origin("fill", name)
        return self._new(name, args, output)

    def _new(self, name: str, args: Any, output: Tensor) -> Origin:
        node: Any = torch._C._current_autograd_node()
        if node is not None:
            return self._backward(node, name, output)
        given = [one for one in args if isinstance(one, Tensor | float | int)]
        operands: list[Any] = [*given, None, None]
        reason = undefined(name, Operands(operands[0], operands[1], output))
        module = self._stack[-1] if self._stack else None
        bad = ~output.isfinite()
        return Origin(
            "operation",
            name,
            reason,
            module=self._names.get(id(module), "") if module is not None else "",
            module_type=type(module).__name__ if module is not None else "",
            overflow=not reason and (name in _OVERFLOWS or bool(output.isinf().any())),
            rows=batch_rows(bad, self._batch) or _odd_rows(operands[0], self._batch, reason),
            values=values_at(operands, bad, reason),
            site=user_site(),
        )

    def _backward(self, node: Any, name: str, output: Tensor) -> Origin:
        operation, reason, operands = of_node(node, backward=True)
        first = operands.first if isinstance(operands.first, Tensor) else operands.result
        bad = ~output.isfinite()
        return Origin(
            "operation",
            operation or name,
            reason,
            backward=True,
            overflow=not reason and bool(output.isinf().any()),
            rows=batch_rows(bad, self._batch),
            values=values_at([first, None], bad, reason),
            site=traced_site(node.metadata.get("traceback_", [])),
        )


def is_finite(tensor: Tensor) -> bool:
    """Return whether all numbers of a tensor are finite."""
    return bool(tensor.detach().isfinite().all())


def batch_rows(bad: Tensor, batch: int) -> tuple[int, ...]:
    """Return the first samples of the batch that a mask marks; nothing when its first axis is no batch."""
    if not bad.ndim or not batch or bad.shape[0] % batch:
        return ()
    each = bad.shape[0] // batch
    rows = bad.reshape(bad.shape[0], -1).any(1).nonzero().flatten() // each
    return tuple(torch.unique(rows)[:MOST_VALUES].tolist())


def values_at(operands: list[Any], bad: Tensor, reason: str) -> tuple[float, ...]:
    """Return the first numbers that went into an operation where its result is bad."""
    pick = operands[1] if reason in ("division by 0", "0/0") and isinstance(operands[1], Tensor) else operands[0]
    if not isinstance(pick, Tensor) or not pick.numel():
        return ()
    with torch.no_grad():
        if bad.ndim and pick.shape != bad.shape:
            try:
                pick = pick.expand(bad.shape)
            except RuntimeError:
                return ()
        chosen = pick.detach()[bad] if pick.shape == bad.shape else pick.detach().flatten()
        return tuple(float(value) for value in chosen.flatten()[:MOST_VALUES])


def _odd_rows(first: Any, batch: int, reason: str) -> tuple[int, ...]:
    """Return rows of the operand that are at the edge of what is defined, for operations that sum over the batch."""
    if not isinstance(first, Tensor) or not reason or not first.is_floating_point():
        return ()
    return batch_rows(~first.detach().isfinite() | (first.detach() <= 0), batch) if "logarithm" in reason else ()


def floats(value: Any) -> Iterator[Tensor]:
    """Yield the tensors of numbers in a nest of tuples, lists and dicts."""
    if isinstance(value, Tensor):
        if (value.is_floating_point() or value.is_complex()) and value.numel() and value.layout is torch.strided:
            yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from floats(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from floats(item)
