"""What is undefined about an operation on the numbers that went into it, in words."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

Operand = Tensor | float | None
_TAIL = re.compile(r"Backward\d*$")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


@dataclass(frozen=True, slots=True)
class Operands:
    """What is known of one application of an operation; what is not known is None."""

    first: Operand = None
    second: Operand = None
    result: Tensor | None = None
    backward: bool = False
    """Its derivative is at fault, rather than its value."""


def plain_operation(name: str) -> str:
    """Return an operation's name without decoration: ``_log_softmax``, ``LogSoftmaxBackward0`` are ``log_softmax``."""
    if _TAIL.search(name):
        name = _HUMP.sub("_", _TAIL.sub("", name)).lower()
    name = name.strip("_").removesuffix("_forward").removesuffix("_no_training")
    return {"safe_softmax": "softmax", "masked_softmax": "softmax", "nll_loss2d": "nll_loss"}.get(name, name)


@torch.no_grad()
def undefined(operation: str, operands: Operands) -> str:
    """Return why the operation has no finite result (or derivative) there; empty when nothing is undefined."""
    judge = _JUDGES.get(operation)
    return judge(operands) if judge is not None else ""


def _any(mask: Tensor | bool) -> bool:
    return bool(mask.any()) if isinstance(mask, Tensor) else mask


def _logarithm(operands: Operands) -> str:
    first = operands.first
    if first is None:
        return ""
    if _any(first < 0):
        return "logarithm of a negative number"
    return "logarithm of 0" if _any(first == 0) else ""


def _logarithm_of_one_more(operands: Operands) -> str:
    first = operands.first
    return "" if first is None else _logarithm(Operands(first + 1))


def _root(operands: Operands) -> str:
    first, result = operands.first, operands.result
    if (first is not None and _any(first < 0)) or (first is None and result is not None and _any(result.isnan())):
        return "square root of a negative number"
    at_zero = (first is not None and _any(first == 0)) or (result is not None and _any(result == 0))
    return "square root at 0" if at_zero and operands.backward else ""


def _inverse_root(operands: Operands) -> str:
    first, result = operands.first, operands.result
    if first is not None and _any(first < 0):
        return "square root of a negative number"
    at_zero = (first is not None and _any(first == 0)) or (result is not None and _any(result.isinf()))
    return "division by the square root of 0" if at_zero else ""


def _division(operands: Operands) -> str:
    first, second = operands.first, operands.second
    if second is None or not _any(second == 0):
        return ""
    both = first is not None and _any((first == 0) & (second == 0))
    return "0/0" if both else "division by 0"


def _reciprocal(operands: Operands) -> str:
    first, result = operands.first, operands.result
    at_zero = (first is not None and _any(first == 0)) or (result is not None and _any(result.isinf()))
    return "division by 0" if at_zero else ""


def _power(operands: Operands) -> str:
    first, second = operands.first, operands.second
    if first is None or second is None:
        return ""
    exponent = second if isinstance(second, Tensor) else torch.tensor(float(second))
    base = first if isinstance(first, Tensor) else torch.tensor(float(first))
    if _any((base < 0) & (exponent != exponent.round())):
        return "fractional power of a negative number"
    at_zero = (base == 0) & (exponent != 0)
    if _any(at_zero & (exponent < 0)):
        return "negative power of 0"
    return "power below 1 at 0" if operands.backward and _any(at_zero & (exponent < 1)) else ""


def _norm(operands: Operands) -> str:
    result = operands.result
    return "norm of a zero vector" if operands.backward and result is not None and _any(result == 0) else ""


def _softmax(operands: Operands) -> str:
    first, result = operands.first, operands.result
    if isinstance(first, Tensor):
        masked = first.ndim > 0 and _any((first == -torch.inf).all(-1))
    else:
        masked = result is not None and result.ndim > 0 and _any(result.isnan().all(-1))
    return "softmax of a fully masked row" if masked else ""


def _deviation(operands: Operands) -> str:
    first, result = operands.first, operands.result
    if result is not None and isinstance(first, Tensor) and first.numel() <= result.numel():
        return "standard deviation of one number"
    equal = operands.backward and result is not None and _any(result == 0)
    return "standard deviation of equal numbers" if equal else ""


def _mean(operands: Operands) -> str:
    return "mean of no numbers" if isinstance(operands.first, Tensor) and not operands.first.numel() else ""


def _arc(operands: Operands) -> str:
    first = operands.first
    if first is None:
        return ""
    beyond = first.abs() > 1 if isinstance(first, Tensor) else abs(first) > 1
    if _any(beyond):
        return "arc of a number beyond 1"
    at_one = first.abs() == 1 if isinstance(first, Tensor) else abs(first) == 1
    return "slope of an arc at 1" if operands.backward and _any(at_one) else ""


_JUDGES: dict[str, Callable[[Operands], str]] = {
    **dict.fromkeys(("log", "log2", "log10"), _logarithm),
    "log1p": _logarithm_of_one_more,
    "sqrt": _root,
    "rsqrt": _inverse_root,
    "div": _division,
    "true_divide": _division,
    "reciprocal": _reciprocal,
    "pow": _power,
    **dict.fromkeys(("norm", "linalg_vector_norm", "cdist", "dist"), _norm),
    **dict.fromkeys(("softmax", "log_softmax"), _softmax),
    **dict.fromkeys(("std", "var", "std_mean", "var_mean"), _deviation),
    **dict.fromkeys(("mean", "nanmean"), _mean),
    "nll_loss": lambda operands: "mean over no targets",
    **dict.fromkeys(("acos", "asin"), _arc),
}
"""By operation, for one that made non-finite numbers of finite ones; ``nll_loss`` divides by its targets' weight."""


def of_node(node: object, *, backward: bool) -> tuple[str, str, Operands]:
    """Return operation, what is undefined about it, and operands, from what an autograd node has saved."""
    operation = plain_operation(type(node).__name__)
    operands = operands_of(node, backward=backward)
    if operation == "nll_loss":
        weight = _saved(node, ("total_weight",))
        return operation, "mean over no targets" if isinstance(weight, Tensor) and _any(weight == 0) else "", operands
    return operation, undefined(operation, operands), operands


def operands_of(node: object, *, backward: bool) -> Operands:
    """Return what an autograd node has saved of its operands."""
    saved = [_saved(node, names) for names in (("self", "input"), ("other", "exponent"), ("result",))]
    first, second, result = saved
    return Operands(first, second, result if isinstance(result, Tensor) else None, backward)


def _saved(node: object, names: tuple[str, ...]) -> Operand:
    for name in names:
        raw = getattr(node, f"_raw_saved_{name}", None)
        if getattr(raw, "unpack_hook", None) is not None:
            return None  # to read it would compute a checkpointed part again
        try:
            value = getattr(node, f"_saved_{name}", None)
        except RuntimeError:  # freed by the backward pass
            return None
        if isinstance(value, Tensor | float | int) and not isinstance(value, bool):
            return value
    return None
