"""Makes trainings, several at a time, and keeps what came of each as a line; what is there is not made again."""

from __future__ import annotations

import contextlib
import json
import math
import multiprocessing
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import torch

from tests.benchmarks.faults import ask
from tests.benchmarks.faults.data import data
from tests.benchmarks.faults.jobs import Job
from tests.benchmarks.faults.loop import WORST, Result, Training
from tests.benchmarks.faults.peers import PEERS
from tests.benchmarks.faults.plan import Plan
from tests.benchmarks.faults.plants import FAULTS
from tests.benchmarks.faults.record import Told, Trained
from tests.benchmarks.faults.styles import STYLES


class Store:
    """A file of lines, one a training."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            whole = path.read_bytes()
            path.write_bytes(whole[: whole.rfind(b"\n") + 1])

    def rows(self) -> dict[str, Trained]:
        """Return what is there, by the job's key; a last line that was torn off is left out."""
        found: dict[str, Trained] = {}
        if self.path.exists():
            for line in self.path.read_text(encoding="utf-8").splitlines():
                with contextlib.suppress(json.JSONDecodeError):
                    row = Trained.of(json.loads(line))
                    found[row.key] = row
        return found

    def add(self, row: Trained) -> None:
        """Append a training."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row.as_dict()) + "\n")


def planned(job: Job) -> tuple[Plan, str | None]:
    """Return the plan of a job, with its style or fault, and the layer where a fault was planted."""
    plan = job.program.plan(job.seed)
    if job.kind == "healthy":
        STYLES[job.variant].apply(plan)
        return plan, None
    return plan, FAULTS[job.variant].plant(plan)


def make(job: Job, peers: Sequence[str] = ()) -> Trained:
    """Make one training, and ask whoever is to be asked."""
    begun, clean = time.perf_counter(), data(job.program.data)
    if job.kind == "fault":
        clean = FAULTS[job.variant].clean(clean)

    def plan() -> Plan:
        return planned(job)[0]

    doctors: dict[str, list[Told]] = {}
    if job.asked:
        training, doctors["live"], error = ask.watched(plan, clean, looks=job.kind == "fault")
        result = training.judge() if training is not None else _failed(error)
        doctors["log"] = ask.by_log(result.log)
        if job.seed == 0:
            doctors |= _peers(plan, job, peers)
    else:
        result = ask.plain(plan, clean)
    if job.checked:
        with contextlib.suppress(Exception):
            doctors["check"] = ask.examined(plan, job.seed)
    return _row(job, result, doctors, time.perf_counter() - begun)


def _failed(error: BaseException | None) -> Result:
    return Result(scores=[WORST], losses=[math.inf], error=error)


def _row(job: Job, result: Result, doctors: dict[str, list[Told]], seconds: float) -> Trained:
    error = None if result.error is None else f"{type(result.error).__name__}: {result.error}"[:200]
    return Trained(
        job.program.name,
        job.variant,
        job.kind,
        job.half,
        job.seed,
        result.scores[-1],
        best=max(result.scores),
        gap=result.gap,
        steps=result.steps,
        error=error,
        seconds=round(seconds, 3),
        doctors=doctors,
        layer=planned(job)[1],
    )


def _peers(plan: Callable[[], Plan], job: Job, names: Sequence[str]) -> dict[str, list[Told]]:
    """Ask peers: those written anew in one training together, for they only listen; each of the others alone."""
    made = {name: PEERS[name]() for name in names}
    present = {name: peer for name, peer in made.items() if peer.available() is None}
    listeners = [name for name in present if name.endswith("-rules")]
    for group in [listeners, *([name] for name in present if name not in listeners)]:
        if group:
            with ask.quiet(), contextlib.suppress(Exception):
                Training(plan(), data(job.program.data), [present[name] for name in group]).run()
    return {name: peer.told for name, peer in present.items() if peer.failed is None}


def run(found: Sequence[Job], store: Store, workers: int, peers: tuple[str, ...] = ()) -> Iterator[Trained]:
    """Make all trainings that the store lacks, and yield each as it ends."""
    known = store.rows()
    left = [job for job in found if job.key not in known]
    if not left:
        return
    context = multiprocessing.get_context("spawn")
    with context.Pool(workers, torch.set_num_threads, (1,), maxtasksperchild=200) as pool:
        for row in pool.imap_unordered(partial(make, peers=peers), left):
            store.add(row)
            yield row
