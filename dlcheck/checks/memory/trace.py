"""A step's memory traced on tensors without memory; where a model does not allow that, on real ones."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch._subclasses.fake_tensor import FakeCopyMode, FakeTensorMode

from dlcheck.checks.memory.kernels import Call
from dlcheck.checks.memory.ledger import Balance, Piece, balance
from dlcheck.checks.memory.tracker import Tracker
from dlcheck.checks.memory.work import Work
from dlcheck.components.batches import Batch

CUDA_ROUNDING = 512
"""Bytes that PyTorch's allocator for CUDA rounds each tensor up to (c10/cuda/CUDACachingAllocator, kMinBlockSize)."""


@dataclass(frozen=True, slots=True)
class Trace:
    """A step of the steady state: gradients of the step before are there, and the optimizer's state."""

    size: int
    """Samples in a batch."""
    pieces: Sequence[Piece]
    since: int
    """Moment at which the step began."""
    calls: Sequence[tuple[Call, Piece]]
    """Of kernels that take memory inside, each with a piece of it whose bytes are not known yet."""

    def balanced(self, needs: Sequence[int], *, rounding: int = 1) -> Balance:
        """Return the peak, with the bytes that each of ``calls`` takes."""
        inside = [replace(piece, bytes=size) for (_, piece), size in zip(self.calls, needs, strict=True) if size > 0]
        return balance([*self.pieces, *inside], self.since, rounding=rounding)


def imitated(work: Work, batch: Batch, size: int, *, foreach: bool = False) -> Trace:
    """Trace a step on tensors that have no memory and no values; the work itself is not touched.

    Args:
        work: What takes part.
        batch: Gives shapes and types of all but the first axis.
        size: Samples.
        foreach: Let optimizers without a wish of their own work on all parameters at once, as they do on CUDA; of
            tensors without memory they would not notice that they lie there.

    Raises:
        Exception: of whatever kind, where the model's code needs values or cannot be copied.
    """
    mode = FakeTensorMode(allow_non_fake_inputs=True)
    with FakeCopyMode(mode):
        copied = copy.deepcopy(work)
    for optimizer in copied.optimizers:
        optimizer.state.clear()  # made anew, so that its counters have values
        for group in optimizer.param_groups:
            if foreach and group.get("foreach") is None and not group.get("fused"):
                group["foreach"] = True
    with warnings.catch_warnings(), mode:
        warnings.simplefilter("ignore")
        batches = [_like(copied, batch, size) for _ in range(copied.accumulated)]
        return _traced(copied, batches, Tracker(imitated=True), alone=True)


def real(work: Work, batch: Batch) -> Trace:
    """Trace two real steps; weights and optimizer move."""
    batches = work.batches(batch)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _traced(work, batches, Tracker(imitated=False), alone=False)


def _like(work: Work, batch: Batch, size: int) -> Batch:
    made = (torch.empty((size, *one.shape[1:]), dtype=one.dtype, device=one.device) for one in batch)
    return work.placed(tuple(made))


def _traced(work: Work, batches: Sequence[Batch], tracker: Tracker, *, alone: bool) -> Trace:
    """Trace the second step; ``alone``: optimizers may be brought to where their first step leaves them without it."""
    for cause, tensors in work.standing().items():
        tracker.note(tensors, cause)
    tracker.note(work.gradients(), "gradients")
    tracker.note(work.state(), "optimizer")
    tracker.note((tensor for batch in batches for tensor in batch), "batch")
    steps = work.steps(batches)
    with tracker.following(work), tracker:
        if not (alone and work.warmed()):
            steps.once()
        since, before = tracker.moment, len(tracker.calls)
        tracker.step_begins()
        steps.once()
        tracker.step_ended(work)
    return Trace(len(batches[0][-1]), tracker.pieces, since, tracker.calls[before:])
