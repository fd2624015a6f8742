"""What kernels take inside an operation and give back before it ends: reordered weights, unfolded images, sums.

It depends on the library, the processor and the number of threads, and is told nowhere: each kernel is called once
alone, on zeros of the same layout, and its allocations are counted. The model itself is not run.
"""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.profiler import record_function
from torch.utils._pytree import tree_flatten, tree_leaves, tree_unflatten

from dlcheck.checks.memory.allocations import allocations

GREEDY = frozenset(
    f"aten.{name}.default"
    for name in (
        "convolution",
        "convolution_backward",
        "native_batch_norm_backward",
        "native_layer_norm_backward",
        "native_group_norm_backward",
        "_scaled_dot_product_flash_attention_for_cpu",
        "_scaled_dot_product_flash_attention_for_cpu_backward",
        "_log_softmax_backward_data",
        "nll_loss2d_forward",
        "_cdist_forward",
    )
)
"""Operations whose kernels take memory inside, and that are safe to call with zeros."""
RECURRENT = "aten.mkldnn_rnn_layer.default"
RECURRENT_BACKWARD = "aten.mkldnn_rnn_layer_backward.default"
"""Trusts blindly in what the forward pass left, and must be given it."""
PRODUCTS = frozenset(f"aten.{name}.default" for name in ("mm", "addmm", "bmm", "baddbmm"))
"""They do so at reduced precision, where factors are copied."""
MARK = "dlcheck kernel "
LARGEST = 1 << 28
"""Bytes of arguments up to which a kernel is called; above, a part of the batch stands for all of it."""


@dataclass(frozen=True, slots=True)
class Layout:
    """A tensor without its values."""

    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: torch.dtype
    device: str

    def zeros(self) -> Tensor:
        """Return zeros of this layout."""
        return torch.empty_strided(self.shape, self.strides, dtype=self.dtype, device=self.device).zero_()

    @property
    def bytes(self) -> int:
        """Bytes from the first value to the last."""
        if 0 in self.shape:
            return 0
        return self.dtype.itemsize * (1 + sum((n - 1) * s for n, s in zip(self.shape, self.strides, strict=True)))


@dataclass(frozen=True, slots=True)
class Call:
    """A call of an operation, tensors by their layouts: equal calls need equal memory."""

    name: str
    arguments: tuple[Any, ...]
    """Leaves of ``args`` and ``kwargs``, in order."""
    shape: Any
    """How the leaves are put together."""
    part: str = "inside"
    """Which need is asked for: ``inside``, or ``kept`` until the backward pass."""

    @property
    def bytes(self) -> int:
        """Bytes of all tensors among the arguments."""
        return sum(one.bytes for one in self.arguments if isinstance(one, Layout))

    @property
    def keeps(self) -> bool:
        """Whether what is asked for is a buffer that the kernel keeps for the backward pass, of unknown size."""
        return self.part == "kept"

    def ready(self) -> Callable[[], Any]:
        """Return the call on zeros, to be made."""
        leaves = [one.zeros() if isinstance(one, Layout) else one for one in self.arguments]
        args, kwargs = tree_unflatten(leaves, self.shape)
        if self.name == RECURRENT_BACKWARD:
            args = recurrent_arguments(args)
        operation = _operation(self.name)
        return lambda: operation(*args, **kwargs)


def recurrent_arguments(args: Any) -> Any:
    """Return arguments of the backward pass of a recurrent layer with what its forward pass really leaves."""
    inputs, state, rest = args[:7], args[7:13], args[13:]
    reverse, mode, hidden, layers, biases, train, both, sizes, batch_first, _ = rest
    forward = (reverse, sizes, mode, hidden, layers, biases, both, batch_first, train)
    output, hy, cy, buffer = _operation(RECURRENT)(*inputs, *forward)
    return (*inputs, output, hy, cy, *state[3:], *rest[:-1], buffer)


def call_of(func: Any, args: Any, kwargs: Mapping[str, Any]) -> Call | None:
    """Return the call, if its kernel may take memory inside; None otherwise."""
    name = str(func)
    if name not in (RECURRENT, RECURRENT_BACKWARD) and name not in GREEDY and not _shortened(name, args):
        return None
    leaves, shape = tree_flatten((tuple(args), dict(kwargs)))
    return Call(name, tuple(_layout(one) if isinstance(one, Tensor) else one for one in leaves), shape)


def _shortened(name: str, args: Any) -> bool:
    return name in PRODUCTS and any(isinstance(one, Tensor) and one.dtype.itemsize < 4 for one in tree_leaves(args))


def _layout(tensor: Tensor) -> Layout:
    return Layout(tuple(tensor.shape), tuple(tensor.stride()), tensor.dtype, str(tensor.device))


def _operation(name: str) -> Callable[..., Any]:
    space, operation, overload = name.split(".")
    found: Callable[..., Any] = getattr(getattr(getattr(torch.ops, space), operation), overload)
    return found


def needs(calls: Iterable[Call], *, deadline: float = math.inf) -> dict[Call, int]:
    """Return the bytes that each call takes beyond what it returns, at most at any moment.

    Args:
        calls: Equal ones are made once.
        deadline: On the clock of ``time.monotonic``; calls that would begin later are left out.
    """
    distinct = dict.fromkeys(calls)
    if not distinct:
        return {}
    on_gpu = any(
        isinstance(one, Layout) and one.device.startswith("cuda") for call in distinct for one in call.arguments
    )
    with torch.enable_grad(), warnings.catch_warnings():  # zeros need no gradient; kernels ask whether it is training
        warnings.simplefilter("ignore")
        return (_of_gpu if on_gpu else _of_cpu)(list(distinct), deadline)


def _of_gpu(calls: list[Call], deadline: float) -> dict[Call, int]:
    found: dict[Call, int] = {}
    for call in calls:
        if time.monotonic() > deadline:
            break
        ready = call.ready()
        torch.cuda.reset_peak_memory_stats()
        kept = _called(ready)
        found[call] = torch.cuda.max_memory_allocated() - torch.cuda.memory_allocated()
        del kept, ready
    return found


def _of_cpu(calls: list[Call], deadline: float) -> dict[Call, int]:
    made: list[tuple[Call, int]] = []
    with allocations() as read:
        for number, call in enumerate(calls):
            if time.monotonic() > deadline:
                break
            ready = call.ready()
            with record_function(f"{MARK}{number}"):
                kept = _called(ready)
            made.append((call, kept[3].nbytes if call.keeps and kept else 0))
            del kept, ready
    spans = read()
    inside = [beyond(spans.inside(f"{MARK}{number}")) for number in range(len(made))]
    return {call: size if call.keeps else more for (call, size), more in zip(made, inside, strict=True)}


def _called(ready: Callable[[], Any]) -> Any:
    """Make a call on zeros; one that they do not suit needs nothing that we would know of."""
    try:
        return ready()
    except (RuntimeError, IndexError, ValueError):
        return None


def beyond(moves: Iterable[int]) -> int:
    """Return how far a sum of what is taken (above 0) and given back (below) was above where it ends."""
    held = highest = 0
    for size in moves:
        held += size
        highest = max(highest, held)
    return highest - held
