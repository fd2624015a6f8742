"""The peak of a real step, as the allocator saw it."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor
from torch.autograd.profiler import record_function

from dlcheck.checks.memory.allocations import allocations
from dlcheck.checks.memory.trace import CUDA_ROUNDING
from dlcheck.checks.memory.work import Work
from dlcheck.components.batches import Batch

MARK = "dlcheck step"


def measured_peak(work: Work, batch: Batch) -> int:
    """Make two steps and return the most bytes in use during the second, parameters and batch included.

    Weights, gradients and optimizer move: use it on what may change, or within ``checks.state.untouched``. What else
    lives in the process is not counted. On a CPU, PyTorch's profiler tells what its allocator takes and gives back; on
    CUDA the allocator itself knows.
    """
    batches = work.batches(batch)
    for optimizer in work.optimizers:
        optimizer.zero_grad()  # of these, the profiler would not see that they are given back
    for parameter in work.standing()["parameters"]:
        parameter.grad = None
    gc.collect(0)
    return _on_cuda(work, batches) if work.device.type == "cuda" else _on_cpu(work, batches)


def _on_cpu(work: Work, batches: Sequence[Batch]) -> int:
    standing = _standing(work, batches)
    steps = work.steps(batches)
    with allocations() as read:
        steps.once()
        with record_function(MARK):
            steps.once()
    spans = read()
    return standing + highest(spans.moves, since=spans.marks[MARK][0])


def highest(moves: Iterable[tuple[int, int]], *, since: int) -> int:
    """Return the highest sum of what is taken and given back, from a moment on; what came before is in it."""
    held = before = most = 0
    seen = False
    for moment, size in moves:
        if moment < since:
            before += size
        held += size
        if moment >= since:
            most, seen = (max(most, held), True) if seen else (max(before, held), True)
    return most if seen else before


def _on_cuda(work: Work, batches: Sequence[Batch]) -> int:
    steps = work.steps(batches)
    steps.once()
    torch.cuda.synchronize(work.device)
    # What is left over belongs to others, or to the libraries: cuBLAS takes its workspace at the first step, for good.
    others = torch.cuda.memory_allocated(work.device) - _standing(work, batches, rounding=CUDA_ROUNDING)
    torch.cuda.reset_peak_memory_stats(work.device)
    steps.once()
    torch.cuda.synchronize(work.device)
    return int(torch.cuda.max_memory_allocated(work.device)) - max(0, others)


def _standing(work: Work, batches: Sequence[Batch], *, rounding: int = 1) -> int:
    """Return the bytes of what is there between two steps."""
    tensors = [one for several in work.standing().values() for one in several]
    tensors += [*work.gradients(), *work.state(), *(tensor for batch in batches for tensor in batch)]
    return storage_bytes((one for one in tensors if one.device.type == work.device.type), rounding=rounding)


def storage_bytes(tensors: Iterable[Tensor], *, rounding: int = 1) -> int:
    """Return the bytes behind these tensors, shared memory counted once, each piece rounded up."""
    sizes = {t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in tensors}
    return sum(-(-size // rounding) * rounding for size in sizes.values())
