"""Works through cases in processes of one thread each; spawned ones cannot import what ``__main__`` defines."""

from __future__ import annotations

import multiprocessing
import signal
import threading
from collections.abc import Iterator, Sequence
from functools import partial
from multiprocessing.pool import Pool
from pathlib import Path

import torch

from tests.benchmarks.treatments import train
from tests.benchmarks.treatments.cases import Case
from tests.benchmarks.treatments.record import Row
from tests.benchmarks.treatments.store import Scores
from tests.benchmarks.treatments.work import worked

PATIENCE_S = 3.0
"""Seconds that ending a pool may take before its processes are killed, and once more after that."""


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
        pool.close()
        pool.join()
    except BaseException:
        _break_off(pool)
        raise


def _break_off(pool: Pool) -> None:
    """End all processes: a training takes SIGTERM for a wish to end it well, and goes on to the next one.

    They are killed once the pool no longer needs its queues: one that dies in the middle of a message holds their lock.
    """
    ending = threading.Thread(target=pool.terminate, daemon=True)
    ending.start()
    ending.join(PATIENCE_S)
    for child in multiprocessing.active_children():
        child.kill()
    ending.join(PATIENCE_S)


def _begin(scores: Path) -> None:
    """Make a process ready: one thread, the scores of before, and deaf to Ctrl-C, which its parent answers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)
    train.SCORES[:] = [Scores(scores)]
