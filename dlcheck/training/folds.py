"""Cross-validation: one training a fold, in sub-folders of one folder."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from statistics import mean, stdev

from dlcheck.errors import DlcheckError
from dlcheck.recipe import LoadedRecipe, dump_recipe, load_recipe
from dlcheck.recipe.resolve import resolve
from dlcheck.runs.atomic import write_atomic
from dlcheck.runs.folder import default_run_path, is_run_folder, read_object, refuse_existing_run
from dlcheck.training.callbacks import Callback
from dlcheck.training.ranks import ALONE, Ranks
from dlcheck.training.session import TrainResult, resume, resume_share, train, train_share

RECIPE = "recipe.toml"


def train_all(
    loaded: LoadedRecipe,
    *,
    device: str = "auto",
    run_path: Path | None = None,
    callbacks: Iterable[Callback] = (),
    ranks: Ranks = ALONE,
    tell: Callable[[str], None] = lambda line: None,
) -> list[TrainResult]:
    """Train a recipe once, or once for every fold when it cross-validates.

    As one of several processes, the results are in the leading one; ``tell`` as ``train_share``.

    Raises:
        DlcheckError: as ``train``; or several processes are to cross-validate.
    """
    split = loaded.recipe.data.split
    if split.folds is None or split.fold is not None:
        result = train_share(
            loaded, ranks, device=device, run_path=run_path, callbacks=callbacks, fold=split.fold, tell=tell
        )
        return [] if result is None else [result]
    _refuse_several(ranks)
    parent = run_path or default_run_path(loaded.name)
    refuse_existing_run(parent)
    return _folds(loaded, parent, device=device, callbacks=list(callbacks))


def resume_all(
    path: Path,
    *,
    device: str = "auto",
    callbacks: Iterable[Callback] = (),
    tell: Callable[[str], None] = lambda line: None,
    ranks: Ranks = ALONE,
) -> list[TrainResult]:
    """Go on with a run, or with the folds of a cross-validation that are not finished; ``tell`` as ``resume``.

    Raises:
        DlcheckError: no run folder, or nothing left to do.
    """
    if is_run_folder(path) or not (path / RECIPE).is_file():
        where = None if device == "auto" else device
        result = resume_share(path, ranks, device=where, callbacks=callbacks, tell=tell)
        return [] if result is None else [result]
    _refuse_several(ranks)
    return _folds(load_recipe(path / RECIPE), path, device=device, callbacks=list(callbacks), tell=tell)


def _refuse_several(ranks: Ranks) -> None:
    if ranks.size > 1:
        raise DlcheckError("data.split.folds: several processes train one fold at a time; name it by data.split.fold")


def _folds(
    loaded: LoadedRecipe,
    parent: Path,
    *,
    device: str,
    callbacks: Sequence[Callback],
    tell: Callable[[str], None] = lambda line: None,
) -> list[TrainResult]:
    results: list[TrainResult] = []
    for fold in range(loaded.recipe.data.split.folds or 0):
        path = parent / f"fold-{fold}"
        if not path.exists():
            result = train(loaded, device=device, run_path=path, callbacks=callbacks, fold=fold)
        elif read_object(path / "facts.json").get("finished"):
            continue
        else:
            result = resume(path, callbacks=callbacks, tell=tell)
        if not (parent / RECIPE).exists():  # after the first training, which refuses what cannot work
            write_atomic(parent / RECIPE, dump_recipe(resolve(loaded)))
        results.append(result)
        if result.stopped == "interrupted":
            break
    if not results:
        raise DlcheckError(f"{parent}: every fold of this cross-validation has ended")
    return results


def across_folds(parent: Path) -> dict[str, tuple[float, float, int]]:
    """Return mean, standard deviation and number of folds of each validation metric at each fold's best epoch.

    Folds without a finished training are left out; with one fold the deviation is NaN.
    """
    values: dict[str, list[float]] = {}
    for path in sorted(parent.glob("fold-*/facts.json")):
        facts = read_object(path)
        if not facts.get("finished"):
            continue
        for name, value in facts.items():
            if re.fullmatch(r"best_val_\w+", name) and isinstance(value, float):
                values.setdefault(name.removeprefix("best_"), []).append(value)
    return {
        name: (mean(found), stdev(found) if len(found) > 1 else math.nan, len(found)) for name, found in values.items()
    }
