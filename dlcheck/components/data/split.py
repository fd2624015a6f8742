"""Which samples train, validate and test."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dlcheck.components.data.fold import choose_fold, fold_indices
from dlcheck.components.data.samples import Index
from dlcheck.errors import DlcheckError
from dlcheck.recipe.data import Split

Values = npt.NDArray[Any]
Draw = Callable[[Index, int], tuple[Index, Index]]


@dataclass(frozen=True, slots=True)
class Traits:
    """What a split may go by; each array has one entry a sample."""

    samples: int
    classes: Values | None = None
    groups: Values | None = None
    times: Values | None = None
    """Anything that sorts; unset: samples are in the order of time."""
    by_time: bool = False
    """Whether ``auto`` means a split by time."""


@dataclass(frozen=True, slots=True)
class Indices:
    """Positions of each split's samples, sorted (by time: in the order of time)."""

    train: Index
    val: Index
    test: Index
    """Empty when the data comes with a test set of its own."""
    notes: tuple[str, ...] = ()


def choose_method(split: Split, traits: Traits) -> str:
    """Return the method that ``auto`` (and ``given``, for the part that was not given) stands for.

    Raises:
        DlcheckError: the method asks for something that the data lacks.
    """
    method: str = split.method
    if method in ("auto", "given"):
        if split.group is not None:
            method = "group"
        elif traits.by_time:
            method = "time"
        else:
            method = "random" if traits.classes is None else "stratified"
    if method == "stratified" and traits.classes is None:
        raise DlcheckError('data.split.method = "stratified": the target is no class; valid: random, group, time')
    if method == "group" and traits.groups is None:
        raise DlcheckError('data.split.method = "group": data.split.group must name a column of the data')
    return method


def evaluation_size(samples: int) -> int:
    """Return how many samples validate (and how many test) when the recipe does not say.

    A fifth up to 10,000 samples, then 2,000 or a tenth, at most 10,000: from 60/20/20 for small data to
    98/1/1 for a million (Ng, Machine Learning Yearning, 2018, chapter 7). 10,000 samples know an accuracy of
    90 % within ±0.6 points, twice the binomial standard error; more buys little.
    """
    return max(1, int(min(0.2 * samples, max(2000, 0.1 * samples), 10_000)))


def split_indices(split: Split, traits: Traits, *, fold: int | None = None, test_given: bool = False) -> Indices:
    """Split samples by ``[data.split]``; the same ``split.seed`` gives the same split.

    Raises:
        DlcheckError: too few samples or groups, or a method that the data does not allow.
    """
    if split.method == "given" and not test_given:
        raise DlcheckError(
            'data.split.method = "given": this data comes in one piece; valid: auto, random, stratified, group, time'
        )
    method = choose_method(split, traits)
    sizes = _sizes(split, traits.samples, test_given)
    notes: list[str] = []
    draw = _draws(split, traits, notes)[method]
    rest = np.arange(traits.samples)
    test = rest[:0]
    if sizes["test"]:
        rest, test = draw(rest, sizes["test"])
    if split.folds is not None:
        number = choose_fold(split, fold)
        train, val = fold_indices(split, method, rest, traits.classes, traits.groups, number=number, notes=notes)
    else:
        train, val = draw(rest, sizes["val"])
    return Indices(train, val, test, tuple(dict.fromkeys(notes)))


def _sizes(split: Split, samples: int, test_given: bool) -> dict[str, int]:
    chosen = evaluation_size(samples)
    val = chosen if split.val is None else max(1, round(split.val * samples))
    test = chosen if split.test is None else max(1, round(split.test * samples))
    sizes = {"val": val, "test": 0 if test_given else test}
    if sizes["val"] + sizes["test"] >= samples:
        raise DlcheckError(
            f"data.split: {samples} samples are too few for {sizes['val']} to validate and {sizes['test']} "
            "to test; data.split.val + data.split.test must leave some for training"
        )
    return sizes


def _draws(split: Split, traits: Traits, notes: list[str]) -> dict[str, Draw]:
    def random(index: Index, size: int) -> tuple[Index, Index]:
        order = np.random.default_rng([split.seed % (1 << 64), len(index)]).permutation(index)
        return np.sort(order[size:]), np.sort(order[:size])

    def stratified(index: Index, size: int) -> tuple[Index, Index]:
        return _draw_stratified(split, traits, index, size, notes) or random(index, size)

    def by_group(index: Index, size: int) -> tuple[Index, Index]:
        return _draw_groups(split, traits, index, size)

    def by_time(index: Index, size: int) -> tuple[Index, Index]:
        if traits.times is not None:
            index = index[np.argsort(traits.times[index], kind="stable")]
        return index[:-size], index[-size:]

    return {"random": random, "stratified": stratified, "group": by_group, "time": by_time}


def _draw_stratified(
    split: Split, traits: Traits, index: Index, size: int, notes: list[str]
) -> tuple[Index, Index] | None:
    """Draw ``size`` samples with the classes' shares kept; classes of one sample stay in the rest."""
    from sklearn.model_selection import train_test_split

    assert traits.classes is not None
    classes = traits.classes[index]
    names, codes, counts = np.unique(classes, return_inverse=True, return_counts=True)
    lonely = counts[codes] < 2
    if lonely.any():
        notes.append(f"class {names[counts < 2][0]} has one sample only: it trains, and nothing validates it")
    drawable = int((counts >= 2).sum())
    if size < drawable or (~lonely).sum() - size < drawable:
        notes.append(f"{len(index)} samples are too few to keep the shares of {len(names)} classes: split at random")
        return None
    rest, drawn = train_test_split(
        index[~lonely], test_size=size, stratify=classes[~lonely], random_state=split.seed % (1 << 32)
    )
    return np.sort(np.concatenate((rest, index[lonely]))), np.sort(drawn)


def _draw_groups(split: Split, traits: Traits, index: Index, size: int) -> tuple[Index, Index]:
    """Draw whole groups; about ``size`` samples when groups are equally large."""
    from sklearn.model_selection import GroupShuffleSplit

    assert traits.groups is not None
    groups = traits.groups[index]
    count = len(np.unique(groups))
    wanted = max(1, round(count * size / len(index)))
    if count - wanted < 1:
        raise DlcheckError(
            f"data.split.group: {count} group(s) in column {split.group!r} are too few to split; 3 are needed"
        )
    splitter = GroupShuffleSplit(n_splits=1, test_size=wanted, random_state=split.seed % (1 << 32))
    rest, drawn = next(splitter.split(index, groups=groups))
    return np.sort(index[rest]), np.sort(index[drawn])
