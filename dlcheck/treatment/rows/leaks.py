"""Samples that another split holds too, and features that hold the answer."""

from __future__ import annotations

import numpy as np

from dlcheck.checks.data.overlap import shared_samples
from dlcheck.checks.data.samples import Samples
from dlcheck.checks.data.subject import is_series
from dlcheck.runs.facts import TargetInFeatures, fact
from dlcheck.runs.spreadsheet import Cell
from dlcheck.treatment.rows.case import Case
from dlcheck.treatment.rows.table import Row


def leak_rows(case: Case) -> list[Row]:
    """Return a row for each sample of another split that training has too, exact ones first.

    ``distance`` is the root of the mean squared difference of their inputs as the network sees them, 0 for equal
    ones; every sample is listed with its first twin in training.
    """
    train = case.splits.train
    near = not is_series(case.patient) and not train.augmented
    rows: list[Row] = []
    for split, held in case.held.items():
        shared = shared_samples(train, held, near=near)
        rows += [_pair(case, split, pair, 0.0) for pair in shared.exact]
        rows += [_pair(case, split, pair, _distance(train, held, pair)) for pair in shared.near if min(pair) >= 0]
    return sorted(rows, key=lambda row: row["reason"] != "equal")


def _pair(case: Case, split: str, pair: tuple[int, int], distance: float | None) -> Row:
    ours = case.places.of(split, pair[0])
    theirs = {f"train_{key}": value for key, value in case.places.of("train", pair[1]).items() if key != "split"}
    return {**ours, **theirs, "distance": distance, "reason": "equal" if distance == 0 else "almost equal"}


def _distance(train: Samples, held: Samples, pair: tuple[int, int]) -> float | None:
    """Return the distance of two samples by their places; None where one was not read."""
    found = [_input(part, place) for part, place in zip((held, train), pair, strict=True)]
    ours, theirs = found
    if ours is None or theirs is None:
        return None
    return float(np.sqrt(np.mean((ours - theirs) ** 2)))


def _input(part: Samples, place: int) -> np.ndarray | None:
    position = int(np.searchsorted(part.index, place))
    if position >= len(part) or part.index[position] != place:
        return None
    found: np.ndarray = part.inputs[position].astype(np.float64)
    return found


def telling_rows(case: Case) -> list[Row]:
    """Return a training sample a row with the value of the feature that tells the target."""
    seen = fact(case.run, TargetInFeatures)
    if seen is None:
        return []
    rows: list[Row] = []
    for index in case.splits.train.index.tolist():
        values = case.places.input("train", index)
        if values is None or len(values) != seen.features:
            return []
        name: Cell = case.places.feature(seen.feature, seen.features)
        rows.append(
            {**case.places.of("train", index), "feature": name, "value": float(values[seen.feature]), "reason": "tells"}
        )
    return rows
