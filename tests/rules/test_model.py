"""M206 to M216 at their borders, and on what is done on purpose."""

import math
from dataclasses import replace

import numpy as np
import pytest

from dlcheck.findings import Severity
from dlcheck.rules import diagnose
from dlcheck.runs.facts import (
    BatchLeak,
    Dropouts,
    FirstLoss,
    InputIgnored,
    LossCall,
    LossCalls,
    ParameterCoverage,
    Predictions,
    SymmetricLayer,
    WeightSymmetry,
)
from tests.rules.examples_model import COVERED, FLAT, LEAKING, SICK, loss_call, loss_calls
from tests.rules.fact_runs import fact_run
from tests.rules.judging import found, severity, why

WARNING, ERROR, INFO = Severity.WARNING, Severity.ERROR, Severity.INFO


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        pytest.param(loss_call("cross_entropy", "probabilities", "softmax"), WARNING, id="softmax twice"),
        pytest.param(loss_call("cross_entropy", "unit_interval", "softmax"), WARNING, id="softmax of another axis"),
        pytest.param(loss_call("cross_entropy", "probabilities"), WARNING, id="rows all sum to 1"),
        pytest.param(loss_call("cross_entropy", "probabilities", calls=1, matched=1), None, id="a few rows"),
        pytest.param(loss_call("cross_entropy", "probabilities", matched=49), None, id="not in every call"),
        pytest.param(loss_call("cross_entropy", "probabilities", smallest=0.5, largest=0.5), None, id="constant"),
        pytest.param(loss_call("cross_entropy", "raw", soft_target=True, target_shape=(32, 10)), None, id="soft"),
        pytest.param(loss_call("cross_entropy", "unit_interval", "sigmoid"), WARNING, id="sigmoid, cross-entropy"),
        pytest.param(loss_call("cross_entropy", "unit_interval", calls=3, matched=3), None, id="small by chance"),
        pytest.param(loss_call("cross_entropy", "unit_interval", "mul"), None, id="scaled similarities"),
        pytest.param(loss_call("cross_entropy", "log_probabilities", "log_softmax"), INFO, id="idempotent"),
        pytest.param(loss_call("cross_entropy", "raw", "relu", smallest=0.0), WARNING, id="rectified"),
        pytest.param(loss_call("nll_loss", "log_probabilities", "log_softmax"), None, id="nll right"),
        pytest.param(loss_call("nll_loss", "log_probabilities", "log"), None, id="log of a mixture"),
        pytest.param(loss_call("nll_loss", "raw", "log_softmax", largest=-0.001), None, id="nll in bfloat16"),
        pytest.param(loss_call("nll_loss", "raw", "addmm", largest=-0.1), None, id="nll negative by chance"),
        pytest.param(loss_call("nll_loss", "raw", "addmm"), ERROR, id="nll raw"),
        pytest.param(loss_call("nll_loss2d", "raw"), ERROR, id="nll of images"),
        pytest.param(loss_call("nll_loss", "probabilities", "softmax"), WARNING, id="nll of probabilities"),
        pytest.param(loss_call("nll_loss", "unit_interval", "sigmoid"), ERROR, id="nll of sigmoids"),
        pytest.param(loss_call("binary_cross_entropy", "raw"), ERROR, id="raw scores"),
        pytest.param(loss_call("binary_cross_entropy", "raw", smallest=math.nan), None, id="NaN is another fault"),
        pytest.param(loss_call("binary_cross_entropy", "raw", calls=1, matched=0), ERROR, id="one call suffices"),
        pytest.param(loss_call("binary_cross_entropy", "unit_interval", "sigmoid"), None, id="sigmoid, bce"),
        pytest.param(loss_call("binary_cross_entropy", "probabilities", "softmax"), None, id="softmax, bce"),
        pytest.param(
            loss_call("binary_cross_entropy", "raw", "sigmoid", smallest=0.0, largest=1.0005), None, id="half precision"
        ),
        pytest.param(loss_call("binary_cross_entropy_with_logits", "raw"), None, id="logits"),
        pytest.param(
            loss_call("binary_cross_entropy_with_logits", "unit_interval", "sigmoid"), WARNING, id="sigmoid twice"
        ),
        pytest.param(
            loss_call("binary_cross_entropy_with_logits", "unit_interval"), WARNING, id="sigmoid twice, by numbers"
        ),
        pytest.param(
            loss_call("binary_cross_entropy_with_logits", "unit_interval", smallest=0.0, largest=0.0),
            None,
            id="a last layer that starts as zero",
        ),
        pytest.param(
            loss_call("binary_cross_entropy_with_logits", "unit_interval", smallest=0.1, largest=0.4),
            None,
            id="small logits",
        ),
        pytest.param(loss_call("kl_div", "log_probabilities", "log_softmax"), None, id="divergence"),
        pytest.param(loss_call("kl_div", "probabilities", "softmax"), WARNING, id="divergence of probabilities"),
        pytest.param(loss_call("kl_div", "raw"), ERROR, id="divergence of raw outputs"),
        pytest.param(loss_call("kl_div", "raw", "log_softmax", largest=-0.1), None, id="divergence, other axis"),
        pytest.param(loss_call("mse_loss", "unit_interval", "sigmoid"), None, id="squared error on a sigmoid"),
        pytest.param(loss_call("mse_loss", "probabilities", "softmax"), None, id="Brier score"),
        pytest.param(loss_call("cross_entropy", "probabilities", "softmax", calls=0, matched=0), None, id="no call"),
        pytest.param(loss_call("", "", "", input_shape=(), target_shape=()), None, id="empty"),
    ],
)
def test_what_losses_are_given(call: LossCall, expected: Severity | None) -> None:
    assert severity(loss_calls(call), "M206") is expected


def test_a_wrong_loss_names_its_line_and_operation() -> None:
    finding = found(SICK["M206"], "M206")
    assert finding is not None
    assert finding.summary == "cross_entropy is given probabilities (a softmax has been taken) (train.py, line 12)"
    assert (finding.where.file, finding.where.line) == ("project/train.py", 12)
    assert finding.remedies[0].text.startswith("remove the softmax before the loss")


def test_evaluation_with_the_same_outputs_is_not_told_twice() -> None:
    twice = loss_call("cross_entropy", "probabilities", "softmax")
    run = loss_calls(twice, replace(twice, trains=False))
    assert len(diagnose(run, select=["M206"]).findings) == 1
    finding = found(loss_calls(replace(twice, trains=False)), "M206")
    assert finding is not None
    assert "in evaluation" in finding.summary


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ((32, 1), (32,), ERROR),
        ((32,), (32, 1), ERROR),
        ((8, 1, 10), (8, 10), ERROR),
        ((32, 1), (1, 32), WARNING),
        ((8, 5, 1), (8, 1, 5), INFO),
        ((32, 9), (32, 1), INFO),
        ((32, 1), (32, 3), INFO),
        ((8, 3, 4, 4), (3, 4, 4), INFO),
        ((1, 1), (1,), None),
        ((32, 1), (), None),
        ((32, 1), (1,), None),
        ((), (), None),
        ((32, 1), (32, 1), None),
        ((32, 3), (32, 2), None),
        ((0, 1), (0,), None),
    ],
)
def test_shapes_that_spread(one: tuple[int, ...], other: tuple[int, ...], expected: Severity | None) -> None:
    run = loss_calls(loss_call("mse_loss", input_shape=one, target_shape=other, broadcast=True))
    assert severity(run, "M211") is expected


def test_shapes_that_are_not_spread_are_clean() -> None:
    assert found(loss_calls(loss_call("cross_entropy")), "M211") is None
    assert found(fact_run(LossCalls(())), "M211") is None


def test_spread_shapes_say_what_to_squeeze() -> None:
    finding = found(SICK["M211"], "M211")
    assert finding is not None
    assert "(32, 1) and a target of shape (32,) to (32, 32) (train.py, line 12)" in finding.summary
    assert finding.remedies[0].text.endswith("output.squeeze(-1)")
    turned = loss_call("mse_loss", input_shape=(32,), target_shape=(32, 1), broadcast=True)
    finding = found(loss_calls(turned), "M211")
    assert finding is not None
    assert finding.remedies[0].text.endswith("target.squeeze(-1)")


OUTSIDE = replace(COVERED, optimized=6, outside=("head.weight", "head.bias"), outside_count=2)
SEVERED = replace(COVERED, without_gradient=("enc.weight", "enc.bias"), without_gradient_count=2)


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        pytest.param(COVERED, None, id="all"),
        pytest.param(replace(COVERED, trainable=2, optimized=2, frozen_count=6), None, id="frozen backbone"),
        pytest.param(replace(COVERED, trainable=0, optimized=0, frozen_count=8), ERROR, id="everything frozen"),
        pytest.param(
            replace(COVERED, trainable=0, optimized=0, frozen_count=8, steps=0), None, id="evaluation, frozen"
        ),
        pytest.param(
            replace(COVERED, trainable=0, frozen_count=8, steps=0, crashed=True), ERROR, id="frozen, and stopped"
        ),
        pytest.param(replace(COVERED, optimized=0, steps=0), None, id="evaluation"),
        pytest.param(replace(COVERED, optimized=0, steps=0, detached=True), None, id="evaluation without graph"),
        pytest.param(replace(COVERED, detached=True), ERROR, id="detached"),
        pytest.param(replace(COVERED, optimized=0, outside=("a",), outside_count=8), ERROR, id="another's optimizer"),
        pytest.param(OUTSIDE, WARNING, id="head forgotten"),
        pytest.param(replace(OUTSIDE, outside_count=4), ERROR, id="half forgotten"),
        pytest.param(replace(OUTSIDE, outside_loaded=2), INFO, id="trained backbone beside the optimizer"),
        pytest.param(replace(OUTSIDE, outside_whole=2), INFO, id="teacher with gradients"),
        pytest.param(replace(OUTSIDE, outside_loaded=1), WARNING, id="loaded in part"),
        pytest.param(replace(OUTSIDE, stale=("head.weight",), stale_count=2), ERROR, id="replaced layer"),
        pytest.param(replace(COVERED, stale=("fc.weight",), stale_count=2), None, id="layer removed"),
        pytest.param(SEVERED, WARNING, id="severed"),
        pytest.param(replace(SEVERED, steps=3), None, id="severed, few steps"),
        pytest.param(replace(SEVERED, unused=("enc.weight", "enc.bias")), INFO, id="unused head"),
        pytest.param(replace(SEVERED, unused=("enc.weight",)), WARNING, id="one of them unused"),
        pytest.param(replace(SEVERED, without_graph_count=2), INFO, id="backbone under no_grad"),
        pytest.param(replace(SEVERED, without_gradient_count=8), ERROR, id="everything severed"),
        pytest.param(ParameterCoverage(0, 0, 0), None, id="no parameters"),
        pytest.param(replace(SEVERED, without_gradient=()), INFO, id="no names"),
    ],
)
def test_what_trains(seen: ParameterCoverage, expected: Severity | None) -> None:
    assert severity(fact_run(seen), "M207") is expected


def test_the_head_of_pretrained_weights_may_train_alone() -> None:
    pretrained = FirstLoss(loss=2.3, expected=2.3, pretrained=True)
    assert severity(fact_run(OUTSIDE, pretrained), "M207") is INFO


def test_a_replaced_layer_is_named() -> None:
    finding = found(fact_run(replace(OUTSIDE, stale=("head.weight",), stale_count=2)), "M207")
    assert finding is not None
    assert "replaced after the optimizer was built: no optimizer holds head.weight and head.bias" in finding.summary
    assert (finding.where.layer, finding.where.line) == ("head.weight", 12)


def test_samples_that_mix() -> None:
    assert severity(fact_run(LEAKING), "M208") is ERROR
    assert found(fact_run(replace(LEAKING, largest=1e-7)), "M208") is None
    finding = found(fact_run(replace(LEAKING, leaks=0, largest=0.0, time_leak=True)), "M208")
    assert finding is not None
    assert finding.summary == "outputs depend on later inputs"
    assert "one sample" in why(fact_run(BatchLeak(samples=1, leaks=0, largest=0.0)), "M208")


@pytest.mark.parametrize(
    ("shape", "expected", "cause"),
    [
        ("rises", ERROR, "sign"),
        ("explodes", ERROR, "overflow"),
        ("oscillates", WARNING, "label"),
        ("flat", ERROR, "dead"),
        ("slow", INFO, "slowly"),
        ("stuck", INFO, "small"),
    ],
)
def test_a_batch_that_is_not_learned(shape: str, expected: Severity, cause: str) -> None:
    finding = found(fact_run(replace(FLAT, shape=shape, best_loss=1.0, last_loss=1.0, score=0.9)), "M209")
    assert finding is not None
    assert finding.severity is expected
    assert cause in finding.cause


def test_a_stuck_batch_whose_classes_stay_mixed_is_a_warning() -> None:
    stuck = replace(FLAT, shape="stuck", best_loss=0.4 * FLAT.first_loss, last_loss=1.0, score=0.5)
    for seen, expected in ((stuck, WARNING), (replace(stuck, score=0.8), INFO), (replace(stuck, score=None), INFO)):
        assert severity(seen, "M209") is expected


def test_a_stuck_batch_that_hardly_fell_is_a_warning() -> None:
    assert severity(fact_run(replace(FLAT, shape="stuck", best_loss=2.2)), "M209") is WARNING


def test_labels_that_contradict_are_allowed_for() -> None:
    seen = replace(FLAT, shape="stuck", conflicting=4, floor=0.35, best_loss=0.36, last_loss=0.36)
    assert found(fact_run(seen), "M209") is None
    assert found(fact_run(replace(seen, best_loss=1.5)), "M209") is not None


def test_a_batch_that_ran_out_of_time_is_not_judged() -> None:
    assert "of 300 steps" in why(fact_run(replace(FLAT, shape="slow", steps=40)), "M209")
    assert "not known" in why(fact_run(replace(FLAT, shape="wavy")), "M209")


def test_an_exploding_batch_has_numbers_that_are_none() -> None:
    seen = replace(FLAT, shape="explodes", last_loss=math.inf, best_loss=math.nan)
    finding = found(fact_run(seen), "M209")
    assert finding is not None
    assert finding.evidence["last_loss"] is None


ZERO = InputIgnored(sensitivity=0.0, gradient=0.0)
HARDLY = InputIgnored(sensitivity=0.001, gradient=1e-4, real_loss=2.30, zeroed_loss=2.30, p=0.6)


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        pytest.param(ZERO, ERROR, id="not reached"),
        pytest.param(replace(ZERO, sensitivity=0.7, inputs=("image",)), WARNING, id="one of two inputs"),
        pytest.param(replace(ZERO, inputs=("image", "text")), ERROR, id="both inputs"),
        pytest.param(
            replace(HARDLY, sensitivity=0.7, real_loss=1.0, p=1e-5, inputs=("image",)), WARNING, id="fluent captions"
        ),
        pytest.param(replace(ZERO, real_loss=0.5, zeroed_loss=2.3, p=1e-5), None, id="found its way"),
        pytest.param(HARDLY, WARNING, id="two signals"),
        pytest.param(replace(HARDLY, sensitivity=0.5), None, id="a hard task"),
        pytest.param(replace(HARDLY, real_loss=1.2, p=0.001), None, id="little change, but of use"),
        pytest.param(replace(HARDLY, real_loss=None, zeroed_loss=None), None, id="one signal"),
        pytest.param(replace(HARDLY, sensitivity=math.nan), None, id="NaN"),
    ],
)
def test_inputs_that_are_ignored(seen: InputIgnored, expected: Severity | None) -> None:
    assert severity(fact_run(seen), "M214") is expected


def test_a_layer_that_starts_as_zero_hides_the_input() -> None:
    zeros = SymmetricLayer(layer="out", kind="zero", units=10, distinct=1, last=True)
    assert "start as zero" in why(fact_run(ZERO, WeightSymmetry(layers=3, symmetric=(zeros,))), "M214")
    assert severity(fact_run(ZERO, WeightSymmetry(layers=3)), "M214") is ERROR
    adapter = replace(ZERO, sensitivity=0.7, real_loss=1.0, zeroed_loss=2.0, p=0.01, inputs=("image",))
    assert "start as zero" in why(fact_run(adapter, WeightSymmetry(layers=3, symmetric=(zeros,))), "M214")


HEAVY = Dropouts(layers=("d1", "d2"), rates=(0.2, 0.9), train_loss=2.2, eval_loss=2.0)


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        pytest.param(HEAVY, WARNING, id="heavy, underfits"),
        pytest.param(replace(HEAVY, eval_loss=0.2), None, id="heavy, fits"),
        pytest.param(replace(HEAVY, rates=(0.2, 0.5)), None, id="usual rates, underfits"),
        pytest.param(replace(HEAVY, eval_loss=None), None, id="one signal"),
        pytest.param(replace(HEAVY, constant_loss=3.9), WARNING, id="half of a constant answer's loss to these"),
        pytest.param(replace(HEAVY, constant_loss=4.1), None, id="less than half of it"),
        pytest.param(replace(HEAVY, rates=(0.0, 1.0), eval_loss=0.1), WARNING, id="drops everything"),
        pytest.param(replace(HEAVY, rates=(0.2, 0.3), on_output=True), WARNING, id="on the output"),
        pytest.param(replace(HEAVY, rates=(0.0, 0.0), on_output=True), None, id="off"),
        pytest.param(replace(HEAVY, rates=(math.nan, math.nan)), None, id="NaN"),
        pytest.param(Dropouts((), ()), None, id="none"),
    ],
)
def test_dropout_that_is_too_much(seen: Dropouts, expected: Severity | None) -> None:
    assert severity(fact_run(seen, trivial_loss=2.303), "M215") is expected


def test_dropout_is_judged_by_accuracy_without_a_loss_to_compare_with() -> None:
    low, high = ({"train_eval_accuracy": np.linspace(0.1, end, 10)} for end in (0.3, 0.95))
    assert severity(fact_run(HEAVY, curves=low), "M215") is WARNING
    assert found(fact_run(HEAVY, curves=high), "M215") is None


ONE = Predictions(samples=200, counts=(0, 200), labels=(100, 100), step=500)
TOKENS = Predictions(samples=2000, counts=(0, 2000, *[0] * 398), labels=(50, 155, *[5] * 398), step=300)
SAME = Predictions(samples=200, output_std=0.0, target_std=1.5, largest_difference=0.0, step=500)


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        pytest.param(ONE, ERROR, id="one class"),
        pytest.param(replace(ONE, counts=(1, 199)), ERROR, id="nearly one class"),
        pytest.param(replace(ONE, counts=(5, 195)), None, id="two classes"),
        pytest.param(replace(ONE, labels=(20, 180)), None, id="imbalance is another rule's"),
        pytest.param(replace(ONE, labels=(40, 160)), ERROR, id="imbalance at the border"),
        pytest.param(replace(ONE, labels=(0, 200)), None, id="one label"),
        pytest.param(replace(ONE, labels=(200,), counts=(200,)), None, id="one class at all"),
        pytest.param(replace(ONE, labels=(0, 0), counts=(0, 0)), None, id="zeros"),
        pytest.param(TOKENS, INFO, id="the commonest of many classes, early"),
        pytest.param(replace(TOKENS, step=640), ERROR, id="the commonest of many classes, late"),
        pytest.param(replace(TOKENS, counts=(2000, *[0] * 399)), ERROR, id="another of many classes"),
        pytest.param(SAME, ERROR, id="one number"),
        pytest.param(replace(SAME, output_std=0.01, largest_difference=0.1), WARNING, id="nearly one number"),
        pytest.param(replace(SAME, output_std=0.05, largest_difference=0.2), None, id="a weak relation"),
        pytest.param(replace(SAME, target_std=0.0), None, id="constant targets"),
        pytest.param(replace(SAME, output_std=math.nan), None, id="NaN"),
        pytest.param(Predictions(samples=200, step=500), None, id="nothing known"),
    ],
)
def test_constant_answers(seen: Predictions, expected: Severity | None) -> None:
    assert severity(fact_run(seen), "M216") is expected


def test_early_or_few_answers_are_not_judged() -> None:
    assert why(fact_run(replace(ONE, step=20)), "M216") == "answers were looked at after 20 steps of training"
    assert why(fact_run(replace(ONE, samples=10)), "M216") == "only 10 answers; 30 are needed"
