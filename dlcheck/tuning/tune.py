"""A whole search: from a recipe and what was asked for to a study that has had enough."""

from __future__ import annotations

import dataclasses
import math
import os
import signal
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from dlcheck.errors import DlcheckError, nearest
from dlcheck.recipe import LoadedRecipe, Recipe, dump_recipe
from dlcheck.recipe.patch import patched
from dlcheck.recipe.resolve import resolve
from dlcheck.recipe.search import check_search
from dlcheck.recipe.tune import Tune, read_budget
from dlcheck.runs import write_atomic
from dlcheck.tuning.autospace import auto_space
from dlcheck.tuning.plan import COSTS, Plan, infer_direction
from dlcheck.tuning.quota import Enough, enough
from dlcheck.tuning.sampling import Strategy, choose, make_pruner
from dlcheck.tuning.space import build_space
from dlcheck.tuning.storage import DATABASE, database_url, is_local, open_storage
from dlcheck.tuning.study import Purpose, note_command, open_or_create, sweep
from dlcheck.tuning.trials import StudyView, view
from dlcheck.tuning.turn import Sole
from dlcheck.tuning.worker import quieten, work
from dlcheck.tuning.workers import Workers

if TYPE_CHECKING:
    import optuna

    from dlcheck.tuning.finish import Finished

ROOT = Path("dlcheck-studies")
TRIALS = 40
"""When nothing else says how much to try."""
Show = Callable[[StudyView], None]
Retrain = Callable[[dict[str, object], int], float]


@dataclass(frozen=True, slots=True)
class Request:
    """How to run a study on this machine; what to search for stands in the recipe."""

    study_dir: Path | None = None
    storage: str | None = None
    study_name: str | None = None
    workers: int = 1
    device: str = "auto"
    architecture: bool = False
    deterministic: bool = False
    conclude: bool = True
    """At the end, train the best trials again, choose one, and write ``best.toml``, ``trials.csv`` and the report."""
    source: str | None = None
    """Text of the recipe's file, whose comments ``best.toml`` is to keep."""


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
        KeyboardInterrupt: interrupted while the best trials were confirmed; what was trained is kept.
        DlcheckError: a recipe that cannot be built, a space or a storage that does not fit, a metric that is never
            logged, another recipe's study, a full disk.
    """
    settings = loaded.recipe.tune or Tune()
    recipe = resolve(loaded)
    plan = _plan(loaded, recipe, settings, request)
    with _folder(plan.folder, request) as folder, Sole(folder / ".lock"):
        quieten()
        purpose = Purpose(_searched(loaded.recipe, settings, request), plan, settings.subset)
        study = open_or_create(open_storage(plan.url, create=True), purpose)
        if not (folder / "recipe.toml").exists():
            write_atomic(folder / "recipe.toml", dump_recipe(recipe, defaults=False))
        strategy = _strategy(settings, plan)
        note_command(
            study,
            plan,
            why=strategy.why,
            subset=settings.subset,
            confirm_top=settings.confirm.top,
            confirm_seeds=settings.confirm.seeds,
        )
        sweep(study, lambda start: is_local(plan.url) or start.get("place") == plan.place)
        reason = _run(plan, study, show)
        tuned = Tuned(folder, view(study, plan.url), reason, _retrain(plan, _bare(recipe)))
        if reason is None or reason.failed or not request.conclude:
            return tuned
        return dataclasses.replace(tuned, finished=_finish(tuned, request, tell))


def _finish(tuned: Tuned, request: Request, tell: Callable[[str], None]) -> Finished:
    from dlcheck.tuning.finish import finish

    with terminable():
        return finish(tuned.folder, tuned.view, retrain=tuned.retrain, source=request.source, tell=tell)


def _run(plan: Plan, study: optuna.Study, show: Show) -> Enough | None:
    if (reason := enough(plan, view(study))) is not None:
        return reason
    try:
        with terminable():
            return _work(plan, study, show)
    except KeyboardInterrupt:
        return None


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


@contextmanager
def terminable() -> Iterator[None]:
    """Treat a polite end (SIGTERM) as Ctrl-C within the block, where signals may be had at all."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _plan(loaded: LoadedRecipe, recipe: Recipe, settings: Tune, request: Request) -> Plan:
    from dlcheck.training.device import choose_device
    from dlcheck.tuning.once import columns

    if request.deterministic and request.storage is not None:
        raise DlcheckError("--deterministic: only on this machine, without --storage")
    choose_device(request.device)
    trials, epochs, seconds = _amount(settings)
    searched = _searched(recipe, settings, request)
    small = _subset(_bare(recipe), settings.subset)
    if request.deterministic:
        small = patched(small, {"train.deterministic": True})
    metrics = (settings.metric,) if isinstance(settings.metric, str) else tuple(settings.metric)
    _refuse_unknown(metrics, [*columns(small, loaded.folder), *COSTS])
    folder = request.study_dir or ROOT / (request.study_name or loaded.name)
    plan = Plan(
        recipe=small,
        code=loaded.folder,
        folder=folder.absolute(),
        url=request.storage or database_url(folder),
        name=request.study_name or loaded.name,
        space=build_space(searched),
        metrics=metrics,
        minimize=_directions(metrics, settings.direction),
        sampler="",
        pruner="",
        limits=_limits(settings),
        seed=settings.seed,
        trials=trials,
        budget_epochs=epochs,
        budget_s=seconds,
        deadline=time.time() + settings.timeout if settings.timeout is not None else None,
        device=request.device,
        workers=request.workers,
        threads=_threads(request.workers),
        deterministic=request.deterministic,
        token=uuid.uuid4().hex,
    )
    strategy = _strategy(settings, plan)
    return dataclasses.replace(plan, sampler=strategy.sampler, pruner=strategy.pruner)


def _strategy(settings: Tune, plan: Plan) -> Strategy:
    return choose(settings.sampler, settings.pruner, space=plan.space, epochs=plan.epochs, objectives=len(plan.metrics))


def _amount(settings: Tune) -> tuple[int | None, int | None, float | None]:
    """Return how many trials, how many epochs and how many seconds of training there may be."""
    epochs, seconds = read_budget(settings.budget) if settings.budget is not None else (None, None)
    open_end = settings.budget is not None or settings.timeout is not None
    return settings.trials or (None if open_end else TRIALS), epochs, seconds


def _searched(recipe: Recipe, settings: Tune, request: Request) -> Recipe:
    if recipe.search:
        return recipe
    trials = _amount(settings)[0] or TRIALS
    found = recipe.model_copy(update={"search": auto_space(recipe, trials, architecture=request.architecture)})
    check_search(found)
    return found


def _bare(recipe: Recipe) -> Recipe:
    """Return a recipe without what only the search is about, as trials and the best one are written."""
    raw = recipe.model_dump(exclude_unset=True)
    return Recipe.model_validate({key: value for key, value in raw.items() if key not in ("tune", "search")})


def _subset(recipe: Recipe, share: float | None) -> Recipe:
    if share is None:
        return recipe
    limit = recipe.data.limit
    if isinstance(limit, int):
        return patched(recipe, {"data.limit": max(1, round(limit * share))})
    return patched(recipe, {"data.limit": share * (limit or 1.0)})


def _refuse_unknown(metrics: tuple[str, ...], known: list[str]) -> None:
    for metric in metrics:
        if metric not in known:
            raise DlcheckError(f"tune.metric: {metric!r} is never logged by this recipe; {nearest(metric, known)}")
    if len(set(metrics)) < len(metrics):
        raise DlcheckError(f"tune.metric: {metrics[-1]!r} stands there twice")
    if metrics[0] in COSTS:
        raise DlcheckError(
            f"tune.metric: {metrics[0]} alone would choose a network that learns nothing; name it second"
        )


def _directions(metrics: tuple[str, ...], said: object) -> tuple[bool, ...]:
    given = said if isinstance(said, list) else [said] * len(metrics)
    if len(given) != len(metrics):
        raise DlcheckError(f"tune.direction: {len(given)} directions for {len(metrics)} metrics")
    return tuple(_direction(metric, word) for metric, word in zip(metrics, given, strict=True))


def _direction(metric: str, word: object) -> bool:
    known = infer_direction(metric) if word is None else word == "min"
    if known is None:
        raise DlcheckError(f'tune.direction: is {metric} to be made small or large? set direction = "min" or "max"')
    return known


def _limits(settings: Tune) -> dict[str, float]:
    given = settings.limits.model_dump(exclude_none=True)
    return {name.removesuffix("_max"): float(most) for name, most in given.items()}


def _threads(workers: int) -> int | None:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores // workers) if workers > 1 else None


class _folder:
    """Makes a study's folder; one that is made for nothing is taken away again."""

    def __init__(self, path: Path, request: Request) -> None:
        self.path, self.request = path, request
        self.new = not path.exists()

    def __enter__(self) -> Path:
        if self.path.exists() and not self.path.is_dir():
            raise DlcheckError(f"{self.path}: a file, not a study's folder; choose another --study-dir")
        if not self.new and any(self.path.iterdir()) and not _is_study(self.path):
            raise DlcheckError(f"{self.path}: not a study's folder, and not empty; choose another --study-dir")
        logs, database = self.path / "trials", self.path / DATABASE
        if self.request.storage is None and logs.is_dir() and any(logs.iterdir()) and not database.exists():
            raise DlcheckError(f"{self.path}: holds logs of trials but no {DATABASE}; choose another --study-dir")
        try:
            (self.path / "trials").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DlcheckError(f"{self.path}: cannot be made: {error.strerror}") from None
        return self.path

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if self.new and isinstance(error, DlcheckError):
            with suppress(OSError):
                (self.path / ".lock").unlink(missing_ok=True)
                (self.path / "trials").rmdir()
                self.path.rmdir()


def _is_study(path: Path) -> bool:
    return (path / ".lock").exists() or (path / DATABASE).exists()


def _seldom(call: Callable[[], None], every: float = 1.0) -> Callable[[], None]:
    """Return the call, made at most once in so many seconds."""
    last = -math.inf

    def perhaps() -> None:
        nonlocal last
        if time.monotonic() - last >= every:
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
        root = plan.folder / "confirm"
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
