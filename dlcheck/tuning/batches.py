"""The same trials twice, with any number of workers: drawn in order, judged by what was known when they were drawn."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from dlcheck.errors import DlcheckError, ExitCode
from dlcheck.tuning.objective import Objective, Outcome, StudyFailed, TrialFailed, attempt, judge
from dlcheck.tuning.plan import Plan
from dlcheck.tuning.quota import Enough, enough
from dlcheck.tuning.sampling import make_pruner
from dlcheck.tuning.trials import view
from dlcheck.tuning.worker import quieten, sampler_for, whole_grid

LOOK_S = 0.2
MOST_DEATHS = 3
"""Deaths of worker processes within one batch."""


@dataclass(frozen=True, slots=True)
class Task:
    """A trial for a worker that sees no storage."""

    number: int
    params: dict[str, object]
    before: tuple[FrozenTrial, ...]
    """Every trial of a lower number that had ended when this one's batch was drawn."""


@dataclass(frozen=True, slots=True)
class Done:
    """What such a worker sends back."""

    outcome: Outcome
    reports: dict[int, float]
    notes: dict[str, Any]
    """What the pruner noted down, as values at its rungs."""


def run_in_batches(plan: Plan, study: optuna.Study, each: Callable[[], None]) -> Enough:
    """Run batches of as many trials as there are workers until the study has had enough; return why.

    Trials of a batch are drawn one after the other, and the study is told of them in the same order, whichever ends
    first. Whether a trial is pruned depends on earlier batches alone.

    Raises:
        KeyboardInterrupt: interrupted; the batch is queued again.
        StudyFailed: the disk is full.
    """
    with _Pool(plan) as pool:
        while True:
            batch = _draw(plan, study)
            if isinstance(batch, Enough):
                return batch
            try:
                done = pool.run([task for _, task in batch], each)
            except (KeyboardInterrupt, StudyFailed):
                for trial, _ in batch:
                    Objective(plan).again(trial, "interrupted; queued again")
                    study.tell(trial, state=TrialState.FAIL)
                raise
            for (trial, _), result in zip(batch, done, strict=True):
                _tell(plan, study, trial, result)


def _draw(plan: Plan, study: optuna.Study) -> list[tuple[optuna.Trial, Task]] | Enough:
    ended = tuple(trial for trial in study.get_trials() if trial.state.is_finished())
    batch: list[tuple[optuna.Trial, Task]] = []
    while len(batch) < plan.workers:
        known = view(study)
        reason = enough(plan, known) or whole_grid(plan, study)
        if reason is not None:
            return batch or reason
        study.sampler = sampler_for(plan, known, 0)
        trial = study.ask()
        params = Objective(plan, worker=len(batch)).begin(trial)
        batch.append((trial, Task(trial.number, params, ended)))
    return batch


def _tell(plan: Plan, study: optuna.Study, trial: optuna.Trial, done: Done) -> None:
    for epoch, value in done.reports.items():
        trial.report(value, epoch)
    for key, note in done.notes.items():
        study._storage.set_trial_system_attr(trial._trial_id, key, note)
    try:
        study.tell(trial, Objective(plan).conclude(trial, done.outcome))
    except optuna.TrialPruned:
        study.tell(trial, state=TrialState.PRUNED)
    except TrialFailed:
        study.tell(trial, state=TrialState.FAIL)


def run_apart(plan: Plan, task: Task) -> Done:
    """Train a trial in a process that sees no storage, only what had ended before.

    Raises:
        StudyFailed: the disk is full.
    """
    trial = replica(plan, task)
    outcome = attempt(plan, task.number, task.params, lambda trained: judge(plan, trial, trained))
    own = trial.study.get_trials(deepcopy=False)[task.number]
    return Done(outcome, dict(own.intermediate_values), dict(own.system_attrs))


def replica(plan: Plan, task: Task) -> optuna.Trial:
    """Return a trial of the same number in a study in memory that holds what had ended before."""
    direction = optuna.study.StudyDirection
    study = optuna.create_study(
        study_name=plan.name,
        directions=[direction.MINIMIZE if small else direction.MAXIMIZE for small in plan.minimize],
        sampler=optuna.samplers.RandomSampler(seed=0),
        pruner=make_pruner(plan.pruner, plan.epochs),
    )
    known = {trial.number: trial for trial in task.before}
    blank = optuna.create_trial(state=TrialState.FAIL)
    study.add_trials([known.get(number, blank) for number in range(task.number)])
    return study.ask()


class _Pool:
    """Worker processes that are replaced when one dies."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._pool = self._make()

    def __enter__(self) -> _Pool:
        return self

    def __exit__(self, *_: object) -> None:
        for process in list((self._pool._processes or {}).values()):
            process.kill()
        self._pool.shutdown(cancel_futures=True)

    def run(self, tasks: list[Task], each: Callable[[], None]) -> list[Done]:
        done: dict[int, Done] = {}
        for _ in range(MOST_DEATHS):
            futures = {self._pool.submit(run_apart, self.plan, task): task for task in tasks if task.number not in done}
            self._wait(list(futures), each)
            try:
                for future, task in futures.items():
                    done[task.number] = future.result()
                return [done[task.number] for task in tasks]
            except BrokenProcessPool:
                self._pool.shutdown(cancel_futures=True)
                self._pool = self._make()
        raise DlcheckError(f"worker processes died {MOST_DEATHS} times over trials {[task.number for task in tasks]}")

    def _wait(self, futures: list[Future[Done]], each: Callable[[], None]) -> None:
        while wait(futures, timeout=LOOK_S).not_done:
            each()

    def _make(self) -> ProcessPoolExecutor:
        # A fresh interpreter each: PyTorch's threads do not survive a fork.
        context = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(self.plan.workers, context, initializer=_prepare, initargs=(self.plan,))


def _prepare(plan: Plan) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent
    threading.Thread(target=_die_with_parent, daemon=True).start()
    quieten()
    if plan.threads is not None:
        import torch

        os.environ["OMP_NUM_THREADS"] = str(plan.threads)
        torch.set_num_threads(plan.threads)


def _die_with_parent() -> None:
    """Wait for the parent's end, of which a pool's process is not told, and end with it."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(ExitCode.INTERNAL)
