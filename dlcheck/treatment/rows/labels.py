"""Labels that look wrong, lie outside the classes, or belong to another sample."""

from __future__ import annotations

import numpy as np

from dlcheck.checks.data.noise import doubted
from dlcheck.checks.data.subject import IGNORED, classes_of, labelled
from dlcheck.runs.facts import LabelSignal, fact
from dlcheck.treatment.rows.case import Case
from dlcheck.treatment.rows.table import Row

LOOKED_AT = 10_000
"""Training samples whose labels are asked for; the exam asks 2,000, for it has half a minute for everything."""
SHOWN = 20
"""Samples to look at where every label may be wrong."""


def doubted_rows(case: Case) -> list[Row]:
    """Return a row for each training label that two models confidently hold to be another, the surest first.

    ``score`` is the probability of the suggested label, the smaller of both models'.
    """
    given = labelled(case.patient)
    if given.classes is None:
        return []
    seen = doubted(given.splits.train, given.classes, LOOKED_AT)
    if seen is None:
        return []
    return [
        {
            **case.places.of("train", int(seen.index[i])),
            "suggested": case.places.named(seen.said[i]),
            "score": float(seen.score[i]),
            "reason": "two models hold the label to be another",
        }
        for i in seen.order.tolist()
    ]


def outside_rows(case: Case) -> list[Row]:
    """Return a row for each sample whose label is no class that the network has an output for."""
    classes = classes_of(case.patient, case.splits.train)
    if classes is None:
        return []
    rows: list[Row] = []
    for split, part in case.parts.items():
        known = part.labels is not None and part.labels.dtype.kind in "iub"
        codes, places = (part.labels, np.arange(part.total)) if known else (part.target, part.index)
        flat = np.asarray(codes).reshape(len(places), -1)
        wrong = (flat != IGNORED) & ~((flat >= 0) & (flat < classes))
        for i in np.flatnonzero(wrong.any(axis=1)).tolist():
            value = flat[i][wrong[i]][0]
            reason = f"not one of 0 to {classes - 1}"
            rows.append({**case.places.of(split, int(places[i])), "value": float(value), "reason": reason})
    return rows


def shifted_rows(case: Case) -> list[Row]:
    """Return the samples with the labels that a shift gives them; without one, a few samples to look at."""
    seen = fact(case.run, LabelSignal)
    if seen is None or not seen.shift:
        return sample_rows(case)
    splits = ("train", "val") if seen.shift_split == "both" else (seen.shift_split,)
    rows: list[Row] = []
    for split in splits:
        part = case.parts.get(split)
        places = [] if part is None else part.index.tolist()
        total = 0 if part is None else part.total
        for index in places:
            if 0 <= index + seen.shift < total:
                suggested = case.places.label(split, index + seen.shift)
                reason = f"the label {seen.shift:+d} places on fits better"
                rows.append({**case.places.of(split, index), "suggested": suggested, "reason": reason})
    return rows


def sample_rows(case: Case) -> list[Row]:
    """Return a few training and validation samples at random, to be looked at with their labels."""
    rows: list[Row] = []
    for split, part in case.parts.items():
        if split != "test":
            chosen = np.sort(np.random.default_rng([7, len(part)]).permutation(part.index)[:SHOWN])
            rows += [{**case.places.of(split, int(i)), "reason": "drawn at random"} for i in chosen if i >= 0]
    return rows


def class_rows(case: Case) -> list[Row]:
    """Return a row for each class: how many samples of it each split has, the rarest first."""
    classes = classes_of(case.patient, case.splits.train)
    if classes is None:
        return []
    counts = {}
    for split in case.parts:
        codes = case.places.targets[split].astype(np.int64).ravel()
        counts[split] = np.bincount(codes[(codes >= 0) & (codes < classes)], minlength=classes)
    whole = max(1, int(counts["train"].sum()))
    return [
        {
            "class": case.places.named(code),
            **{split: int(found[code]) for split, found in counts.items()},
            "share": float(counts["train"][code]) / whole,
        }
        for code in np.argsort(counts["train"], kind="stable").tolist()
    ]
