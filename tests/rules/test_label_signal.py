"""Whether labels say anything about inputs: D110 and D112 at their borders."""

import math
from dataclasses import replace

import numpy as np
import pytest

from dlcheck.findings import Severity
from dlcheck.rules import diagnose
from dlcheck.runs.facts import (
    ClassBalance,
    LabelNoise,
    LabelSignal,
)
from tests.rules.examples_data import LEARNED, LEARNED_BY_HEART, RELATED, SHIFT, SHIFTED, UNRELATED
from tests.rules.fact_runs import fact_run
from tests.rules.judging import found, severity, why

INFO, WARNING, ERROR = Severity.INFO, Severity.WARNING, Severity.ERROR

# D110, D112

SIZE = {"train": 1400, "val": 300}


def test_curves_alone_show_labels_learned_by_heart() -> None:
    balance = ClassBalance((100,) * 10)
    finding = found(fact_run(balance, curves=LEARNED_BY_HEART, samples=SIZE), "D110")
    assert finding is not None
    assert (finding.severity, finding.where.metric) == (ERROR, "accuracy")
    assert found(fact_run(balance, curves=LEARNED, samples=SIZE), "D110") is None
    assert found(fact_run(balance, curves=LEARNED_BY_HEART, samples={"val": 12}), "D110") is not None
    weak = {**LEARNED_BY_HEART, "val_accuracy": np.full(20, 0.2)}
    assert found(fact_run(balance, curves=weak, samples=SIZE), "D110") is None
    unfitted = {**LEARNED_BY_HEART, "train_accuracy": np.full(20, 0.12)}
    assert found(fact_run(balance, curves=unfitted, samples=SIZE), "D110") is None


def test_the_majority_is_what_validation_must_beat() -> None:
    curves = {**LEARNED_BY_HEART, "val_accuracy": np.full(20, 0.7)}
    assert found(fact_run(ClassBalance((70, 30)), curves=curves, samples=SIZE), "D110") is not None
    assert found(fact_run(ClassBalance((50, 50)), curves=curves, samples=SIZE), "D110") is None


def test_without_sizes_or_classes_accuracies_tell_nothing() -> None:
    outcome = diagnose(fact_run(curves=LEARNED_BY_HEART), select=["D110"])
    assert outcome.not_checked
    assert outcome.not_checked[0].try_ == "dlcheck check RECIPE"
    percent = {"train_accuracy": [99.0] * 20, "val_accuracy": [10.0] * 20}
    assert found(fact_run(curves=percent, samples=SIZE, outputs=10), "D110") is not None


def test_before_training_a_simple_model_alone_is_no_proof() -> None:
    assert severity(UNRELATED, "D110") is INFO
    others = LabelNoise(1400, 0, 0.0, 0.01, model_accuracy=0.1)
    assert severity(fact_run(UNRELATED, others), "D110") is WARNING
    suspecting = replace(others, suspects=300, model_accuracy=0.135)
    assert severity(fact_run(UNRELATED, suspecting), "D110") is WARNING
    assert severity(fact_run(UNRELATED, replace(others, model_accuracy=0.5)), "D110") is INFO
    assert severity(fact_run(replace(UNRELATED, train_high=0.3), others), "D110") is INFO


def test_a_network_that_learns_refutes_the_simple_model() -> None:
    assert found(fact_run(UNRELATED, curves=LEARNED, samples=SIZE), "D110") is None


def test_a_known_relation_clears_the_labels_of_a_bad_validation() -> None:
    assert found(fact_run(RELATED, curves=LEARNED_BY_HEART, samples=SIZE), "D110") is None


LOST_VALIDATION = replace(RELATED, val_score=0.1, val_low=0.07, val_high=0.14, val_own_score=0.1, val_own_low=0.06)
R2 = replace(LOST_VALIDATION, score="r2", chance=0.0, val_score=-0.4, val_low=-0.9, val_high=-0.1, val_own_low=-0.1)
RELATIONS = {
    "related": (RELATED, None),
    "unrelated": (UNRELATED, None),
    "shifted": (SHIFTED, ERROR),
    "shifted within validation": (
        replace(LOST_VALIDATION, shift=-2, shift_split="val", shift_score=0.94, shift_low=0.9),
        ERROR,
    ),
    "reversed": (
        replace(SHIFTED, shift=0, shift_score=None, shift_low=None, reordered_score=0.9, reordered_low=0.88, order="x"),
        ERROR,
    ),
    "a shift a little better by chance": (replace(SHIFTED, shift_score=0.14, shift_low=0.12), None),
    "neighbours in time alike": (replace(RELATED, shift=1, shift_score=0.99, shift_low=0.98), None),
    "validation at chance": (LOST_VALIDATION, ERROR),
    "validation with other codes": (replace(LOST_VALIDATION, val_own_score=0.9, val_own_low=0.86), ERROR),
    "validation worse than training": (replace(RELATED, val_score=0.6, val_low=0.53, val_high=0.66), None),
    "training at chance": (replace(UNRELATED, val_own_score=0.9, val_own_low=0.86), ERROR),
    "numbers at chance": (R2, ERROR),
    "numbers that drifted": (replace(R2, val_own_score=0.8, val_own_low=0.7), INFO),
    "numbers, small validation": (replace(R2, val_own_score=None, val_own_low=None), INFO),
}


@pytest.mark.parametrize(("seen", "expected"), RELATIONS.values(), ids=RELATIONS)
def test_labels_at_other_samples(seen: LabelSignal, expected: Severity | None) -> None:
    assert severity(seen, "D112") == expected


@pytest.mark.parametrize("method", ["time", "group"])
def test_splits_that_may_differ_are_no_misalignment(method: str) -> None:
    assert severity(fact_run(LOST_VALIDATION, replace(SHIFT, method=method)), "D112") is INFO


def test_misaligned_labels_are_not_called_uninformative() -> None:
    assert severity(SHIFTED, "D110") is None
    assert severity(LOST_VALIDATION, "D110") is None
    assert why(replace(RELATED, train_low=math.nan), "D112")
    assert why(replace(RELATED, chance=math.inf), "D110")
