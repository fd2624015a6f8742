"""Divide samples into training, validation and test, keeping whatever split comes with them."""

from dataclasses import dataclass, replace

import numpy as np

from dlcheck.components.data.samples import LazySamples, Samples, TensorSamples
from dlcheck.components.data.source import Request
from dlcheck.components.data.split import Traits, split_indices


@dataclass(frozen=True, slots=True)
class Divided:
    """The splits, and what was decided on the way."""

    train: Samples
    val: Samples | None
    test: Samples | None
    notes: tuple[str, ...] = ()


def divide(
    train: Samples,
    request: Request,
    traits: Traits,
    *,
    val: Samples | None = None,
    test: Samples | None = None,
) -> Divided:
    """Draw the splits that did not come with the data from ``train``.

    A validation set that comes alone stays the only one, unless ``data.split.test`` asks for a test set.
    With ``data.split.folds`` training and validation sets are pooled first; the test set never is.

    Raises:
        DlcheckError: the split is impossible.
    """
    split = request.recipe.data.split
    if split.folds is not None and val is not None:
        train, val = _join(train, val), None
        classes = None if traits.classes is None else np.asarray(train.target)
        traits = replace(traits, samples=len(train), classes=classes)
    if val is None:
        found = split_indices(split, traits, fold=request.fold, test_given=test is not None)
        drawn = test if test is not None else train.take(found.test)
        return Divided(train.take(found.train), train.take(found.val), drawn, found.notes)
    if test is None and split.test is not None:
        # What is drawn to "validate" beside a given test set is here the test.
        as_test = split.model_copy(update={"val": split.test, "method": "auto"})
        found = split_indices(as_test, traits, test_given=True)
        return Divided(train.take(found.train), val, train.take(found.val), found.notes)
    return Divided(train, val, test)


def _join(first: Samples, second: Samples) -> Samples:
    if isinstance(first, TensorSamples) and isinstance(second, TensorSamples):
        return first.join(second)
    assert isinstance(first, LazySamples)
    assert isinstance(second, LazySamples)
    return first.join(second)
