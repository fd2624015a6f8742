"""Values that are not finite, features that say nothing, and features that differ between splits."""

from __future__ import annotations

import numpy as np

from dlcheck.checks.data.shift import LEVEL, compare_features
from dlcheck.checks.data.values import constant_places
from dlcheck.treatment.rows.case import Case
from dlcheck.treatment.rows.table import Row

MOST_FEATURES = 1000
"""Features that are compared one by one."""


def nonfinite_rows(case: Case) -> list[Row]:
    """Return a row for each sample with values that are not finite: which feature is the first, and how many are."""
    rows: list[Row] = []
    for split, part in case.parts.items():
        if part.inputs.dtype.kind != "f":
            continue
        flat = part.inputs.reshape(len(part), -1)
        bad = ~np.isfinite(flat)
        for i in np.flatnonzero(bad.any(axis=1)).tolist():
            first = int(bad[i].argmax())
            rows.append(
                {
                    **case.places.of(split, int(part.index[i])),
                    "feature": case.places.feature(first, flat.shape[1]),
                    "value": str(flat[i, first]),
                    "values": int(bad[i].sum()),
                    "reason": "not finite",
                }
            )
    return rows


def constant_rows(case: Case) -> list[Row]:
    """Return a row for each feature that is the same for all training samples."""
    train = case.splits.train
    same = constant_places(train)
    features = train.inputs[0].size
    values = case.places.input("train", int(train.index[0])) if len(train) else None
    known = values is not None and len(values) == features
    return [
        {
            "feature": case.places.feature(column, features),
            "column": column,
            "value": float(values[column]) if known and values is not None else None,
            "reason": "the same for all training samples",
        }
        for column in same.tolist()
    ]


def shifted_features(case: Case) -> list[Row]:
    """Return a row for each feature whose values differ between training and validation, the most different first.

    ``statistic`` is Kolmogorov and Smirnov's, from 0 to 1, ``p`` corrected after Holm; means are in the units in
    which the network sees the feature.
    """
    train, val = case.splits.train, case.splits.val
    if val is None or train.inputs.dtype.kind != "f" or not 0 < train.inputs[0].size <= MOST_FEATURES:
        return []
    ours, theirs = train.flat, val.flat
    tests = compare_features(ours, theirs)
    order = np.argsort(-tests.statistic, kind="stable")
    return [
        {
            "feature": case.places.feature(i, ours.shape[1]),
            "column": i,
            "train_mean": float(ours[:, i].mean()),
            "val_mean": float(theirs[:, i].mean()),
            "train_std": float(ours[:, i].std()),
            "val_std": float(theirs[:, i].std()),
            "statistic": float(tests.statistic[i]),
            "p": float(tests.p[i]),
        }
        for i in order.tolist()
        if tests.p[i] < LEVEL
    ]
