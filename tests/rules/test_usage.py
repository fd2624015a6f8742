"""G306 to G309, G311 and G312 at their borders, and on what is done on purpose."""

import math
from dataclasses import replace

import numpy as np
import pytest

from dlcheck.findings import Severity
from dlcheck.runs.facts import (
    Clipping,
    GradientClearing,
    GraphGrowth,
    LossScale,
    OptimizerGroup,
    OptimizerSettings,
    ScheduleCalls,
    WeightsMoving,
)
from tests.rules.examples_usage import (
    BY_BATCH,
    BY_EPOCH,
    CLEARED,
    CLIPPED,
    MOVING,
    SETTLED,
    STILL,
    STILL_FALLING,
    UNCLEARED,
)
from tests.rules.fact_runs import fact_run
from tests.rules.judging import found, severity

WARNING, ERROR, INFO = Severity.WARNING, Severity.ERROR, Severity.INFO


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        pytest.param(CLEARED, None, id="cleared"),
        pytest.param(replace(CLEARED, backwards_per_step=8.0), None, id="accumulation"),
        pytest.param(UNCLEARED, ERROR, id="never cleared"),
        pytest.param(replace(UNCLEARED, norm_growth=None), ERROR, id="never cleared, no norms"),
        pytest.param(replace(UNCLEARED, steps=4, uncleared=4), None, id="a trial"),
        pytest.param(replace(UNCLEARED, uncleared=30), None, id="now and then"),
        pytest.param(replace(UNCLEARED, uncleared=75, cleared_by="zero_grad"), ERROR, id="cleared every fourth step"),
        pytest.param(replace(UNCLEARED, shared_parameters=True, norm_growth=1.2), None, id="losses in turn"),
        pytest.param(replace(UNCLEARED, shared_parameters=True, norm_growth=30.0), ERROR, id="shared, and growing"),
        pytest.param(GradientClearing(0, 0, 0.0), None, id="no step"),
        pytest.param(replace(UNCLEARED, norm_growth=math.nan, backwards_per_step=math.nan), ERROR, id="NaN"),
    ],
)
def test_clearing_of_gradients(seen: GradientClearing, expected: Severity | None) -> None:
    assert severity(fact_run(seen), "G306") is expected


def test_uncleared_gradients_name_line_and_what_clears() -> None:
    finding = found(fact_run(replace(UNCLEARED, uncleared=75, cleared_by="zero_grad")), "G306")
    assert finding is not None
    assert finding.summary.endswith("at 75 of 100 optimizer steps (train.py, line 12)")
    assert "by zero_grad" in finding.cause


NO_STEP = WeightsMoving(steps=0, backwards=100, layers=4)
ALL_STILL = replace(MOVING, still=tuple(replace(STILL, layer=f"fc{i}") for i in range(4)))


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        pytest.param(MOVING, None, id="moving"),
        pytest.param(NO_STEP, ERROR, id="step missing"),
        pytest.param(replace(NO_STEP, backwards=16), None, id="a first accumulation"),
        pytest.param(replace(NO_STEP, moved=True), None, id="steps by hand"),
        pytest.param(replace(NO_STEP, optimizers=0), None, id="no optimizer, weights not looked at"),
        pytest.param(replace(NO_STEP, optimizers=0, moved=True), None, id="gradient descent by hand"),
        pytest.param(replace(NO_STEP, optimizers=0, moved=False), INFO, id="attribution, or no optimizer"),
        pytest.param(ALL_STILL, ERROR, id="nothing moves"),
        pytest.param(replace(MOVING, still=(STILL,)), WARNING, id="one of four"),
        pytest.param(replace(MOVING, still=(replace(STILL, steps=10),)), None, id="ten steps"),
        pytest.param(replace(MOVING, still=(replace(STILL, lr=0.0),)), None, id="one group with a rate of 0"),
        pytest.param(replace(ALL_STILL, still=tuple(replace(s, lr=0.0) for s in ALL_STILL.still)), ERROR, id="rate 0"),
        pytest.param(replace(MOVING, still=(replace(STILL, gradient=None),)), None, id="no gradient"),
        pytest.param(replace(MOVING, still=(replace(STILL, gradient=0.0),)), None, id="gradient 0"),
        pytest.param(replace(MOVING, still=(replace(STILL, gradient=math.nan),)), None, id="gradient NaN"),
        pytest.param(replace(ALL_STILL, skipped_by_scaler=95), None, id="skipped by a scaler"),
        pytest.param(WeightsMoving(0, 0, 0), None, id="evaluation"),
    ],
)
def test_weights_that_move(seen: WeightsMoving, expected: Severity | None) -> None:
    assert severity(fact_run(seen), "G307") is expected


@pytest.mark.parametrize(
    ("steps", "highest", "expected"),
    [(100, 0.0, ERROR), (10, 0.0, None), (100, 0.1, None)],
    ids=["rate 0", "warm-up from 0, its first steps", "ends at 0"],
)
def test_rates_of_zero(steps: int, highest: float, expected: Severity | None) -> None:
    settings = OptimizerSettings((OptimizerGroup(optimizer="SGD", lr=0.0, lr_highest=highest),), steps=steps)
    assert severity(fact_run(replace(MOVING, steps=steps), settings), "G307") is expected


def test_steps_below_rounding_are_told_from_a_copy() -> None:
    tiny = replace(MOVING, still=(replace(STILL, lr=1e-9, gradient=0.1),))
    finding, copied = found(fact_run(tiny), "G307"), found(fact_run(ALL_STILL), "G307")
    assert finding is not None
    assert copied is not None
    assert "rounding" in finding.cause
    assert "copy" in copied.cause


FALLS, SETTLES = {"train_loss": STILL_FALLING}, {"train_loss": SETTLED}


@pytest.mark.parametrize(
    ("seen", "curves", "expected"),
    [
        pytest.param(CLIPPED, FALLS, WARNING, id="always, still falling"),
        pytest.param(CLIPPED, SETTLES, INFO, id="always, settled"),
        pytest.param(CLIPPED, {}, INFO, id="always, no loss known"),
        pytest.param(replace(CLIPPED, rescales=True, optimizer="Adam"), FALLS, None, id="Adam"),
        pytest.param(replace(CLIPPED, median_norm=0.3), FALLS, None, id="a little above the limit"),
        pytest.param(replace(CLIPPED, clipped=200), FALLS, None, id="half of them"),
        pytest.param(replace(CLIPPED, calls=10, clipped=10), FALLS, None, id="first steps"),
        pytest.param(replace(CLIPPED, clipped=0, after_step=True), SETTLES, WARNING, id="after the step"),
        pytest.param(replace(CLIPPED, rescales=True, before_unscale=True), SETTLES, WARNING, id="before unscale_"),
        pytest.param(replace(CLIPPED, calls=1, clipped=1, after_step=True), SETTLES, None, id="one call"),
        pytest.param(replace(CLIPPED, limit=0.0), FALLS, None, id="limit 0"),
        pytest.param(replace(CLIPPED, median_norm=math.nan, p90_norm=math.nan), FALLS, None, id="NaN"),
        pytest.param(replace(CLIPPED, limit=1e-3, p90_norm=math.inf), FALLS, WARNING, id="infinite norms"),
        pytest.param(Clipping(0, 0, 0.0, 0.0, 0.0), {}, None, id="never called"),
    ],
)
def test_clipping(seen: Clipping, curves: dict[str, np.ndarray], expected: Severity | None) -> None:
    assert severity(fact_run(seen, curves=curves), "G308") is expected


SCALED = LossScale(steps=1000, skipped=60, skipped_late=50, late_steps=800, first=65536.0, last=64.0, lowest=64.0)


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        pytest.param(SCALED, WARNING, id="many late"),
        pytest.param(replace(SCALED, skipped_late=40), None, id="five in a hundred"),
        pytest.param(replace(SCALED, skipped=10, skipped_late=0), None, id="the search for a scale"),
        pytest.param(replace(SCALED, steps=100, skipped=16, skipped_late=0, late_steps=0), None, id="a short run"),
        pytest.param(replace(SCALED, last=0.5), ERROR, id="collapsed"),
        pytest.param(replace(SCALED, first=0.5, last=0.5, skipped=0, skipped_late=0), None, id="low on purpose"),
        pytest.param(replace(SCALED, last=0.0, lowest=0.0), ERROR, id="scale 0"),
        pytest.param(replace(SCALED, last=math.nan), WARNING, id="NaN"),
        pytest.param(LossScale(0, 0, 0, 0, 1.0, 1.0, 1.0), None, id="switched off"),
    ],
)
def test_loss_scales(seen: LossScale, expected: Severity | None) -> None:
    assert severity(fact_run(seen), "G309") is expected


GROWING = GraphGrowth(steps=100, alive=99, alive_middle=49, highest=99)


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        pytest.param(GROWING, WARNING, id="a sum of losses"),
        pytest.param(GraphGrowth(steps=200, alive=1, alive_middle=1), None, id="the last loss"),
        pytest.param(GraphGrowth(steps=200, alive=20, alive_middle=20, highest=20), None, id="a window"),
        pytest.param(
            GraphGrowth(steps=200, alive=20, alive_middle=20, highest=20, retained=True), None, id="a window, retained"
        ),
        pytest.param(replace(GROWING, steps=8, alive=7, alive_middle=3, highest=7), None, id="eight steps"),
        pytest.param(
            GraphGrowth(steps=200, alive=50, alive_middle=50, highest=50, epoch_steps=50), WARNING, id="sums of epochs"
        ),
        pytest.param(
            GraphGrowth(steps=200, alive=20, alive_middle=20, highest=20, epoch_steps=50), None, id="less than an epoch"
        ),
        pytest.param(
            GraphGrowth(steps=160, alive=20, alive_middle=20, highest=20, epoch_steps=16), None, id="more than an epoch"
        ),
        pytest.param(
            GraphGrowth(steps=200, alive=5, alive_middle=5, highest=5, epoch_steps=5), None, id="epochs of five steps"
        ),
        pytest.param(
            GraphGrowth(steps=200, alive=40, alive_middle=20, highest=40, memory_slope=0.5, memory_slope_low=0.2),
            INFO,
            id="a few, with memory",
        ),
        pytest.param(GraphGrowth(steps=3, alive=0, alive_middle=0, crashed=True), ERROR, id="stopped"),
        pytest.param(GraphGrowth(0, 0, 0), None, id="no step"),
        pytest.param(replace(GROWING, memory_slope=math.nan, memory_slope_low=math.nan), WARNING, id="NaN"),
    ],
)
def test_graphs_that_stay(seen: GraphGrowth, expected: Severity | None) -> None:
    assert severity(fact_run(seen), "G311") is expected


@pytest.mark.parametrize(
    ("seen", "first"),
    [
        (GROWING, "add up numbers"),
        (replace(GROWING, retained=True), "detach what is handed on"),
        (replace(GROWING, evaluation=True), "run the evaluation under torch.no_grad()"),
    ],
)
def test_graphs_that_stay_have_the_fitting_remedy_first(seen: GraphGrowth, first: str) -> None:
    finding = found(fact_run(seen), "G311")
    assert finding is not None
    assert finding.remedies[0].text.startswith(first)


def schedule(scheduler: str, made: int, horizon: int | None, **parts: object) -> ScheduleCalls:
    """Return a schedule's counts in a training of 10 epochs of 100 steps."""
    usual: dict[str, object] = {"optimizer_steps": 1000, "epochs": 10, "batches_per_epoch": 100, "lr_first": 0.1}
    return ScheduleCalls(scheduler, made, horizon=horizon, **{**usual, **parts})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("seen", "says"),
    [
        pytest.param(BY_EPOCH, None, id="steps of epochs by the epoch"),
        pytest.param(BY_BATCH, "with every batch", id="steps of epochs by the batch"),
        pytest.param(schedule("StepLR", 1000, 400), None, id="steps of batches by the batch"),
        pytest.param(schedule("ExponentialLR", 1000, None, lr_collapsed_at=0.09), "every batch", id="exponential"),
        pytest.param(schedule("ExponentialLR", 1000, None, lr_collapsed_at=0.8), None, id="exponential by the batch"),
        pytest.param(schedule("MultiStepLR", 1000, 9), "made for 9", id="milestones of epochs by the batch"),
        pytest.param(schedule("MultiStepLR", 1000, 800), None, id="milestones of batches"),
        pytest.param(schedule("CosineAnnealingLR", 1000, 10), "every batch", id="cosine of epochs by the batch"),
        pytest.param(schedule("CosineAnnealingLR", 1000, 1000), None, id="cosine of batches"),
        pytest.param(schedule("CosineAnnealingLR", 1000, 200), None, id="cosine in cycles of two epochs"),
        pytest.param(schedule("CosineAnnealingLR", 10, 2), None, id="cosine in cycles of epochs"),
        pytest.param(schedule("CosineAnnealingLR", 10, 10), None, id="cosine of epochs"),
        pytest.param(schedule("CosineAnnealingLR", 10, 1000), "once an epoch", id="cosine of batches by the epoch"),
        pytest.param(schedule("CosineAnnealingWarmRestarts", 1000, 10), None, id="restarts"),
        pytest.param(schedule("CyclicLR", 1000, 10, lr_collapsed_at=0.1), None, id="cycles"),
        pytest.param(schedule("LambdaLR", 1000, None, lr_collapsed_at=0.2), None, id="anyone's function"),
        pytest.param(schedule("LinearLR", 1000, 5), None, id="warm-up of five steps"),
        pytest.param(schedule("ConstantLR", 1000, 5), None, id="constant"),
        pytest.param(schedule("OneCycleLR", 10, 1000), "10 of its 1000 steps", id="one cycle by the epoch"),
        pytest.param(schedule("OneCycleLR", 1000, 1000), None, id="one cycle"),
        pytest.param(schedule("OneCycleLR", 2, 1000, epochs=2, finished=False), None, id="interrupted"),
        pytest.param(
            schedule("OneCycleLR", 400, 1000, epochs=4, optimizer_steps=400, finished=False), None, id="stopped early"
        ),
        pytest.param(
            schedule("CosineAnnealingLR", 4, 100, epochs=4, optimizer_steps=400), None, id="a longer training meant"
        ),
        pytest.param(schedule("LambdaLR", 10, 1000, epochs=0), "once an epoch", id="a function of as many steps"),
        pytest.param(schedule("LambdaLR", 10, 1100, epochs=0), None, id="a function of other steps, epochs unknown"),
        pytest.param(schedule("LambdaLR", 1000, 1000, epochs=0), None, id="a function of steps"),
        pytest.param(schedule("LambdaLR", 10, 10, epochs=0), None, id="a function of epochs"),
        pytest.param(schedule("LambdaLR", 10, 1000, epochs=0, finished=False), None, id="a function, interrupted"),
        pytest.param(schedule("StepLR", 10, 3, optimizer_steps=10, batches_per_epoch=1), None, id="one batch an epoch"),
        pytest.param(
            schedule("StepLR", 100, 20, optimizer_steps=100, epochs=1, lr_collapsed_at=0.4), None, id="one epoch"
        ),
        pytest.param(schedule("StepLR", 0, 3), "was not stepped", id="never stepped"),
        pytest.param(schedule("StepLR", 0, 3, epochs=1), None, id="not yet stepped"),
        pytest.param(schedule("StepLR", 10, 3, before_optimizer=True), "before the optimizer's first", id="before"),
        pytest.param(
            schedule("StepLR", 10, 3, before_optimizer=True, skipped_by_scaler=1), None, id="first step skipped"
        ),
        pytest.param(
            schedule("StepLR", 3, 3, before_optimizer=True, optimizer_steps=0, epochs=0), None, id="no training"
        ),
        pytest.param(schedule("StepLR", 10, 3, replaced_optimizer=True), "no longer trains", id="optimizer replaced"),
        pytest.param(schedule("ReduceLROnPlateau", 10, None, metric_missing=True), "never given", id="no metric"),
        pytest.param(schedule("ReduceLROnPlateau", 10, None), None, id="plateau"),
        pytest.param(ScheduleCalls("", 0, 0, 0), None, id="nothing"),
    ],
)
def test_schedules(seen: ScheduleCalls, says: str | None) -> None:
    finding = found(fact_run(seen), "G312")
    assert (finding is None) if says is None else (finding is not None and says in finding.summary)
    assert finding is None or finding.severity is WARNING
