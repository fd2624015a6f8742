"""Floating-point operations of a training step, counted without making one."""

from __future__ import annotations

import copy
import warnings

import torch
from torch._subclasses.fake_tensor import FakeCopyMode, FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode

from dlcheck.checks.memory import Work
from dlcheck.components.batches import Batch
from dlcheck.training.threads import forward_flop


def flop_per_step(work: Work, batch: Batch) -> float:
    """Return matrix products and convolutions of forward and backward, over all batches of an optimizer step.

    They are counted on tensors without memory. Where the model's code needs values, the forward pass is made on the
    batch and counts three times: a backward pass takes two products for each of the forward pass.
    """
    try:
        return _imitated(work, batch)
    except Exception:  # of the user's code, which could not be imitated
        return 3.0 * work.accumulated * forward_flop(work.model, batch)


def _imitated(work: Work, batch: Batch) -> float:
    mode = FakeTensorMode(allow_non_fake_inputs=True)
    with FakeCopyMode(mode):
        copied = copy.deepcopy(work)
    counter = FlopCounterMode(display=False)
    with warnings.catch_warnings(), mode:
        warnings.simplefilter("ignore")
        placed = copied.placed(tuple(torch.empty_like(one) for one in batch))
        with counter:
            copied.forward_backward([placed] * copied.accumulated)
    return float(counter.get_total_flops())
