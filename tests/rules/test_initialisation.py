"""Rules on how a network begins, at their borders."""

import math
from dataclasses import replace

import pytest

from dlcheck.findings import Severity
from dlcheck.rules import diagnose
from dlcheck.runs import Run
from dlcheck.runs.facts import (
    DeadUnits,
    DepthSpread,
    FirstLoss,
    QuietLayer,
    SaturatedUnits,
    SymmetricLayer,
    WeightSymmetry,
)
from dlcheck.runs.run import layer_frame
from tests.rules.examples_initialisation import DEPTH, LEVEL, VANISHING
from tests.rules.fact_runs import fact_run
from tests.rules.judging import severity, why

INFO, WARNING, ERROR = Severity.INFO, Severity.WARNING, Severity.ERROR


LN10, LN2 = math.log(10), math.log(2)
ENTROPY = FirstLoss(loss=LN10, expected=LN10, spread=0.02, samples=512, kind="cross_entropy")
SQUARES = FirstLoss(loss=1.1, expected=1.0, spread=0.05, samples=512, kind="mse")
FIRST = {
    "as expected": (ENTROPY, None),
    "default initialisation at its worst": (replace(ENTROPY, loss=1.08 * LN10), None),
    "He's initialisation throughout": (replace(ENTROPY, loss=1.43 * LN10), INFO),
    "He's initialisation, two classes": (replace(ENTROPY, loss=1.6 * LN2, expected=LN2), INFO),
    "twenty times the weights": (replace(ENTROPY, loss=40.0), WARNING),
    "one small batch, by chance": (replace(ENTROPY, loss=1.5 * LN10, spread=0.4), None),
    "one batch without a spread": (replace(ENTROPY, loss=1.4 * LN10, spread=0.0, samples=4), None),
    "divided for accumulation": (replace(ENTROPY, loss=LN10 / 4), INFO),
    "divided by all samples once more": (replace(ENTROPY, loss=LN10 / 630, spread=1e-4, rows=630), WARNING),
    "divided by all samples, under Adam": (
        replace(ENTROPY, loss=LN10 / 630, spread=1e-4, rows=630, rescaled=True),
        INFO,
    ),
    "divided for accumulation, as many samples": (replace(ENTROPY, loss=LN10 / 16, rows=16), INFO),
    "below ln C, not below the best constant": (replace(ENTROPY, loss=1.2, best_constant=1.15), None),
    "large ratio of a small loss": (replace(ENTROPY, loss=0.25, expected=0.1, spread=0.001), INFO),
    "squares": (SQUARES, None),
    "squares, He's initialisation": (replace(SQUARES, loss=3.0), None),
    "squares, somewhat large": (replace(SQUARES, loss=5.0), INFO),
    "squares, far off": (replace(SQUARES, loss=5000.0, spread=100.0), WARNING),
}


@pytest.mark.parametrize(("seen", "expected"), FIRST.values(), ids=FIRST)
def test_loss_before_the_first_step(seen: FirstLoss, expected: Severity | None) -> None:
    assert severity(seen, "M201") == expected


@pytest.mark.parametrize(
    "change",
    [{"pretrained": True}, {"loss": math.nan}, {"loss": math.inf}, {"expected": 0.0}, {"expected": math.nan}],
    ids=str,
)
def test_first_losses_without_a_reference_are_not_judged(change: dict[str, float]) -> None:
    assert why(replace(ENTROPY, **change), "M201")  # type: ignore[arg-type]


def test_a_sum_is_told_from_large_weights() -> None:
    (found,) = diagnose(fact_run(replace(ENTROPY, loss=64 * LN10, samples=64)), select=["M201"]).findings
    assert "summed" in found.cause
    assert "mean" in found.remedies[0].text


SAME = SymmetricLayer("hidden", "constant", units=64, distinct=1, last=False, still=True)
SYMMETRIES = {
    "none": (WeightSymmetry(3), None),
    "hidden and still equal": (WeightSymmetry(3, (SAME,), steps=20), ERROR),
    "hidden, moved apart": (WeightSymmetry(3, (replace(SAME, still=False),), steps=20), None),
    "hidden, not watched": (WeightSymmetry(3, (replace(SAME, still=None),)), INFO),
    "every layer, not watched": (
        WeightSymmetry(2, (replace(SAME, still=None), replace(SAME, layer="out", last=True, still=None))),
        ERROR,
    ),
    "the last layer at zero": (WeightSymmetry(3, (replace(SAME, kind="zero", last=True),)), None),
    "a residual branch at zero": (WeightSymmetry(3, (replace(SAME, kind="zero", residual=True),)), None),
    "an adapter that does not move yet": (WeightSymmetry(3, (replace(SAME, residual=True, still=True),)), None),
    "some rows equal": (WeightSymmetry(3, (replace(SAME, distinct=40),)), None),
    "a single unit": (WeightSymmetry(3, (replace(SAME, units=1),)), None),
    "a single layer": (WeightSymmetry(1, (replace(SAME, last=True),)), None),
}


@pytest.mark.parametrize(("seen", "expected"), SYMMETRIES.values(), ids=SYMMETRIES)
def test_symmetry_that_nothing_breaks(seen: WeightSymmetry, expected: Severity | None) -> None:
    assert severity(seen, "M202") == expected


def test_symmetry_of_nothing_is_not_judged() -> None:
    assert why(WeightSymmetry(0), "M202")


EXPLODING = replace(
    VANISHING,
    activation_std=tuple(3.0**place for place in range(8)),
    gradient_norm=tuple(3.0 ** (7 - place) for place in range(8)),
)
SIGMOIDS = replace(
    VANISHING, activation_std=(0.2,) * 8, gradient_norm=tuple(1e-2 * 0.1 ** (7 - place) for place in range(8))
)
SPREADS = {
    "level": (LEVEL, None),
    "vanishing": (VANISHING, WARNING),
    "exploding": (EXPLODING, WARNING),
    "gradient lost behind sigmoids": (SIGMOIDS, WARNING),
    "activations alone": (replace(VANISHING, gradient_norm=LEVEL.gradient_norm), None),
    "gradient alone, by a thousand": (replace(LEVEL, gradient_norm=VANISHING.gradient_norm), None),
    "gradients explode behind bent tanhs": (
        replace(LEVEL, gradient_norm=VANISHING.gradient_norm[::-1], beyond_bend=(0.4, *(0.8,) * 6, 0.0)),
        WARNING,
    ),
    "few numbers beyond the bend": (
        replace(LEVEL, gradient_norm=VANISHING.gradient_norm[::-1], beyond_bend=(0.8, *(0.3,) * 6, 0.8)),
        None,
    ),
    "bent tanhs that gradients pass": (replace(LEVEL, beyond_bend=(0.8,) * 8), None),
    "both fall with depth": (replace(VANISHING, gradient_norm=VANISHING.gradient_norm[::-1]), None),
    "one layer far off": (replace(LEVEL, activation_std=(1.0, 1.0, 1e-4, 1.0, 1.0, 1.0, 1.0, 1.0)), None),
    "zeros on purpose": (
        replace(LEVEL, activation_std=(1.0, 0.0, 1.1, 0.0, 0.9, 1.0, 1.1, 1.0)),
        None,
    ),
    "half normalised": (replace(LEVEL, normalized=(False, True) * 4), None),
    "no number in one layer": (replace(VANISHING, activation_std=(math.nan, *VANISHING.activation_std[1:])), WARNING),
}


@pytest.mark.parametrize(("seen", "expected"), SPREADS.values(), ids=SPREADS)
def test_spread_over_depth(seen: DepthSpread, expected: Severity | None) -> None:
    assert severity(seen, "M203") == expected


@pytest.mark.parametrize(
    "seen",
    [
        replace(VANISHING, normalized=(True,) * 8),
        replace(VANISHING, pretrained=True),
        DepthSpread(DEPTH[:3], (1.0, 0.1, 0.01), (1e-9, 1e-6, 1e-3)),
        DepthSpread((), (), ()),
        replace(VANISHING, gradient_norm=(0.0,) * 8),
        replace(VANISHING, gradient_norm=()),
    ],
    ids=["normalised", "pretrained", "shallow", "empty", "no gradient", "not measured"],
)
def test_depth_that_tells_no_trend_is_not_judged(seen: DepthSpread) -> None:
    assert why(seen, "M203")


RELU = QuietLayer("act", "relu", units=128, quiet=0, samples=1024, step=500)
DEAD = {
    "none": (RELU, None),
    "a third, as in healthy nets": (replace(RELU, quiet=45), None),
    "just over half": (replace(RELU, quiet=68), None),
    "most": (replace(RELU, quiet=90), WARNING),
    "most of a narrow layer": (replace(RELU, units=8, quiet=6), None),
    "a whole narrow layer": (replace(RELU, units=2, quiet=2), WARNING),
    "a whole layer at initialisation, few samples": (replace(RELU, quiet=128, samples=64, step=0), WARNING),
}


@pytest.mark.parametrize(("layer", "expected"), DEAD.values(), ids=DEAD)
def test_dead_units(layer: QuietLayer, expected: Severity | None) -> None:
    assert severity(DeadUnits((layer,)), "M204") == expected


def test_the_worst_layer_is_named_with_the_others() -> None:
    layers = (replace(RELU, layer="a", quiet=90), replace(RELU, layer="b", quiet=128))
    (found,) = diagnose(fact_run(DeadUnits(layers)), select=["M204"]).findings
    assert found.where.layer == "b"
    assert found.summary.endswith("so are others: a")


@pytest.mark.parametrize("layers", [(), (replace(RELU, quiet=90, samples=100),), (replace(RELU, units=0),)], ids=len)
def test_too_few_samples_kill_no_unit(layers: tuple[QuietLayer, ...]) -> None:
    assert why(DeadUnits(layers), "M204")


TANH = QuietLayer("act", "tanh", units=64, quiet=60, samples=512, step=400)


def with_gradients(first: float, last: float) -> Run:
    steps = [float(step) for step in range(20) for _ in range(2)]
    columns = {"step": steps, "layer": ["first", "last"] * 20, "statistic": "grad_norm", "value": [first, last] * 20}
    run = fact_run(SaturatedUnits((TANH,)))
    return replace(run, layers=layer_frame(columns))


def test_saturation_counts_from_the_start_or_where_no_gradient_passes() -> None:
    start = replace(TANH, step=0)
    assert severity(SaturatedUnits((start,)), "M205") is WARNING
    assert severity(SaturatedUnits((replace(TANH, quiet=3),), first=(start,)), "M205") is WARNING
    assert severity(SaturatedUnits((TANH,)), "M205") is INFO
    assert severity(with_gradients(1e-7, 1e-2), "M205") is WARNING
    assert severity(with_gradients(5e-3, 1e-2), "M205") is INFO
    assert severity(with_gradients(0.0, 0.0), "M205") is INFO
    assert severity(SaturatedUnits((replace(start, quiet=30),)), "M205") is None


def test_answers_beyond_the_bend_count_before_the_first_step_whichever_units_they_are_of() -> None:
    wide = replace(TANH, step=0, quiet=20, beyond=0.8)
    assert severity(SaturatedUnits((wide,)), "M205") is WARNING
    assert severity(SaturatedUnits((replace(wide, beyond=0.3),)), "M205") is None
    assert severity(SaturatedUnits((replace(wide, step=200),)), "M205") is None


@pytest.mark.parametrize("change", [{"gate": True}, {"output": True}, {"samples": 20}, {"units": 0}], ids=str)
def test_gates_answers_and_glances_are_not_judged(change: dict[str, int]) -> None:
    assert why(SaturatedUnits((replace(TANH, step=0, **change),)), "M205")  # type: ignore[arg-type]
