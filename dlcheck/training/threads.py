"""How many CPU threads a training gets."""

from __future__ import annotations

from typing import Literal

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from dlcheck.components.batches import Batch

SMALL_STEP_FLOP = 1e9
"""Forward operations of a step below which one thread is the safer choice.

Measured on two cores, networks of 0.6 to 660 MFLOP a step: while the machine is idle two threads are 0.97 to 1.5 times
as fast as one; while other programs keep both cores busy they are 2 to 100 times slower, for each waits for the other.
"""


def choose_threads(
    threads: Literal["auto"] | int, model: nn.Module, sample: Batch, batch_size: Literal["full"] | int
) -> int:
    """Set PyTorch's CPU threads and return their number.

    The choice follows from counted operations, never from a clock: the number of threads decides the order of
    sums, and the same recipe must give the same numbers again.
    """
    if threads == "auto":
        samples = len(sample[-1]) if batch_size == "full" else batch_size
        small = forward_flop(model, sample) / len(sample[-1]) * samples < SMALL_STEP_FLOP
        threads = 1 if small else torch.get_num_threads()
    torch.set_num_threads(threads)
    return threads


def forward_flop(model: nn.Module, sample: Batch) -> float:
    """Return the floating-point operations of one forward pass over a batch (matrix products, convolutions)."""
    was_training = model.training
    model.eval()
    counter = FlopCounterMode(display=False)
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]), counter:
            model(*sample[:-1])
    finally:
        model.train(was_training)
    return float(counter.get_total_flops())
