import math

import numpy as np
import pytest

from dlcheck.findings import Severity
from tests.rules.examples import EPOCHS, FALLING, FLAT, make_run, overfit_run, wobble
from tests.rules.judging import found, why


@pytest.mark.parametrize(("value", "word"), [(math.nan, "NaN"), (math.inf, "infinite"), (-math.inf, "infinite")])
def test_nan_loss_names_the_first_step(value: float, word: str) -> None:
    values = FALLING.copy()
    values[4:] = value
    finding = found(make_run({"train_loss": values}, recipe=True), "C401")
    assert finding is not None
    assert finding.summary == f"train_loss became {word} at step 50, and was so at the end"
    assert finding.evidence["first_epoch"] == 5
    assert finding.evidence["last_finite"] == pytest.approx(FALLING[3])
    assert finding.remedies[0].patch == {"optimizer.lr": 0.001}


def test_nan_loss_that_recovers_is_a_warning() -> None:
    finding = found(make_run({"train_loss": [1.0, math.nan, 0.5]}), "C401")
    assert finding is not None
    assert finding.severity is Severity.WARNING
    assert finding.remedies[0].patch == {}


def test_nan_in_another_metric_is_no_nan_loss() -> None:
    assert found(make_run({"train_loss": FALLING, "val_precision": [math.nan] * 30}), "C401") is None


def test_the_earliest_nan_is_reported() -> None:
    run = make_run({"train_loss": [1.0, math.nan], "batch_loss": [1.0] * 7 + [math.nan] * 13})
    finding = found(run, "C401")
    assert finding is not None
    assert (finding.where.metric, finding.where.step) == ("batch_loss", 8)


def test_diverged_tells_how_much_was_lost() -> None:
    run = make_run({"train_loss": np.where(EPOCHS < 20, FALLING, 1.9)}, trivial_loss=2.3)
    finding = found(run, "C402")
    assert finding is not None
    assert finding.evidence["end"] == pytest.approx(1.9)
    assert finding.evidence["lost_share"] == pytest.approx((1.9 - FALLING[17:19].mean()) / 2.2, abs=0.05)


@pytest.mark.parametrize(
    "end",
    [
        pytest.param([0.3, 0.3, 0.3], id="a small rise"),
        pytest.param([2.0, 0.06, 2.0], id="back at the best between"),
    ],
)
def test_no_divergence(end: list[float]) -> None:
    values = np.concatenate([FALLING[:-3], end])
    assert found(make_run({"train_loss": values}), "C402") is None


def test_a_spike_that_heals_is_no_divergence() -> None:
    values = FALLING.copy()
    values[10:12] = 8.0
    assert found(make_run({"train_loss": values}), "C402") is None


def test_too_few_points_to_see_a_divergence() -> None:
    assert why(make_run({"train_loss": [1.0, 2.0, 9.0]}), "C402") == "only 3 finite values of train_loss; 6 are needed"


def test_a_flat_loss_at_the_trivial_level_is_no_learning() -> None:
    finding = found(make_run({"train_eval_loss": FLAT + wobble(0.01)}, trivial_loss=2.303), "C406")
    assert finding is not None
    assert "never became significantly better than 2.303 (the best constant answer)" in finding.summary


@pytest.mark.parametrize("seed", range(5))
def test_batch_noise_alone_is_not_taken_for_learning(seed: int) -> None:
    values = 2.3 + wobble(0.15, seed, 3000)
    assert found(make_run({"batch_loss": values}, trivial_loss=2.3), "C406") is not None
    learned = values - 0.5 * np.arange(3000) / 3000
    assert found(make_run({"batch_loss": learned}, trivial_loss=2.3), "C406") is None


def test_wild_but_learned_is_not_no_learning() -> None:
    values = np.array([1.5, 0.5, 0.9, 0.5, 0.8, 0.45, 0.9, 0.5, 2.1, 0.5])
    assert found(make_run({"train_loss": values, "val_loss": values}, trivial_loss=1.0), "C406") is None


def test_learning_by_heart_is_told_apart() -> None:
    val = 2.31 + 0.05 * EPOCHS
    finding = found(make_run({"train_loss": FALLING, "val_loss": val}, trivial_loss=2.303), "C406")
    assert finding is not None
    assert finding.where.metric == "val_loss"
    assert "though train_loss fell to" in finding.summary


def test_a_small_validation_set_can_look_better_by_chance() -> None:
    curves = {"train_loss": FALLING, "val_loss": np.full(30, 0.62)}
    few, many = ({"val": count} for count in (50, 50_000))
    assert found(make_run(curves, trivial_loss=0.65, samples=few), "C406") is not None
    assert found(make_run(curves, trivial_loss=0.65, samples=many), "C406") is None


def test_without_a_trivial_loss_the_first_batch_stands_in() -> None:
    finding = found(make_run({"batch_loss": 2.3 + wobble(0.01, count=100), "train_loss": FLAT}), "C406")
    assert finding is not None
    assert finding.evidence["first_batch_loss"] == pytest.approx(2.3, abs=0.05)


def test_without_any_reference_a_loss_that_never_moves_is_no_learning() -> None:
    finding = found(make_run({"train_loss": FLAT}), "C406")
    assert finding is not None
    assert finding.summary == "train_loss is 2.3 from the first value to the last: it never moved"


def test_overfit_names_the_turning_point() -> None:
    finding = found(overfit_run(), "C409")
    assert finding is not None
    assert finding.evidence["best_epoch"] in (7, 8)
    assert finding.evidence["best_val_loss"] == pytest.approx(0.55, abs=0.05)
    assert finding.evidence["last_val_loss"] == pytest.approx(0.55 + 0.03 * 20.5, abs=0.03)
    assert finding.evidence["metric_worsens"] is True
    cures = {remedy.text: remedy for remedy in finding.remedies}
    assert cures["penalise large weights"].patch == {"regularize.l2": 0.001}
    (stops,) = (remedy for remedy in finding.remedies if remedy.hides)
    assert stops.patch == {"train.patience": 5}


def val_turning(rise: float) -> np.ndarray:
    return np.asarray(np.where(EPOCHS < 8, 2.3 - 0.25 * EPOCHS, 0.55 + rise * (EPOCHS - 7)))


@pytest.mark.parametrize(
    ("train", "val", "accuracy"),
    [
        pytest.param(2.3 - 0.01 * EPOCHS[::-1], val_turning(0.03), None, id="training worsens as well"),
        pytest.param(FALLING, val_turning(0.0005), None, id="a rise of a percent"),
        pytest.param(FALLING, val_turning(0.006), np.full(30, 0.9), id="a small rise that accuracy does not share"),
        pytest.param(FALLING, 0.5 + wobble(0.1), None, id="noise"),
        pytest.param(FALLING, 0.05 * val_turning(0.03), None, id="a loss near 0 beside all that was learned"),
    ],
)
def test_no_overfit(train: np.ndarray, val: np.ndarray, accuracy: np.ndarray | None) -> None:
    curves = {"train_loss": train, "val_loss": val}
    if accuracy is not None:
        curves["val_accuracy"] = accuracy
    assert found(make_run(curves, trivial_loss=2.3), "C409") is None


def test_an_error_rate_that_rises_supports_overfit_as_falling_accuracy_does() -> None:
    curves = {"train_loss": FALLING, "val_loss": val_turning(0.008)}
    error = np.where(EPOCHS < 8, 1 - 0.1 * EPOCHS, 0.3 + 0.005 * (EPOCHS - 7))
    assert found(make_run(curves | {"val_error": 1 - error}, trivial_loss=2.3), "C409") is None
    assert found(make_run(curves | {"val_error": error}, trivial_loss=2.3), "C409") is not None


def test_a_threshold_can_be_moved() -> None:
    assert found(overfit_run(), "C409", rise=5.0) is None


def test_white_noise_is_almost_never_overfit() -> None:
    runs = [make_run({"train_loss": FALLING, "val_loss": 0.5 + wobble(0.05, seed)}) for seed in range(100)]
    assert sum(found(run, "C409") is not None for run in runs) <= 1


def test_stopped_late_tells_the_share() -> None:
    val = np.where(EPOCHS < 10, 2.3 - 0.2 * EPOCHS, 0.5 + 0.01 * (EPOCHS - 9))
    finding = found(make_run({"val_loss": val}), "C411")
    assert finding is not None
    assert finding.evidence["wasted_share"] == pytest.approx(0.68, abs=0.05)


def test_a_loss_that_nears_zero_is_not_undertrained() -> None:
    assert found(make_run({"val_loss": 2.3 * np.exp(-EPOCHS / 3)}), "C412") is None


def test_a_plateau_is_not_undertrained() -> None:
    assert found(make_run({"val_loss": FALLING + wobble(0.01)}), "C412") is None


def test_undertrained_looks_at_validation_first() -> None:
    falling = 2.3 - 0.05 * EPOCHS
    finding = found(make_run({"train_loss": falling, "val_loss": falling}, recipe=True), "C412")
    assert finding is not None
    assert finding.where.metric == "val_loss"
    assert finding.remedies[0].patch == {"train.epochs": 60}
    assert finding.evidence["expected_gain"] == pytest.approx(0.15, rel=0.01)


def test_a_run_that_ended_before_its_first_validation_is_not_one_without() -> None:
    cut_short = make_run({"train_loss": FALLING}, samples={"train": 100, "val": 20})
    assert why(cut_short, "R701") == "the run ended before its first validation"
    assert found(make_run({"train_loss": FALLING}, samples={"train": 100}), "R701") is not None


def test_noise_beside_a_loss_near_zero_is_no_noise_worth_telling() -> None:
    near_zero = 2.3 * np.exp(-EPOCHS / 3) + 0.02 + np.abs(wobble(0.01))
    assert found(make_run({"train_loss": near_zero, "val_loss": near_zero}), "C413") is None
