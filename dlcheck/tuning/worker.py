"""The loop of a worker: one trial after the other, until the study has had enough."""

from __future__ import annotations

import os
import pickle
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from dlcheck.errors import DlcheckError, ExitCode, terminable
from dlcheck.tuning.plan import Plan
from dlcheck.tuning.quota import Enough, enough
from dlcheck.tuning.sampling import derived_seed, make_pruner, make_sampler
from dlcheck.tuning.storage import is_local, open_storage
from dlcheck.tuning.trials import END, RESULT, Ending, StudyView, view
from dlcheck.tuning.turn import Turn

if TYPE_CHECKING:
    import optuna

TURN = ".turn"
"""In the study's folder: who holds this lock draws the next trial."""


def work(plan: Plan, worker: int = 0) -> Enough:
    """Run trials until the study has had enough, and return why it has.

    Raises:
        StudyFailed: nothing can be stored any more.
        KeyboardInterrupt: interrupted; the running trial is queued again.
    """
    import optuna

    from dlcheck.tuning import objective  # noqa: F401  # PyTorch's start is not to count as the first trial's time

    quieten()
    storage = open_storage(plan.url, create=False, heartbeat=not is_local(plan.url))
    pruner = make_pruner(plan.pruner, plan.epochs)
    study = optuna.load_study(study_name=plan.name, storage=storage, pruner=pruner)
    while True:
        with Turn(plan.folder / TURN) as turn:
            known = view(study)
            reason = enough(plan, known) or whole_grid(plan, study)
            if reason is not None:
                return reason
            study.sampler = sampler_for(plan, known, worker)
            run_one(plan, study, worker, turn.release)


def run_one(plan: Plan, study: optuna.Study, worker: int, begun: Callable[[], None]) -> None:
    """Run one trial; ``begun`` is called once its values are known to the study."""
    import optuna

    from dlcheck.tuning.objective import Objective, TrialFailed

    def objective(trial: optuna.Trial) -> float | tuple[float, ...]:
        if not is_local(plan.url) and _one_too_many(plan, study, trial):
            trial.set_user_attr(RESULT, {"reason": "another host was quicker: the study has all its trials"})
            trial.set_user_attr(END, Ending.stopped.value)
            raise TrialFailed("one too many")
        return Objective(plan, worker=worker, begun=begun)(trial)

    try:
        # One at a time by Optuna's own loop: it is what keeps a server told that this worker lives.
        study.optimize(objective, n_trials=1, catch=(TrialFailed,))
    except (optuna.exceptions.UpdateFinishedTrialError, ValueError) as error:
        if "Cannot tell" not in str(error):
            raise
        # A server took this worker for dead while it was only slow: the trial runs again elsewhere.


def _one_too_many(plan: Plan, study: optuna.Study, trial: optuna.Trial) -> bool:
    """Return whether as many trials as were asked for began before this one, on whatever host."""
    if plan.trials is None:
        return False
    return sum(row.counts for row in view(study).trials if row.number < trial.number) >= plan.trials


def sampler_for(plan: Plan, known: StudyView, worker: int) -> optuna.samplers.BaseSampler:
    """Return a sampler whose chance depends on the worker and on how many trials there were before.

    With one seed for all, workers and resumed commands would draw the same points again. A sequence that spreads its
    points over all workers by itself needs one seed for all.
    """
    shared = plan.sampler in ("qmc", "grid")
    before = sum(row.counts for row in known.trials)
    seed = plan.seed if shared else derived_seed(plan.seed, worker, before)
    return make_sampler(plan.sampler, plan.space, seed=seed, trials=plan.trials or 100)


def whole_grid(plan: Plan, study: optuna.Study) -> Enough | None:
    """Return that every point of a grid was tried, None when there are more or there is no grid."""
    from optuna.samplers import GridSampler

    if plan.sampler != "grid":
        return None
    sampler = make_sampler("grid", plan.space, seed=plan.seed, trials=plan.trials or 100)
    assert isinstance(sampler, GridSampler)
    return Enough("every point of the grid") if sampler.is_exhausted(study) else None


def quieten() -> None:
    """Leave the talking to us: Optuna's log lines would break into the live table."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)


def main() -> None:
    """Run a worker process: its plan comes by standard input, which stays open as long as the parent lives."""
    plan, worker = pickle.load(sys.stdin.buffer)
    threading.Thread(target=_die_with_parent, daemon=True).start()
    if plan.threads is not None:
        import torch

        torch.set_num_threads(plan.threads)
    try:
        with terminable():
            work(plan, worker)
    except KeyboardInterrupt:
        sys.exit(ExitCode.INTERRUPTED)
    except DlcheckError as error:
        print(error, file=sys.stderr)
        sys.exit(ExitCode.USAGE)
    except Exception as error:
        from dlcheck.tuning.objective import disk_is_full, full

        if not disk_is_full(error):
            raise
        print(full(plan.folder), file=sys.stderr)
        sys.exit(ExitCode.USAGE)


def _die_with_parent() -> None:
    # Not through sys.stdin: a thread that waits inside its buffer makes the interpreter abort when it ends.
    while os.read(sys.stdin.fileno(), 1):
        pass
    os._exit(ExitCode.INTERNAL)  # as if killed: whoever resumes finds the trial running, and queues it again


if __name__ == "__main__":
    main()
