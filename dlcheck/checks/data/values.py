"""The numbers that enter the network: finite, scaled, and not the same for all samples."""

from __future__ import annotations

import numpy as np

from dlcheck.checks.data.samples import Index, Samples, Splits, Values
from dlcheck.runs.facts import ConstantFeatures, InputValues

EXAMPLES = 10


def input_values(splits: Splits, *, normalized_first: bool = False) -> InputValues:
    """Measure the training inputs, and look for the first value that is not finite in all splits.

    Args:
        splits: What was read; ``values`` counts the numbers of all splits, moments are of training alone.
        normalized_first: The first layer that sees the input normalises it.
    """
    named = {"train": splits.train, "val": splits.val, "test": splits.test}
    parts = {name: part for name, part in named.items() if part is not None}
    bad = {name: _nonfinite(part.inputs) for name, part in parts.items()}
    split = next((name for name, where in bad.items() if where.any()), "train")
    train = splits.train
    finite = _finite(train.inputs)
    low, high = _feature_spread(train)
    rows = np.flatnonzero(bad[split].reshape(len(bad[split]), -1).any(axis=1))[:EXAMPLES]
    columns = np.flatnonzero(bad[split].any(axis=0))[:EXAMPLES] if train.inputs.ndim == 2 else ()
    return InputValues(
        values=sum(part.inputs.size for part in parts.values()),
        nonfinite=sum(int(where.sum()) for where in bad.values()),
        mean=float(finite.mean(dtype=np.float64)) if finite.size else 0.0,
        std=float(finite.std(dtype=np.float64)) if finite.size else 0.0,
        low=float(finite.min()) if finite.size else 0.0,
        high=float(finite.max()) if finite.size else 0.0,
        whole=bool((finite == np.round(finite)).all()),
        floating=train.inputs.dtype.kind == "f",
        normalized_first=normalized_first,
        feature_std_low=low,
        feature_std_high=high,
        split=split,
        rows=tuple(int(place) for place in parts[split].index[rows]),
        columns=tuple(int(column) for column in columns),
    )


def _nonfinite(inputs: Values) -> Values:
    if inputs.dtype.kind != "f":
        return np.zeros(inputs.shape, dtype=bool)
    return ~np.isfinite(inputs)


def _finite(inputs: Values) -> Values:
    return inputs[np.isfinite(inputs)] if inputs.dtype.kind == "f" else inputs.ravel()


def _feature_spread(train: Samples) -> tuple[float | None, float | None]:
    """Return the smallest and largest standard deviation of a table's columns or an image's channels."""
    if not (train.table or train.image) or len(train) < 2:
        return None, None
    inputs = train.inputs.astype(np.float64)
    inputs = np.where(np.isfinite(inputs), inputs, np.nan)
    axes = (0, 2, 3) if train.image else (0,)
    seen = np.isfinite(inputs).any(axis=axes)
    inputs = np.compress(seen, inputs, axis=1)
    deviation, size = np.nanstd(inputs, axis=axes), np.nanmax(np.abs(inputs), axis=axes, initial=0.0)
    varied = deviation[deviation > 1e-6 * size]
    return (float(varied.min()), float(varied.max())) if varied.size else (None, None)


def constant_features(train: Samples, names: tuple[str, ...] = ()) -> ConstantFeatures:
    """Count features that are the same for every training sample; all of the split is looked at where in memory."""
    whole = train.raw[0] if train.raw else train.inputs
    features = whole[0].size
    same = constant_places(train)
    known = len(names) == features
    return ConstantFeatures(
        features=features,
        constant=len(same),
        examples=tuple(int(column) for column in same[:EXAMPLES]),
        names=tuple(names[column] for column in same[:EXAMPLES]) if known else (),
        image=train.image,
        samples=len(whole),
    )


def constant_places(train: Samples) -> Index:
    """Return which features are the same for every sample, of all that is in memory."""
    whole = train.raw[0] if train.raw else train.inputs
    rows = whole.reshape(len(whole), -1)
    # A constant column that was standardised in float32 keeps differences of rounding only.
    low, high = rows.min(axis=0).astype(np.float64), rows.max(axis=0).astype(np.float64)
    return np.flatnonzero(high - low <= 1e-7 * np.maximum(np.abs(low), np.abs(high)))
