"""Rules on gradients, steps and optimizers at their borders, and on what is done on purpose."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest

from dlcheck.findings import Severity
from dlcheck.rules import diagnose
from dlcheck.runs.facts import FirstLoss, NonFinite, OptimizerGroup
from tests.rules.examples_gradients import (
    BURSTS,
    DECAYED,
    GROWING,
    LEARNED,
    NORMS,
    SAMPLED,
    SHRINKING,
    STEPS,
    STUCK,
    THROWN,
    USUAL,
    Level,
    adam,
    live_run,
    nonfinite,
    settings,
    sgd,
)
from tests.rules.judging import found, why

STILL = NORMS | {"grad_norm": (1e-7, 1e-5, 1e-3, 0.1)}
EARLY = np.array([1.0, 4.0, 7.0, 10.0, *SAMPLED[1:]])
JUMPY = np.where(EARLY <= 10, 2.0, 1e-3)


def ratios(*levels: Level, **more: Sequence[Level]) -> Mapping[str, Sequence[Level]]:
    return NORMS | {"update_ratio": levels} | more


# ---- G301 and G317: where a number stopped being one


def test_nonfinite_names_step_module_operation_and_rows() -> None:
    finding = found(live_run(LEARNED, facts=[nonfinite(backward=True)]), "G301")
    assert finding is not None
    assert finding.summary == (
        "the first non-finite gradient came at step 40, though the loss was finite: "
        "exp in 4 (Linear), in the backward pass, for rows 3, 9 of the batch"
    )
    assert (finding.where.step, finding.where.layer, finding.where.file, finding.where.line) == (
        40,
        "4",
        "train.py",
        12,
    )
    assert finding.evidence["values"] == (99.0, 104.0)


def test_without_a_replay_the_step_alone_is_named() -> None:
    finding = found(live_run(LEARNED, facts=[NonFinite(40, "loss", None)]), "G301")
    assert finding is not None
    assert finding.summary == "the first non-finite loss came at step 40"
    assert finding.where.layer is None


@pytest.mark.parametrize(
    ("changes", "cause", "remedy"),
    [
        ({"input_nonfinite": True}, "the batch itself", "find and mend the samples"),
        ({"weight_nonfinite": True}, "weights were not finite before", "lower the learning rate"),
        ({"overflow": True}, "too large for their type in 4 (Linear)", "lower the learning rate"),
        ({"overflow": False}, "whose result or derivative", "keep the arguments"),
    ],
)
def test_the_cause_of_a_nonfinite_number(changes: dict[str, object], cause: str, remedy: str) -> None:
    finding = found(live_run(LEARNED, facts=[nonfinite(**changes)]), "G301")
    assert finding is not None
    assert cause in finding.cause
    assert finding.remedies[0].text.startswith(remedy)


@pytest.mark.parametrize(
    ("undefined", "operation", "remedy"),
    [
        ("logarithm of 0", "log", "inside the logarithm"),
        ("square root at 0", "sqrt", "inside the square root"),
        ("0/0", "div", "to the divisor"),
        ("norm of a zero vector", "linalg_vector_norm", "to the norm"),
        ("softmax of a fully masked row", "softmax", "one position of every row"),
        ("something else", "", "where it is not defined"),
    ],
)
def test_undefined_arithmetic_has_its_own_remedy(undefined: str, operation: str, remedy: str) -> None:
    run = live_run(LEARNED, facts=[nonfinite(undefined=undefined, operation=operation)])
    finding = found(run, "G317")
    assert finding is not None
    assert finding.summary.startswith(f"{undefined} at step 40")
    assert remedy in finding.remedies[0].text
    assert found(run, "G301") is None


def test_steps_that_a_scaler_skipped_are_no_fault() -> None:
    run = live_run(LEARNED, facts=[nonfinite(undefined="0/0", skipped_by_scaler=True)])
    assert found(run, "G301") is None
    assert found(run, "G317") is None


# ---- G302 and G303: gradients over time and depth


def test_bursts_need_company() -> None:
    twice = np.where(np.isin(STEPS, (60, 90)), 40.0, BURSTS.min())
    assert found(live_run(THROWN, grad_norm=twice), "G302") is None


def test_large_gradients_of_the_first_steps_are_no_bursts() -> None:
    falling = 40.0 * np.exp(-STEPS / 10) + 0.001
    assert found(live_run(THROWN, grad_norm=falling), "G302") is None


def test_a_burst_that_throws_the_loss_back_for_a_while_is_found() -> None:
    loss = np.where((STEPS >= 60) & (STEPS < 70), 6.0, LEARNED)
    finding = found(live_run(loss, grad_norm=BURSTS), "G302")
    assert finding is not None
    assert finding.where.step == 60
    assert "then climbed to" in finding.summary
    assert finding.remedies[0].patch == {"train.clip_norm": pytest.approx(0.6, abs=0.05)}


@pytest.mark.parametrize(("loss", "sick"), [(STUCK, True), (LEARNED, False)])
def test_gradients_that_grow_towards_the_input(loss: np.ndarray, sick: bool) -> None:
    finding = found(live_run(loss, {"grad_norm": (1e4, 100.0, 1.0, 0.1)}), "G302")
    assert (finding is not None) is sick
    if finding is not None:
        assert finding.where.layer == "0"


def test_too_few_norms_and_layers_are_not_judged() -> None:
    run = live_run(STUCK, grad_norm=BURSTS[:20])
    assert why(run, "G302") == "too few norms of the gradient, and fewer than three layers"


@pytest.mark.parametrize(("loss", "sick"), [(STUCK, True), (LEARNED, False)])
def test_vanishing_gradients_count_where_the_loss_does_not_learn(loss: np.ndarray, sick: bool) -> None:
    assert (found(live_run(loss, STILL), "G303") is not None) is sick


def test_no_gradient_at_all_is_said_so() -> None:
    finding = found(live_run(STUCK, {"grad_norm": (0.0, 0.0, 0.0)}), "G303")
    assert finding is not None
    assert finding.summary.startswith("no layer has any gradient")


def test_without_a_loss_the_first_layer_must_stay_behind() -> None:
    empty = np.empty(0)
    behind = STILL | {"update_ratio": (1e-8, 1e-6, 1e-4, 1e-3)}
    assert found(live_run(empty, behind), "G303") is not None
    assert found(live_run(empty, STILL | {"update_ratio": (1e-3, 1e-3, 1e-3, 1e-3)}), "G303") is None
    assert found(live_run(empty, STILL), "G303") is None


def test_a_single_strange_step_does_not_vanish() -> None:
    once = np.where(np.arange(len(SAMPLED)) == 8, 1e-9, 0.1)
    assert found(live_run(STUCK, {"grad_norm": (once, 0.1, 0.1)}), "G303") is None


def test_two_layers_have_no_depth() -> None:
    assert why(live_run(STUCK, {"grad_norm": (1e-9, 0.1)}), "G303") == "only 2 layers have a measured gradient"


# ---- G304 and G305: the size of steps


@pytest.mark.parametrize(
    ("levels", "sick"),
    [
        ((0.4, 0.4, 0.4, 0.4), True),
        ((0.05, 0.05, 0.05, 0.05), False),
        ((0.4, 0.4, 0.01, 0.01), False),  # no majority: adapters that start at 0, say
        ((9.0, 0.01, 0.01, 0.01), False),
    ],
)
def test_most_layers_must_step_too_far(levels: tuple[float, ...], sick: bool) -> None:
    assert (found(live_run(STUCK, ratios(*levels)), "G304") is not None) is sick


@pytest.mark.parametrize(
    ("loss", "words"),
    [
        (LEARNED, ""),
        (STUCK, "still near"),
        (STUCK * np.linspace(1, 3, 200), "above the"),
        (np.where(STEPS < 100, LEARNED, 2.0), "after it had reached"),
        (np.append(LEARNED[:-1], np.nan), "not finite at the end"),
    ],
)
def test_long_steps_count_where_the_loss_suffers(loss: np.ndarray, words: str) -> None:
    finding = found(live_run(loss, ratios(0.4, 0.4, 0.4, 0.4)), "G304")
    assert (finding is not None) is bool(words)
    if finding is not None:
        assert words in finding.summary


def test_long_first_steps_are_found_after_they_killed_the_units() -> None:
    finding = found(live_run(STUCK, {"update_ratio": (JUMPY,) * 4}, steps=EARLY), "G304")
    assert finding is not None
    assert "in the first steps" in finding.summary
    assert finding.where.step == 1


def test_weights_that_start_at_zero_are_left_out() -> None:
    norms = {"weight_norm": (np.where(EARLY <= 10, 0.01, 4.0),) * 2 + (np.full(len(EARLY), 4.0),) * 2}
    jumpy = (JUMPY,) * 3 + (np.full(len(EARLY), 1e-3),)
    assert found(live_run(STUCK, {**norms, "update_ratio": jumpy}, steps=EARLY), "G304") is None
    assert found(live_run(STUCK, {"update_ratio": jumpy}, steps=EARLY), "G304") is not None


def test_warm_up_and_decay_of_the_rate_are_left_out() -> None:
    rate = np.interp(STEPS, [1, 60, 100, 200], [0.0, 0.1, 0.1, 0.0])
    slow = np.where((SAMPLED > 30) & (SAMPLED < 150), 1e-3, 1e-7)
    assert found(live_run(STUCK, ratios(slow, slow, slow, slow), lr=rate), "G305") is None
    assert found(live_run(STUCK, ratios(slow, slow, slow, slow), lr=0 * rate + 0.1), "G305") is None
    assert found(live_run(STUCK, ratios(1e-7, 1e-7, 1e-7, 1e-7), lr=rate), "G305") is not None


@pytest.mark.parametrize(
    ("levels", "loss", "sick"),
    [
        ((1e-6, 1e-6, 1e-6, 1e-6), STUCK, True),
        ((1e-6, 1e-6, 1e-6, 1e-6), LEARNED, False),
        ((1e-4, 1e-4, 1e-4, 1e-4), STUCK, False),
        ((1e-6, 1e-6, 1e-3, 1e-3), STUCK, False),
        ((0.0, 0.0, 0.0, 0.0), STUCK, False),  # weights-not-updating judges these
        ((0.0, 0.0, 0.0, 1e-6), STUCK, True),
    ],
)
def test_short_steps_count_where_the_loss_has_far_to_go(
    levels: tuple[float, ...], loss: np.ndarray, sick: bool
) -> None:
    assert (found(live_run(loss, ratios(*levels)), "G305") is not None) is sick


def test_fine_tuning_may_step_little() -> None:
    run = live_run(STUCK, ratios(1e-6, 1e-6, 1e-6, 1e-6), [FirstLoss(0.4, 2.3, pretrained=True)])
    assert why(run, "G305") == "the network came with trained weights, for which short steps are meant"


def test_short_steps_without_a_loss_to_compare_with_are_mentioned() -> None:
    finding = found(live_run(STUCK, ratios(1e-6, 1e-6, 1e-6, 1e-6), trivial=None), "G305")
    assert finding is not None
    assert finding.severity is Severity.INFO


@pytest.mark.parametrize("code", ["G304", "G305"])
def test_few_samples_are_not_judged(code: str) -> None:
    run = live_run(STUCK, {"update_ratio": (1e-3,) * 4}, steps=SAMPLED[:2])
    assert why(run, code) == "only 1 measured steps after the first 10 and warm-up; 3 are needed"


# ---- G310 and G313: the size of weights


@pytest.mark.parametrize(
    ("norms", "loss", "sick"),
    [
        (GROWING, STUCK * np.linspace(1, 3, 200), True),
        (GROWING, LEARNED, False),
        (np.minimum(GROWING, 100.0), STUCK * np.linspace(1, 3, 200), False),  # it grew, and is over
        (0 * GROWING + 4.0, STUCK, False),
    ],
)
def test_weights_blow_up_where_they_still_grow_and_the_loss_suffers(
    norms: np.ndarray, loss: np.ndarray, sick: bool
) -> None:
    assert (found(live_run(loss, {"weight_norm": (norms,) * 4}), "G310") is not None) is sick


@pytest.mark.parametrize(
    ("group", "sick"),
    [
        (sgd(weight_decay=0.5), True),
        (sgd(weight_decay=1e-4), False),
        (adam(weight_decay=1.0), True),  # added to the gradient, which Adam rescales
        (adam(weight_decay=1.0, decoupled=True), False),  # 200 steps of 1e-3 shrink by a fifth
        (adam(weight_decay=10.0, decoupled=True), True),
    ],
)
def test_a_decay_is_excessive_when_it_rules_the_weights(group: OptimizerGroup, sick: bool) -> None:
    run = live_run(STUCK, {"weight_norm": (SHRINKING,) * 4}, [settings(group)])
    assert (found(run, "G313") is not None) is sick


@pytest.mark.parametrize(("l2", "sick"), [(1.0, True), (1e-4, False)])
def test_a_recipes_l2_penalty_is_a_decay_too(l2: float, sick: bool) -> None:
    run = live_run(STUCK, {"weight_norm": (SHRINKING,) * 4}, [settings(adam(weight_decay=0.0, decoupled=True))])
    recipe = {"data": {"name": "digits"}, "model": {"name": "mlp"}, "regularize": {"l2": l2}}
    finding = found(replace(run, meta={**run.meta, "recipe": recipe}), "G313")
    assert (finding is not None) is sick
    if finding is not None:
        assert finding.summary.startswith("an L2 penalty of 1 shrank")
        assert finding.remedies[0].patch == {"regularize.l2": 0.0}  # far from usual: back to where it was


def test_a_strong_decay_needs_weights_that_shrink_and_a_loss_that_suffers() -> None:
    assert found(live_run(STUCK, NORMS, [DECAYED]), "G313") is None
    assert found(live_run(LEARNED, {"weight_norm": (SHRINKING,) * 4}, [DECAYED]), "G313") is None


def test_a_usual_run_is_clean_of_all() -> None:
    run = live_run(LEARNED, USUAL, [settings(adam(), sgd())], grad_norm=0.5 + 0.1 * np.sin(STEPS))
    outcome = diagnose(run, select=["G301", "G302", "G303", "G304", "G305", "G310", "G313", "G315", "G316", "G317"])
    assert outcome.findings == ()
    assert set(outcome.clean) >= {"G302", "G303", "G304", "G305", "G310", "G313", "G316"}
