"""The family S6: what a search says of itself."""

import json
import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from dlcheck.findings import Finding, Severity
from dlcheck.recipe import load_recipe
from dlcheck.rules import diagnose, verdict
from dlcheck.rules.search.gain import confirmed_gain
from dlcheck.rules.search.region import chance, failing_region
from dlcheck.rules.search.rows import place, value_at
from dlcheck.runs.facts import SearchParameter
from tests.rules.examples_search import (
    BETTER,
    DECAY,
    DROPOUT,
    FALLING,
    GOOD,
    IMPORTANT,
    LR,
    NAME,
    NOISY,
    SETTLED,
    Values,
    beyond,
    breaking,
    early_best,
    inside,
    repeated,
    study,
    tried,
)
from tests.rules.fact_runs import fact_run
from tests.rules.judging import found, unchecked

MOMENTUM = SearchParameter("1-optimizer.momentum", "optimizer.momentum", "near_one", 0.5, 0.99, log=True)
BATCH = SearchParameter("log2 train.batch_size", "train.batch_size", "pow2", 16, 128)
DEPTH = SearchParameter("model.depth", "model.depth", "int", 1, 4)


def test_a_wider_range_is_proposed_where_the_best_lies_at_its_end() -> None:
    finding = found(early_best(study(beyond)), "S601")
    assert finding is not None
    assert finding.severity is Severity.WARNING
    assert "optimizer.lr" in finding.summary
    assert "upper end" in finding.summary
    low, high = ends_of(finding)
    assert low == 1e-5
    assert high >= 1.0


def test_the_patch_of_a_range_takes_the_place_of_the_recipes_own_entry() -> None:
    finding = found(early_best(study(beyond)), "S601")
    assert finding is not None
    patch = finding.remedies[0].patch
    own = [
        'search."optimizer.lr"={log = [1e-5, 1e-1]}',
        *(f"{key}={json.dumps(value)}" for key, value in patch.items()),
    ]
    searched = load_recipe("digits", own[1:]).recipe.search
    assert searched is not None
    assert searched["optimizer.lr"][0].log == patch["search.optimizer.lr.log"]


def test_the_best_at_an_end_is_information_where_nothing_else_points_there() -> None:
    # Rates in the outer quarter are good alike, so that there is no trend towards the end.
    def flat(values: Values) -> float:
        return 0.2 + (0.0 if float(values["optimizer.lr"]) > 1e-3 else 0.5) + 1e-3 * float(values["model.dropout"])

    best = tried(5, {"optimizer.lr": 0.0999, "optimizer.weight_decay": 1e-4, "model.dropout": 0.2}, 0.1)
    studies = [study(flat, seed=seed) for seed in range(20)]
    told = [found(replace(one, trials=(*one.trials[:5], best, *one.trials[6:])), "S601") for one in studies]
    severities = [one.severity for one in told if one is not None]
    assert severities.count(Severity.INFO) >= 5
    assert severities.count(Severity.WARNING) <= 2


def test_the_best_at_an_end_is_information_where_the_parameter_hardly_matters() -> None:
    known = early_best(study(beyond))
    small = (replace(IMPORTANT[0], value=0.05), replace(IMPORTANT[1], value=0.9))
    finding = found(replace(known, importances=small), "S601")
    assert finding is not None
    assert finding.severity is Severity.INFO


@pytest.mark.parametrize("parameter", [DROPOUT, replace(DECAY, or_zero=True), DEPTH])
def test_nothing_lies_below_zero_or_one(parameter: SearchParameter) -> None:
    def smallest(values: Values) -> float:
        return 0.2 + (place(parameter, float(values[parameter.name])) or 0.0)

    assert found(early_best(study(smallest, space=(LR, parameter))), "S601") is None


def test_the_recipe_itself_may_lie_anywhere() -> None:
    known = study(beyond)
    first = replace(known.trials[0], value=0.01, params=(replace(known.trials[0].params[0], number=0.1),))
    assert found(replace(known, trials=(first, *known.trials[1:])), "S601") is None


def ends_of(finding: Finding) -> tuple[float, float]:
    """Return the range of rates that a finding proposes."""
    written = finding.remedies[0].patch["search.optimizer.lr.log"]
    assert isinstance(written, list)
    return float(written[0]), float(written[1])


def test_a_search_inside_its_ranges_rarely_says_boundary() -> None:
    told = [found(early_best(study(inside, seed=seed)), "S601") for seed in range(40)]
    assert sum(one is not None for one in told) <= 4
    assert not any(one.severity is Severity.WARNING for one in told if one is not None)


def test_a_gain_within_noise_is_told_and_a_real_one_is_not() -> None:
    finding = found(NOISY, "S602")
    assert finding is not None
    assert finding.severity is Severity.WARNING
    low, high = finding.evidence["low"], finding.evidence["high"]
    assert isinstance(low, float)
    assert isinstance(high, float)
    assert low < 0 < high
    assert found(BETTER, "S602") is None


def test_a_gain_that_a_few_seeds_cannot_show_is_information() -> None:
    seeds = repeated((0.262, 0.255, 0.268), (0.249, 0.256, 0.243))
    finding = found(replace(GOOD, confirmed=seeds, chosen=7), "S602")
    assert finding is not None
    assert finding.severity is Severity.INFO
    assert "more seeds" in finding.remedies[0].text


def test_a_recipe_that_stays_the_best_is_said_to() -> None:
    finding = found(replace(GOOD, confirmed=repeated((0.2, 0.21, 0.22), (0.25, 0.26, 0.24)), chosen=0), "S602")
    assert finding is not None
    assert finding.severity is Severity.WARNING
    assert finding.summary.startswith("no trial is better than the recipe")


def test_a_gain_in_accuracy_counts_upwards() -> None:
    seeds = repeated((0.90, 0.91, 0.905), (0.96, 0.965, 0.955))
    gain = confirmed_gain(replace(GOOD, metric="val_accuracy", minimize=False, confirmed=seeds))
    assert gain is not None
    assert gain.value == pytest.approx(0.055)
    assert gain.shown


def test_a_search_that_gained_with_sound_trials_is_healthy() -> None:
    assert verdict(diagnose(fact_run(BETTER), select=["S6"])) == "healthy"
    assert verdict(diagnose(fact_run(NOISY), select=["S6"])) == "sick"
    assert verdict(diagnose(fact_run(GOOD), select=["S6"])) == "unknown"


def test_the_interval_is_students_with_the_pooled_variance() -> None:
    gain = confirmed_gain(replace(GOOD, confirmed=repeated((2.0, 3.0, 4.0), (1.0, 2.0, 3.0))))
    assert gain is not None
    assert gain.value == pytest.approx(1.0)
    # t(0.975; 4) = 2.776445 (any table), standard error sqrt(2/3).
    assert gain.high - gain.value == pytest.approx(2.776445 * math.sqrt(2 / 3), rel=1e-5)


def test_trainings_that_died_are_left_out_and_too_few_are_no_ground() -> None:
    dead = repeated((0.2, 0.21, math.nan), (0.1, 0.11, 0.12))
    assert "came to their end" in unchecked(replace(GOOD, confirmed=dead), "S602").why
    assert "not trained again" in unchecked(GOOD, "S602").why


def test_noise_alone_is_rarely_called_a_gain() -> None:
    draw = np.random.default_rng(0).normal
    shown = 0
    for _ in range(300):
        groups = [tuple(draw(1.0, 0.1, 3).tolist()) for _ in range(4)]
        gain = confirmed_gain(replace(GOOD, confirmed=repeated(groups[0], groups[1], groups[2:])))
        shown += gain is not None and gain.shown
    assert shown / 300 < 0.05


def test_the_failing_region_is_found_and_left_out() -> None:
    finding = found(study(breaking), "S603")
    assert finding is not None
    assert finding.severity is Severity.WARNING
    assert "optimizer.lr at or above" in finding.summary
    low, high = ends_of(finding)
    assert low == 1e-5
    assert 5e-4 < high < 2e-3


def test_a_failing_choice_is_found_and_left_out() -> None:
    def bad_choice(values: Values) -> float | str:
        return "diverged" if values["optimizer.name"] == "rmsprop" else inside(values)

    finding = found(study(bad_choice, space=(LR, NAME)), "S603")
    assert finding is not None
    assert "optimizer.name = rmsprop" in finding.summary
    assert finding.remedies[0].patch == {"search.optimizer.name.choice": ["sgd", "adam"]}


def test_failures_all_over_the_space_have_no_region() -> None:
    fails = np.random.default_rng(3).random(40) < 0.5
    counter = iter(fails.tolist())
    finding = found(study(lambda values: "oom" if next(counter) else inside(values)), "S603")
    assert finding is not None
    assert finding.severity is Severity.INFO
    assert not any(remedy.patch for remedy in finding.remedies)


@pytest.mark.parametrize("ending", ["pruned", "lost", "stopped"])
def test_what_was_ended_early_has_not_failed(ending: str) -> None:
    known = study(lambda values: ending if float(values["optimizer.lr"]) > 1e-3 else inside(values))
    assert found(known, "S603") is None


def test_the_chance_of_so_many_failures_is_fishers() -> None:
    assert chance(3, 3, 3, 6) == pytest.approx(1 / 20)
    assert chance(0, 3, 3, 6) == 1.0
    assert failing_region(replace(GOOD, trials=())) is None


def test_few_trials_are_within_the_start_up() -> None:
    finding = found(study(inside, count=8), "S604")
    assert finding is not None
    assert finding.evidence["startup"] == 10
    assert finding.remedies[0].patch["tune.trials"] == 40
    assert found(replace(early_best(study(inside, count=8)), startup=0), "S604") is None


def test_a_best_that_falls_to_the_end_is_told() -> None:
    known = study(inside)
    late = tuple(replace(trial, value=1.0 - 0.02 * trial.number) for trial in known.trials)
    finding = found(replace(known, trials=late), "S604")
    assert finding is not None
    assert finding.evidence["late_gain"] == pytest.approx(0.2)
    noisy = repeated((0.3, 0.6, 0.9), (0.2, 0.5, 0.8))
    assert found(replace(known, trials=late, confirmed=noisy), "S604") is None


@pytest.mark.parametrize(("best", "told"), [(0, False), (1, False), (2, True), (3, True)])
def test_curves_that_fall_to_their_end_are_told_when_most_do(best: int, told: bool) -> None:
    trials = [replace(trial, curve=FALLING if trial.number in range(1, best + 1) else SETTLED) for trial in GOOD.trials]
    assert (found(replace(GOOD, trials=tuple(trials)), "S604") is not None) is told


def test_parameters_without_influence_are_named() -> None:
    finding = found(
        replace(GOOD, importances=(*IMPORTANT, replace(IMPORTANT[1], name=DROPOUT.name, low=0.0, high=0.04))), "S605"
    )
    assert finding is not None
    assert finding.summary.startswith("model.dropout makes hardly any difference")
    assert "weight_decay" not in finding.summary


@pytest.mark.parametrize("note", ["from 5 finished trials: 8 are needed", ""])
def test_without_importances_the_reason_is_told(note: str) -> None:
    lacking = unchecked(replace(GOOD, importance_note=note), "S605")
    assert lacking.why == (note or "no importances were computed")


def test_a_fit_that_explains_nothing_finds_nothing() -> None:
    flat = tuple(replace(item, value=0.2, low=0.0, high=0.05) for item in IMPORTANT)
    assert "explains enough" in unchecked(replace(GOOD, importances=flat), "S605").why


PLACES: Sequence[tuple[SearchParameter, float, float]] = [
    (LR, 1e-3, 0.5),
    (DROPOUT, 0.25, 0.5),
    (MOMENTUM, 1 - math.sqrt(0.5 * 0.01), 0.5),
    (BATCH, 32, 1 / 3),
    (DEPTH, 4, 1.0),
]


@pytest.mark.parametrize(("parameter", "value", "share"), PLACES, ids=lambda item: getattr(item, "kind", ""))
def test_places_are_on_the_scale_that_values_are_drawn_from(
    parameter: SearchParameter, value: float, share: float
) -> None:
    assert place(parameter, value) == pytest.approx(share)
    assert value_at(parameter, share) == pytest.approx(value)
    assert place(parameter, math.nan) is None
    assert place(NAME, value) is None
