"""Works through cases in processes of one thread each; spawned ones cannot import what ``__main__`` defines."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import torch

from tests.benchmarks.treatments import train
from tests.benchmarks.treatments.cases import Case
from tests.benchmarks.treatments.record import Row
from tests.benchmarks.treatments.store import Scores
from tests.benchmarks.treatments.work import worked


def made(missing: Sequence[Case], doctors: tuple[str, ...], jobs: int, scores: Path) -> Iterator[Row]:
    """Yield what came of each case as it ends.

    Args:
        missing: Cases to work through, begun in this order.
        doctors: Who treats them.
        jobs: Processes.
        scores: File of the points of trainings that need no second time.
    """
    if not missing:
        return
    context = multiprocessing.get_context("spawn")
    pool = context.Pool(jobs, _begin, (scores,), maxtasksperchild=50)
    try:
        yield from pool.imap_unordered(partial(worked, doctors=doctors), missing)
    finally:
        for child in multiprocessing.active_children():
            child.kill()  # a training takes SIGTERM for a wish to end it well, and goes on to the next one
        pool.terminate()


def _begin(scores: Path) -> None:
    """Make a process ready: one thread, the scores of before, and deaf to Ctrl-C, which its parent answers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)
    train.SCORES[:] = [Scores(scores)]
