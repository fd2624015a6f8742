"""Rules on logs that dlcheck did not write: no reference, other lengths, other units."""

import math

import numpy as np
import pytest

from dlcheck.findings import Severity
from dlcheck.rules import diagnose, verdict
from dlcheck.runs import Part, Run, scalar_frame
from tests.rules.examples import CURVES_FALL, EPOCHS, FALLING, FLAT, HALF, RATE, make_run, wobble
from tests.rules.judging import found, why


def accuracy(first: float, last: float, split: str = "val") -> dict[str, np.ndarray]:
    course = (np.exp(-1 / 4) - np.exp(-EPOCHS / 4)) / (np.exp(-1 / 4) - np.exp(-30 / 4))
    return {f"{split}_accuracy": first + (last - first) * course}


LOW, HIGH = FALLING + 0.1, FLAT + wobble(0.004)


@pytest.mark.parametrize(
    ("train", "val", "primary", "word"),
    [
        pytest.param(LOW, LOW + 0.02, [], "healthy", id="both low: learning"),
        pytest.param(LOW, np.maximum(LOW, 0.9) + 0.02 * EPOCHS, ["C409"], "sick", id="low and high: overfitting"),
        pytest.param(HIGH, HIGH + wobble(0.004, 1), ["C406"], "sick", id="both high: not learning"),
        pytest.param(HIGH, LOW, ["C414"], "sick", id="high and low: look for a bug in the code"),
    ],
)
def test_the_classic_table(train: np.ndarray, val: np.ndarray, primary: list[str], word: str) -> None:
    outcome = diagnose(make_run({"train_loss": train, "val_loss": val}))
    assert verdict(outcome) == word
    troubling = [item for item in outcome.findings if item.primary and item.severity >= Severity.WARNING]
    assert [item.code for item in troubling] == primary
    if primary == ["C414"]:
        assert "look for a bug in the code" in troubling[0].summary


def test_one_spike_is_information_and_three_are_a_warning() -> None:
    values = FALLING + wobble(0.005)
    values[12] += 3.0
    once = found(make_run({"train_loss": values}), "C403")
    assert once is not None
    assert (once.severity, once.where.epoch) == (Severity.INFO, 13)
    values[[18, 24]] += 3.0
    often = found(make_run({"train_loss": values}), "C403")
    assert often is not None
    assert (often.severity, often.evidence["spikes"]) == (Severity.WARNING, 3)


def test_hard_single_batches_are_no_spikes() -> None:
    tails = [np.random.default_rng(seed).exponential(0.3, 2000) for seed in range(20)]
    runs = [make_run({"batch_loss": 0.2 + np.exp(-np.arange(2000) / 200) + tail}) for tail in tails]
    findings = [item for run in runs if (item := found(run, "C403")) is not None]
    assert len(findings) <= 2
    assert all(item.severity is Severity.INFO for item in findings)


def test_a_spike_survives_thinning() -> None:
    steps = np.arange(200_000)
    values = 0.2 + 2 * np.exp(-steps / 20_000) + wobble(0.02, count=200_000)
    values[120_000:120_020] += 2
    finding = found(make_run({"batch_loss": values}), "C403")
    assert finding is not None
    assert finding.where.step == pytest.approx(120_000, rel=0.01)


CLIMB = np.where(EPOCHS < 10, FALLING, 1.9) + wobble(0.01)


def test_a_rate_too_high_is_named_and_explains_the_divergence() -> None:
    outcome = diagnose(make_run({"train_loss": CLIMB, "train_lr": RATE}))
    cause = outcome.findings[0]
    assert cause.code == "C404"
    assert cause.evidence["learning_rate"] == pytest.approx(0.1)
    assert {item.code: item.explained_by for item in outcome.findings}["C402"] == "C404"


def test_a_rate_whose_cut_helped_was_too_high() -> None:
    cut = np.where(EPOCHS < 20, 20.0, 5.0)
    loss = np.where(EPOCHS < 5, 12.2, np.where(EPOCHS < 20, 15.0, 8.0)) + wobble(0.05)
    finding = found(make_run({"train_loss": loss, "train_lr": cut}), "C404")
    assert finding is not None
    assert finding.evidence["fell_after_lowering"] is True


def test_a_climb_at_a_low_rate_is_not_blamed_on_it() -> None:
    rates = np.where(EPOCHS < 6, 0.1, 0.001)
    assert found(make_run({"train_loss": CLIMB, "train_lr": rates}), "C404") is None


CREEP = 2.3 - 0.005 * EPOCHS + wobble(0.002)


def test_a_tiny_rate_or_a_known_reference_make_creeping_a_rate_too_low() -> None:
    assert why(make_run({"train_loss": CREEP}), "C405").startswith("neither the loss of a constant answer")
    assert found(make_run({"train_loss": CREEP, "train_lr": np.full(30, 1e-3)}), "C405") is None
    tiny = found(make_run({"train_loss": CREEP, "train_lr": np.full(30, 1e-7)}), "C405")
    assert tiny is not None
    assert tiny.evidence["highest_rate"] == pytest.approx(1e-7)
    assert found(make_run({"train_loss": FALLING, "train_lr": np.full(30, 1e-7)}), "C405") is None


def test_even_classes_make_the_logarithm_of_their_number_the_reference() -> None:
    stuck = make_run({"train_loss": FLAT + 0.003}, class_counts=[50] * 10)
    finding = found(stuck, "C406")
    assert finding is not None
    assert finding.evidence["class_counts"] == pytest.approx(math.log(10))
    assert found(make_run({"train_loss": FLAT - 0.3}, class_counts={"a": 50, "b": 50, "c": 900}), "C406") is not None


def test_flat_losses_need_agreement_to_be_an_error() -> None:
    alone = found(make_run({"train_loss": HIGH}), "C406")
    both = found(make_run({"train_loss": HIGH, "val_loss": HIGH}), "C406")
    assert alone is not None
    assert both is not None
    assert (alone.severity, both.severity) == (Severity.WARNING, Severity.ERROR)


def test_an_accuracy_that_improves_speaks_against_no_learning() -> None:
    assert found(make_run({"train_loss": HIGH, "val_loss": HIGH} | accuracy(0.1, 0.6)), "C406") is None


def test_a_fall_in_the_first_values_alone_cannot_be_judged() -> None:
    values = HIGH.copy()
    values[0] = 40.0
    assert why(make_run({"train_loss": values}), "C406").startswith("the loss fell within its first values only")


def test_a_plateau_is_long_and_not_good() -> None:
    finding = found(make_run({"train_loss": HALF + wobble(0.01)}), "C407")
    assert finding is not None
    assert finding.evidence["flat_share"] == pytest.approx(24 / 29, abs=0.08)
    good = np.concatenate([np.linspace(2.0, 0.01, 6), np.full(24, 0.01)])
    assert found(make_run({"train_loss": good}), "C407") is None
    assert found(make_run({"train_loss": HALF + wobble(0.01)} | accuracy(0.5, 0.97)), "C407") is None


def test_underfit_needs_to_know_how_high_the_error_is() -> None:
    run = make_run({"train_loss": HALF + wobble(0.01)})
    assert why(run, "C408").startswith("neither the loss of a constant answer nor a training accuracy")
    poor, fair = (accuracy(0.1, last, "train") for last in (0.4, 0.8))
    assert found(make_run({"train_loss": HALF + wobble(0.01)} | poor), "C408") is not None
    assert found(make_run({"train_loss": HALF + wobble(0.01)} | fair), "C408") is None


def test_validation_that_never_gains_while_training_does_is_overfit() -> None:
    curves = {"train_loss": FALLING + 0.5, "val_loss": 2.8 + np.abs(wobble(0.3))}
    scores = accuracy(0.4, 0.9, "train") | {"val_accuracy": 0.26 + wobble(0.01)}
    finding = found(make_run(curves | scores), "C409")
    assert finding is not None
    assert "not at all on those of validation" in finding.summary
    assert found(make_run(curves | accuracy(0.4, 0.9, "train") | accuracy(0.26, 0.5)), "C409") is None


def test_a_jump_of_validation_that_stays_is_overfit() -> None:
    val = np.where(EPOCHS < 10, 0.7 - 0.05 * EPOCHS, 0.4) + wobble(0.004)
    assert found(make_run({"train_loss": FALLING + 0.1, "val_loss": val}), "C409") is not None


def test_a_gap_is_measured_by_what_was_learned() -> None:
    small = {"train_loss": 0.001 + FALLING - 0.05, "val_loss": 0.02 + FALLING - 0.05}
    assert found(make_run(small), "C410") is None
    sums = {"train_loss": FALLING, "val_loss": 500 * (FALLING + 1)}
    assert why(make_run(sums), "C410") == "training and validation loss are not in the same unit"


def test_identical_losses_are_a_fault_of_the_log() -> None:
    run = make_run({"train_loss": FALLING, "val_loss": FALLING})
    assert why(run, "C409") == "training and validation loss were logged with the same values"
    finding = found(run, "R705")
    assert finding is not None
    assert finding.summary == "train_loss and val_loss hold the same values"


def test_noise_that_training_shares_is_not_that_of_validation() -> None:
    shared = 0.5 + FALLING + wobble(0.2)
    assert found(make_run({"train_loss": shared, "val_loss": 0.5 + FALLING + wobble(0.2, 1)}), "C413") is None
    assert found(make_run({"train_loss": FALLING, "val_loss": 0.5 + FALLING + wobble(0.01)}), "C413") is None


def test_a_training_loss_with_mixup_is_harmless() -> None:
    finding = found(make_run({"train_loss": 2.5 + 2 * FALLING, "val_loss": 0.7 + 3 * FALLING}), "C414")
    assert finding is not None
    assert finding.severity is Severity.INFO


def test_the_direction_of_a_metric_decides_about_mismatch() -> None:
    loss = np.where(EPOCHS < 8, 2.3 - 0.2 * EPOCHS, 0.9 + 0.04 * (EPOCHS - 7)) + wobble(0.005)
    curves = {"train_loss": FALLING, "val_loss": loss}
    error = 0.5 - 0.01 * EPOCHS + wobble(0.002, 1)
    assert found(make_run(curves | {"val_error": error}), "C415") is not None
    assert found(make_run(curves | {"val_error": 0.9 - error}), "C415") is None


def test_a_negative_loss_is_wrong_for_a_classifier_only() -> None:
    values = 2.0 - 0.3 * EPOCHS
    falling = {"train_accuracy": 0.5 - 0.01 * EPOCHS}
    finding = found(make_run({"train_loss": values} | falling), "C416")
    assert finding is not None
    assert (finding.where.epoch, finding.evidence["worsening_metric"]) == (7, "accuracy")
    assert found(make_run({"train_loss": values}), "C416") is None


def test_a_schedule_that_runs_down_early() -> None:
    rates = 0.1 * 0.5**EPOCHS
    finding = found(make_run({"train_loss": FALLING, "train_lr": rates}), "C417")
    assert finding is not None
    assert finding.where.epoch == 8
    assert found(make_run(CURVES_FALL), "C417") is None


def test_a_run_without_a_rate_for_most_of_it_costs_hours() -> None:
    gone = np.maximum(0.1 * (1 - EPOCHS / 5), 0.0)
    plateaus = 0.1 * 0.1 ** np.minimum((EPOCHS - 1) // 2, 6.0)
    late = np.maximum(0.1 * (1 - EPOCHS / 15), 0.0)
    for rates, severity in ((gone, Severity.WARNING), (plateaus, Severity.INFO), (late, Severity.INFO)):
        finding = found(make_run({"train_loss": FALLING, "train_lr": rates}), "C417")
        assert finding is not None
        assert finding.severity is severity


def test_an_easy_task_is_no_more_than_information() -> None:
    finding = found(make_run({"val_accuracy": np.ones(30), "train_accuracy": np.full(30, 0.99)}), "C418")
    assert finding is not None
    assert finding.severity is Severity.INFO
    assert found(make_run(accuracy(0.8, 1.0)), "C418") is None


NOISY = FALLING + wobble(0.02)


@pytest.mark.parametrize(
    ("values", "word"),
    [
        pytest.param(np.where(EPOCHS < 20, NOISY, 0.0), "exactly 0", id="filtered to zero"),
        pytest.param(np.where(EPOCHS < 15, NOISY, 1.234567), "froze at", id="running mean repeated"),
        pytest.param(np.where(EPOCHS < 20, NOISY, 87.3365), "smallest float32", id="saturated logarithm"),
    ],
)
def test_a_hidden_nan_is_seen(values: np.ndarray, word: str) -> None:
    finding = found(make_run({"train_loss": values}), "C419")
    assert finding is not None
    assert word in finding.summary


def test_a_gradient_norm_that_stays_nan_betrays_the_loss() -> None:
    norms = np.where(EPOCHS < 12, 1.0, math.nan)
    finding = found(make_run({"train_loss": FALLING, "train_grad_norm": norms}), "C419")
    assert finding is not None
    assert finding.where.epoch == 12
    skipped = np.where(np.isin(EPOCHS, [3, 9]), math.nan, 1.0)
    assert found(make_run({"train_loss": FALLING, "train_grad_norm": skipped}), "C419") is None


def test_a_loss_rounded_to_zero_hides_nothing() -> None:
    values = np.round(2.3 * np.exp(-EPOCHS / 1.5), 4)
    assert found(make_run({"train_loss": values}), "C419") is None


def test_counters_that_fall_back_are_seen_without_an_event() -> None:
    epochs = np.concatenate([np.arange(1.0, 16), np.arange(1.0, 16)])
    run = Run(scalars=scalar_frame([Part("train", "loss", FALLING, None, epochs)]))
    finding = found(run, "R702")
    assert finding is not None
    assert finding.evidence["times"] == 1


def test_a_nan_of_validation_alone_is_a_warning_with_its_own_cause() -> None:
    finding = found(make_run({"train_loss": FALLING, "val_loss": np.full(30, math.nan)}), "C401")
    assert finding is not None
    assert finding.severity is Severity.WARNING
    assert "validation data" in finding.cause


STEADY = np.ones_like(EPOCHS)


@pytest.mark.parametrize(
    ("val_loss", "told"),
    [
        (1.2218712 * STEADY, True),
        (1.25 * STEADY, False),  # rounded by its logger
        (1.2218712 * STEADY - 0.01 * (EPOCHS == 3), False),
        ((1.2218712 * STEADY)[:4], False),
    ],
    ids=["to the last digit", "rounded", "once otherwise", "few"],
)
def test_weights_that_never_change_leave_the_same_validation_loss(val_loss: np.ndarray, told: bool) -> None:
    noisy = {"train_loss": 1.0 - 0.004 * EPOCHS + wobble(0.01)}
    finding = found(make_run(noisy | {"val_loss": val_loss}), "C406")
    assert (finding is not None) is told
    assert finding is None or "to the last digit" in finding.summary


def test_one_answer_to_all_shows_in_accuracy_and_entropy() -> None:
    share = 0.636
    entropy = -share * math.log(share) - (1 - share) * math.log(1 - share)
    loss = entropy + 0.02 * (EPOCHS < 2) + wobble(0.002)
    finding = found(make_run({"train_loss": loss, "train_accuracy": share * STEADY}), "C406")
    assert finding is not None
    assert "one answer is given to all" in finding.summary
    calibrated = {"train_loss": loss - 0.1, "train_accuracy": share * STEADY}
    assert why(make_run(calibrated), "C406")
    moving = found(make_run({"train_loss": loss, "train_accuracy": share + wobble(0.01)}), "C406")
    assert moving is not None
    assert "one answer" not in moving.summary


GUESS = {"val_loss": 2.31 + 0.01 * EPOCHS + wobble(0.01), "val_accuracy": 0.1 + wobble(0.008, seed=1)}


def test_what_is_learned_by_heart_says_nothing_about_others() -> None:
    learned = {"train_loss": 2.31 * 0.97**EPOCHS, "train_accuracy": 0.1 + 0.02 * EPOCHS}
    finding = found(make_run(learned | GUESS), "C406")
    assert finding is not None
    assert "though train_loss fell" in finding.summary
    better = GUESS | {"val_accuracy": 0.1 + 0.01 * EPOCHS}
    assert found(make_run(learned | better), "C406") is None
    fell_first = GUESS | {"val_loss": 2.33 + 0.01 * EPOCHS + 0.6 * 0.6**EPOCHS + wobble(0.01)}
    assert found(make_run(learned | fell_first), "C406") is None  # learned something, then overfitted


def test_creeping_away_from_a_guess_is_too_slow() -> None:
    creeping = {"train_loss": 2.303 - 0.005 * EPOCHS, "train_accuracy": 0.1 + 0.003 * EPOCHS}
    assert found(make_run(creeping), "C405") is not None
    assert why(make_run({"train_loss": 3.1 - 0.005 * EPOCHS, "train_accuracy": 0.4 + 0.003 * EPOCHS}), "C405")
    assert why(make_run(creeping | GUESS), "C405")  # labels that say nothing, not the rate


def test_a_loss_that_repeats_itself_since_the_rate_is_gone_is_not_masked() -> None:
    frozen = np.where(EPOCHS < 15, FALLING, FALLING[14])
    gone = 0.1 * 0.05 ** (EPOCHS - 1)
    assert found(make_run({"train_loss": frozen, "lr": np.full(30, 0.1)}), "C419") is not None
    assert found(make_run({"train_loss": frozen}), "C419") is not None
    assert found(make_run({"train_loss": frozen, "lr": gone}), "C419") is None
