"""Batch normalisation and the modes of training and evaluation: M210, M212 and M213 at their borders."""

import math
from dataclasses import replace

import pytest

from dlcheck.findings import Severity
from dlcheck.runs.facts import (
    BatchNormBatches,
    EvaluationMode,
    TrainingMode,
)
from tests.rules.examples_model import SITE
from tests.rules.fact_runs import fact_run
from tests.rules.judging import found, severity

INFO, WARNING, ERROR = Severity.INFO, Severity.WARNING, Severity.ERROR

BATCHES = BatchNormBatches(layers=("bn",), layer_count=1, batch=32, smallest=32, values=32, smallest_values=32)


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        pytest.param(BATCHES, None, id="enough"),
        pytest.param(replace(BATCHES, batch=8, values=8), None, id="just enough"),
        pytest.param(replace(BATCHES, batch=7, values=7, smallest=7, smallest_values=7), WARNING, id="seven"),
        pytest.param(replace(BATCHES, smallest=1, smallest_values=1), ERROR, id="last batch of one"),
        pytest.param(replace(BATCHES, smallest=1, smallest_values=64), None, id="last image alone"),
        pytest.param(replace(BATCHES, batch=1, values=1), ERROR, id="batches of one"),
        pytest.param(replace(BATCHES, smallest=1, smallest_values=1, crashed=True), ERROR, id="stopped"),
        pytest.param(replace(BATCHES, batch=8, values=392, smallest_values=49), None, id="convolution"),
        pytest.param(replace(BATCHES, batch=2, values=98, smallest_values=98), INFO, id="convolution, two images"),
        pytest.param(replace(BATCHES, batch=1, values=4096, smallest_values=4096), INFO, id="one image"),
        pytest.param(replace(BATCHES, layers=(), layer_count=0, batch=1, values=1), None, id="frozen"),
        pytest.param(BatchNormBatches((), 0, 0, 0, 0, 0), None, id="nothing"),
    ],
)
def test_batches_that_are_normalised_over(seen: BatchNormBatches, expected: Severity | None) -> None:
    assert severity(fact_run(seen), "M210") is expected


IN_TRAINING = EvaluationMode(passes=40, in_train_mode=40, modules=("drop",), dropout=True, site=SITE)


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        pytest.param(IN_TRAINING, WARNING, id="never eval"),
        pytest.param(replace(IN_TRAINING, explicit=True, in_train_mode=20), WARNING, id="half of them"),
        pytest.param(replace(IN_TRAINING, explicit=True, in_train_mode=1), None, id="a trial"),
        pytest.param(replace(IN_TRAINING, repeated=True), None, id="Monte-Carlo dropout"),
        pytest.param(
            replace(IN_TRAINING, dropout=False, batchnorm=True, stateful_only_batchnorm=True), None, id="estimated anew"
        ),
        pytest.param(replace(IN_TRAINING, dropout=False, modules=()), None, id="modes do not differ"),
        pytest.param(replace(IN_TRAINING, dropout=False, batchnorm=True, loss_difference=0.0), WARNING, id="norm"),
        pytest.param(replace(IN_TRAINING, loss_difference=0.001), INFO, id="dropout that hardly matters"),
        pytest.param(replace(IN_TRAINING, loss_difference=0.8), ERROR, id="another loss"),
        pytest.param(replace(IN_TRAINING, loss_difference=math.nan), WARNING, id="NaN"),
        pytest.param(EvaluationMode(passes=0, in_train_mode=0), None, id="no evaluation"),
    ],
)
def test_modes_of_evaluation(seen: EvaluationMode, expected: Severity | None) -> None:
    assert severity(fact_run(seen), "M212") is expected


IN_EVALUATION = TrainingMode(steps=100, in_eval_mode=90, modules=("drop",), dropout=True, first_step=11, site=SITE)


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        pytest.param(IN_EVALUATION, WARNING, id="eval forgotten"),
        pytest.param(replace(IN_EVALUATION, in_eval_mode=100, never_trained_mode=True), WARNING, id="never train"),
        pytest.param(
            replace(IN_EVALUATION, dropout=False, batchnorm=True, only_batchnorm=True), None, id="frozen norm"
        ),
        pytest.param(replace(IN_EVALUATION, partly=True), None, id="frozen backbone with dropout"),
        pytest.param(replace(IN_EVALUATION, in_eval_mode=2), None, id="two steps"),
        pytest.param(replace(IN_EVALUATION, steps=1000, in_eval_mode=20), None, id="now and then"),
        pytest.param(replace(IN_EVALUATION, dropout=False, modules=()), None, id="modes do not differ"),
        pytest.param(TrainingMode(steps=0, in_eval_mode=0), None, id="no training"),
    ],
)
def test_modes_of_training(seen: TrainingMode, expected: Severity | None) -> None:
    assert severity(fact_run(seen), "M213") is expected


def test_the_mode_of_training_tells_since_when() -> None:
    finding = found(fact_run(IN_EVALUATION), "M213")
    assert finding is not None
    assert "90 of 100 training steps ran with dropout in evaluation mode, first at step 11" in finding.summary
    assert "not called again" in finding.cause
