"""In which order an epoch visits the samples: a function of seed and epoch alone."""

import numpy as np
import torch
from torch import Tensor


def seed_of(*parts: int) -> int:
    """Mix integers to one seed of 63 bits, so that neighbouring seeds and epochs are unrelated.

    Uses NumPy's ``SeedSequence`` (O'Neill's seed_seq hash, 2015).
    """
    words = np.random.SeedSequence([part % (1 << 64) for part in parts]).generate_state(1, np.uint64)
    return int(words[0]) >> 1


def epoch_order(samples: int, seed: int, epoch: int, *, shuffle: bool) -> Tensor:
    """Return the samples' indices in the order of this epoch, on the CPU."""
    if not shuffle:
        return torch.arange(samples)
    return torch.randperm(samples, generator=torch.Generator().manual_seed(seed_of(seed, epoch)))


def batch_count(samples: int, batch_size: int, drop_last: bool) -> int:
    """Return the number of batches of an epoch; a single incomplete batch is never dropped."""
    if drop_last:
        return max(1, samples // batch_size)
    return -(-samples // batch_size)
