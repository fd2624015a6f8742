"""Cross-validation: the samples that are not test, in folds of which each validates once."""

from typing import Any

import numpy as np
import numpy.typing as npt

from dlcheck.components.data.samples import Index
from dlcheck.errors import DlcheckError
from dlcheck.recipe.data import Split


def choose_fold(split: Split, fold: int | None) -> int:
    """Return the fold that validates: the caller's, else the recipe's, else the first.

    Raises:
        DlcheckError: there is no such fold.
    """
    number = fold if fold is not None else split.fold or 0
    folds = split.folds or 0
    if not 0 <= number < folds:
        raise DlcheckError(f"data.split.fold = {number}: with data.split.folds = {folds}, 0 to {folds - 1} are valid")
    return number


def fold_indices(
    split: Split,
    method: str,
    index: Index,
    classes: npt.NDArray[Any] | None,
    groups: npt.NDArray[Any] | None,
    *,
    number: int,
    notes: list[str],
) -> tuple[Index, Index]:
    """Return training and validation positions of fold ``number`` among ``index``.

    Stratified when the method is and every class has a sample for each fold; whole groups by ``group``; by
    ``time`` each fold trains on what lies before it.

    Raises:
        DlcheckError: more folds than samples or groups.
    """
    folds = split.folds or 0
    groups = groups[index] if method == "group" and groups is not None else None
    available = len(index) if groups is None else len(np.unique(groups))
    if folds >= available + (method != "time"):
        what = "samples" if groups is None else "groups"
        raise DlcheckError(f"data.split.folds = {folds}: only {available} {what} are left for them")
    strata = _strata(method, classes, index, folds, notes)
    parts = _splitter(split, method, strata is not None).split(index, y=strata, groups=groups)
    train, val = list(parts)[number]
    return index[train], index[val]


def _strata(
    method: str, classes: npt.NDArray[Any] | None, index: Index, folds: int, notes: list[str]
) -> npt.NDArray[Any] | None:
    if method != "stratified" or classes is None:
        return None
    chosen: npt.NDArray[Any] = classes[index]
    names, counts = np.unique(chosen, return_counts=True)
    if counts.min() < folds:
        notes.append(f"class {names[counts.argmin()]} has fewer samples than there are folds: folds drawn at random")
        return None
    return chosen


def _splitter(split: Split, method: str, stratified: bool) -> Any:
    from sklearn.model_selection import GroupKFold, KFold, StratifiedKFold, TimeSeriesSplit

    folds, seed = split.folds or 0, split.seed % (1 << 32)
    if method == "time":
        return TimeSeriesSplit(n_splits=folds)
    if method == "group":
        return GroupKFold(n_splits=folds)
    kind = StratifiedKFold if stratified else KFold
    return kind(n_splits=folds, shuffle=True, random_state=seed)
