"""A whole search: from a recipe and what was asked for to a study that has had enough."""

from __future__ import annotations

import dataclasses
import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dlcheck.errors import ended_by, terminable
from dlcheck.recipe import LoadedRecipe, Recipe, dump_recipe
from dlcheck.recipe.patch import patched
from dlcheck.recipe.resolve import resolve
from dlcheck.recipe.tune import Tune
from dlcheck.runs import write_atomic
from dlcheck.tuning.plan import Plan
from dlcheck.tuning.planning import Request, bare, make_plan
from dlcheck.tuning.quota import Enough, enough
from dlcheck.tuning.sampling import make_pruner
from dlcheck.tuning.storage import is_local, open_storage
from dlcheck.tuning.study import Purpose, note_command, open_or_create, sweep
from dlcheck.tuning.study_folder import CONFIRM, LOCK, StudyFolder, clear
from dlcheck.tuning.trials import StudyView, view
from dlcheck.tuning.turn import Sole
from dlcheck.tuning.worker import quieten, work
from dlcheck.tuning.workers import Workers

if TYPE_CHECKING:
    import optuna

    from dlcheck.tuning.confirm import Retrain
    from dlcheck.tuning.finish import Finished

Show = Callable[[StudyView], None]


@dataclass(frozen=True, slots=True)
class Tuned:
    """A study as a command left it."""

    folder: Path
    view: StudyView
    enough: Enough | None
    """Why it ended; None when it was interrupted."""
    retrain: Retrain
    """Trains values by path on all data for all epochs, with a seed, and returns the metric (NaN if it died)."""
    finished: Finished | None = None
    """What the search came to; None when it was interrupted or could not go on."""
    signal: int | None = None
    """The signal that interrupted it."""


def tune(
    loaded: LoadedRecipe,
    request: Request,
    show: Show = lambda view: None,
    tell: Callable[[str], None] = lambda line: None,
) -> Tuned:
    """Search until the study has had enough, or is interrupted.

    Args:
        loaded: The recipe; ``[tune]`` and ``[search]`` say how and where to search.
        request: How to go about it on this machine.
        show: Called about once a second with the study as it is.
        tell: Called with a line after each training that confirms the best trials.

    Raises:
        DlcheckError: a recipe that cannot be built, a space or a storage that does not fit, a metric that is never
            logged, another recipe's study, a full disk.
    """
    settings = loaded.recipe.tune or Tune()
    recipe = resolve(loaded)
    plan = make_plan(loaded, recipe, request)
    with StudyFolder(plan.folder, own_database=request.storage is None) as folder, Sole(folder / LOCK), _room(folder):
        quieten()
        clear(folder)
        purpose = Purpose(loaded.recipe, plan, settings.subset, request.architecture)
        study = open_or_create(open_storage(plan.url, create=True), purpose)
        if purpose.auto:
            plan = dataclasses.replace(plan, space=view(study).space)
        if not (folder / "recipe.toml").exists():
            write_atomic(folder / "recipe.toml", dump_recipe(recipe, defaults=False))
        confirm = {"confirm_top": settings.confirm.top, "confirm_seeds": settings.confirm.seeds}
        note_command(study, plan, subset=settings.subset, **confirm)
        sweep(study, lambda start: is_local(plan.url) or start.get("place") == plan.place, command=True)
        reason = _run(plan, study, show)
        tuned = Tuned(folder, view(study, plan.url), None, _retrain(plan, bare(recipe)))
        if isinstance(reason, int):
            return dataclasses.replace(tuned, signal=reason)
        if reason.failed or not request.conclude:
            return dataclasses.replace(tuned, enough=reason)
        return _finish(tuned, reason, request, tell)


@contextmanager
def _room(folder: Path) -> Iterator[None]:
    """Say in one line that the disk is full, wherever the database or a file met that."""
    try:
        yield
    except Exception as error:
        from dlcheck.tuning.objective import StudyFailed, disk_is_full, full

        if isinstance(error, StudyFailed) or not disk_is_full(error):
            raise
        raise full(folder) from None


def _finish(tuned: Tuned, reason: Enough, request: Request, tell: Callable[[str], None]) -> Tuned:
    from dlcheck.tuning.finish import finish

    try:
        with terminable():
            found = finish(tuned.folder, tuned.view, retrain=tuned.retrain, source=request.source, tell=tell)
    except KeyboardInterrupt as wish:  # the trainings that confirm, each of which is kept once it ends
        return dataclasses.replace(tuned, signal=ended_by(wish))
    return dataclasses.replace(tuned, enough=reason, finished=found)


def _run(plan: Plan, study: optuna.Study, show: Show) -> Enough | int:
    """Return why the study has had enough, or the signal that interrupted it."""
    if (reason := enough(plan, view(study))) is not None:
        return reason
    try:
        with terminable():
            return _work(plan, study, show)
    except KeyboardInterrupt as wish:
        return ended_by(wish)


def _work(plan: Plan, study: optuna.Study, show: Show) -> Enough:
    if plan.deterministic and plan.workers > 1:
        from dlcheck.tuning.batches import run_in_batches

        study.pruner = make_pruner(plan.pruner, plan.epochs)
        return run_in_batches(plan, study, _seldom(lambda: show(view(study, plan.url))))
    if plan.workers == 1:
        with _Showing(plan, show):
            return work(plan)
    with Workers(plan, study) as workers:
        workers.run(_seldom(lambda: show(view(study, plan.url))))
    return enough(plan, view(study)) or Enough("the workers are done")


def _seldom(call: Callable[[], None]) -> Callable[[], None]:
    """Return the call, made at most once in a second."""
    last = -math.inf

    def perhaps() -> None:
        nonlocal last
        if time.monotonic() - last >= 1.0:
            last = time.monotonic()
            call()

    return perhaps


class _Showing:
    """Shows a study about once a second while the only worker keeps this thread busy."""

    def __init__(self, plan: Plan, show: Show) -> None:
        self.plan, self.show = plan, show
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._loop, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _loop(self) -> None:
        import optuna

        study = optuna.load_study(study_name=self.plan.name, storage=open_storage(self.plan.url, create=False))
        while True:
            over = self._over.wait(1.0)
            self.show(view(study, self.plan.url))
            if over:
                return


def _retrain(plan: Plan, recipe: Recipe) -> Retrain:
    from dlcheck.tuning.once import train_once

    def again(params: dict[str, object], seed: int) -> float:
        root = plan.folder / CONFIRM
        root.mkdir(exist_ok=True)
        number = sum(1 for _ in root.iterdir())
        path = root / f"{number:04d}"
        while path.exists():
            number += 1
            path = root / f"{number:04d}"
        whole = patched(recipe, {**params, "train.seed": seed})
        trained = train_once(whole, code=plan.code, path=path, device=plan.device)
        return {**trained.result, **trained.costs}.get(plan.metric, math.nan)

    return again
