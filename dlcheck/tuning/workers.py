"""Worker processes: started, watched by their exit status, replaced when they die, stopped in good order."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from dlcheck.errors import DlcheckError, ExitCode
from dlcheck.recipe.code import own_process
from dlcheck.tuning.plan import Plan
from dlcheck.tuning.quota import enough
from dlcheck.tuning.storage import is_local
from dlcheck.tuning.study import sweep
from dlcheck.tuning.trials import view
from dlcheck.tuning.turn import Turn
from dlcheck.tuning.worker import TURN

if TYPE_CHECKING:
    import optuna

LOOK_S = 0.2
"""Seconds between looks at the workers: a dead one is seen well within two."""
LAST_WORDS_S = 20.0
"""How long workers may take to queue their trials again when they are asked to stop."""
MOST_DEATHS = 3
"""Workers that die in succession before any trial ends."""


@dataclass(slots=True)
class _Worker:
    index: int
    process: subprocess.Popen[bytes]
    complaints: IO[bytes]


class Workers:
    """The worker processes of one command; use as a context, which never leaves one behind."""

    def __init__(self, plan: Plan, study: optuna.Study) -> None:
        self.plan, self.study = plan, study
        self._workers: list[_Worker] = []
        self._deaths, self._finished = 0, self._count()

    def __enter__(self) -> Workers:
        self._workers = [self._start(index) for index in range(self.plan.workers)]
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def run(self, each: Callable[[], None]) -> None:
        """Wait until all workers are done; ``each`` is called a few times a second.

        Raises:
            DlcheckError: a worker cannot go on, or one after the other dies.
        """
        while self._workers:
            for worker in list(self._workers):
                if worker.process.poll() is not None:
                    self._workers.remove(worker)
                    self._after(worker)
            each()
            if self._workers:
                time.sleep(LOOK_S)

    def stop(self) -> None:
        """Ask all workers to queue their trials again and end; kill those that do not."""
        for worker in self._workers:
            worker.process.terminate()
        deadline = time.monotonic() + LAST_WORDS_S
        for worker in self._workers:
            try:
                worker.process.wait(max(deadline - time.monotonic(), 0.1))
            except subprocess.TimeoutExpired:
                worker.process.kill()
                worker.process.wait()
            self._close(worker)
        if self._workers:
            self._sweep(None)
        self._workers = []

    def _start(self, index: int) -> _Worker:
        complaints = tempfile.TemporaryFile()  # noqa: SIM115  # closed with its worker
        process = subprocess.Popen(
            own_process("dlcheck.tuning.worker"),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=complaints,
            env={**os.environ, **_environment(self.plan, index)},
            start_new_session=True,  # Ctrl-C in a terminal is for the parent, which then asks once and in order
        )
        assert process.stdin is not None
        with suppress(BrokenPipeError):  # died at once: its exit status tells
            pickle.dump((self.plan, index), process.stdin)
            process.stdin.flush()
        return _Worker(index, process, complaints)

    def _after(self, worker: _Worker) -> None:
        code = worker.process.returncode
        words = self._close(worker)
        if code == ExitCode.OK:
            return
        if code == ExitCode.USAGE:
            raise DlcheckError(words[-1] if words else "a worker gave up")
        self._sweep(worker.index)
        if enough(self.plan, view(self.study)) is not None:
            return  # nothing is left that its death could keep from being done
        finished = self._count()
        self._deaths = 1 if finished > self._finished else self._deaths + 1
        self._finished = finished
        if self._deaths >= MOST_DEATHS:
            last = f": {words[-1]}" if words else ""
            how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"
            raise DlcheckError(f"{MOST_DEATHS} workers in succession died ({how}) before any trial ended{last}")
        self._workers.append(self._start(worker.index))

    def _sweep(self, index: int | None) -> None:
        """Queue the trials of a worker, or of all, again.

        While nobody else draws a trial, one that has noted nothing yet belongs to a dead process too; on a storage
        that other hosts share, it may be theirs.
        """
        alone = is_local(self.plan.url)
        with Turn(self.plan.folder / TURN):
            sweep(
                self.study,
                lambda start: (
                    (not start and alone)
                    or (start.get("token") == self.plan.token and index in (None, start.get("worker")))
                ),
            )

    def _count(self) -> int:
        return sum(row.ending is not None and not row.requeued for row in view(self.study).trials)

    def _close(self, worker: _Worker) -> list[str]:
        if worker.process.stdin is not None:
            with suppress(BrokenPipeError):
                worker.process.stdin.close()
        worker.complaints.seek(0)
        lines = worker.complaints.read().decode("utf-8", "replace").splitlines()
        worker.complaints.close()
        return [line for line in lines if line.strip()]


def _environment(plan: Plan, index: int) -> dict[str, str]:
    """Return what a worker's environment has beside ours: its share of the threads, and its GPU."""
    threads = str(plan.threads or 1)
    own = {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads} if plan.threads is not None else {}
    devices = gpus(plan.device)
    return own | ({"CUDA_VISIBLE_DEVICES": devices[index % len(devices)]} if devices else {})


def gpus(device: str) -> list[str]:
    """Return the GPUs to share out, by what ``CUDA_VISIBLE_DEVICES`` allows; none unless the device is left open."""
    if device not in ("auto", "cuda"):
        return []
    allowed = os.environ.get("CUDA_VISIBLE_DEVICES")
    if allowed is not None:
        return [item.strip() for item in allowed.split(",") if item.strip()]
    import torch

    return [str(index) for index in range(torch.cuda.device_count())]
