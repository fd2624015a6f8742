"""Cross-validation: one training a fold, in sub-folders of one folder."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import mean, stdev

from dlcheck.errors import DlcheckError
from dlcheck.recipe import LoadedRecipe, dump_recipe, load_recipe
from dlcheck.recipe.resolve import resolve
from dlcheck.runs.atomic import write_atomic
from dlcheck.runs.folder import default_run_path, is_run_folder, read_object, refuse_existing_run
from dlcheck.training.callbacks import Callback
from dlcheck.training.session import TrainResult, resume, train

RECIPE = "recipe.toml"


def train_all(
    loaded: LoadedRecipe,
    *,
    device: str = "auto",
    run_path: Path | None = None,
    callbacks: Iterable[Callback] = (),
) -> list[TrainResult]:
    """Train a recipe once, or once for every fold when it cross-validates.

    Raises:
        DlcheckError: as ``train``.
    """
    split = loaded.recipe.data.split
    if split.folds is None or split.fold is not None:
        return [train(loaded, device=device, run_path=run_path, callbacks=callbacks, fold=split.fold)]
    parent = run_path or default_run_path(loaded.name)
    refuse_existing_run(parent)
    return _folds(loaded, parent, device=device, callbacks=list(callbacks))


def resume_all(path: Path, *, device: str = "auto", callbacks: Iterable[Callback] = ()) -> list[TrainResult]:
    """Go on with a run, or with the folds of a cross-validation that are not finished.

    Raises:
        DlcheckError: no run folder, or nothing left to do.
    """
    if is_run_folder(path) or not (path / RECIPE).is_file():
        return [resume(path, device=None if device == "auto" else device, callbacks=callbacks)]
    return _folds(load_recipe(path / RECIPE), path, device=device, callbacks=list(callbacks))


def _folds(loaded: LoadedRecipe, parent: Path, *, device: str, callbacks: Sequence[Callback]) -> list[TrainResult]:
    results: list[TrainResult] = []
    for fold in range(loaded.recipe.data.split.folds or 0):
        path = parent / f"fold-{fold}"
        if not path.exists():
            result = train(loaded, device=device, run_path=path, callbacks=callbacks, fold=fold)
        elif read_object(path / "facts.json").get("finished"):
            continue
        else:
            result = resume(path, callbacks=callbacks)
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
