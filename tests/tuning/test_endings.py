"""Every way in which a trial ends has its state, its value and its reason."""

from pathlib import Path

import pytest

from dlcheck.recipe import LoadedRecipe
from dlcheck.tuning.planning import Request
from dlcheck.tuning.trials import Ending, StudyView, TrialRow
from dlcheck.tuning.tune import Tuned, tune
from tests.tuning.conftest import RATES, TINY, with_modes, written

MODES = ["fine", "nan", "explode", "memory", "raise", "dead", "constant"]


def run(loaded: LoadedRecipe, folder: Path) -> Tuned:
    return tune(loaded, Request(study_dir=folder, device="cpu", conclude=False))


def by_mode(view: StudyView) -> dict[str, TrialRow]:
    return {str(row.params["model.mode"]): row for row in view.trials if not row.baseline}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> StudyView:
    folder = tmp_path_factory.mktemp("endings")
    return run(with_modes(folder, MODES), folder / "study").view


@pytest.fixture
def rows(study: StudyView) -> dict[str, TrialRow]:
    return by_mode(study)


def test_the_first_trial_is_the_recipe_as_it_is(study: StudyView) -> None:
    first = study.trials[0]
    assert first.baseline
    assert first.number == 0
    assert first.params == {}
    assert first.ending is Ending.ok


def test_every_mode_was_tried_once(study: StudyView, rows: dict[str, TrialRow]) -> None:
    assert sorted(rows) == sorted(MODES)
    assert len(study.trials) == len(MODES) + 1


def test_a_finished_trial_is_told_as_it_is(rows: dict[str, TrialRow]) -> None:
    row = rows["fine"]
    assert (row.state, row.ending, row.epochs) == ("COMPLETE", Ending.ok, 6)
    assert row.told == row.value == row.curve[-1][1]
    assert row.best == min(value for _, value in row.curve)
    assert {"val_accuracy", "seconds", "parameters", "step_ms", "memory_mib"} <= row.metrics.keys()


@pytest.mark.parametrize(
    ("mode", "ending", "reason"),
    [
        ("nan", Ending.nan, "loss nan at step 4"),
        ("explode", Ending.diverged, "where it began at"),
        ("memory", Ending.memory, "out of memory: tried to allocate 3 GiB"),
    ],
)
def test_a_death_is_told_as_the_worst_value(rows: dict[str, TrialRow], mode: str, ending: Ending, reason: str) -> None:
    row = rows[mode]
    assert (row.state, row.ending) == ("COMPLETE", ending)
    assert reason in row.reason
    fine = rows["fine"].told
    assert row.told is not None
    assert fine is not None
    assert row.told > fine
    assert row.told <= 2 * 2.31  # a constant answer's loss, twice
    assert not row.usable


def test_a_lost_network_is_diagnosed(rows: dict[str, TrialRow]) -> None:
    assert rows["nan"].diagnosis.startswith("loss nan at step 4")
    assert len(rows["nan"].diagnosis) > len(rows["nan"].reason)


def test_memory_is_a_constraint(rows: dict[str, TrialRow]) -> None:
    assert rows["memory"].constraints == {"memory": 1.0}


@pytest.mark.parametrize(("mode", "ending"), [("dead", Ending.dead), ("constant", Ending.no_fit)])
def test_a_network_that_learns_nothing_is_ended_early(rows: dict[str, TrialRow], mode: str, ending: Ending) -> None:
    row = rows[mode]
    assert row.state == "PRUNED"
    assert row.ending is ending
    assert row.epochs < 6
    assert row.told == row.curve[-2][1]  # the last report came before the end


def test_an_exception_fails_the_trial_and_leaves_its_traceback(study: StudyView, rows: dict[str, TrialRow]) -> None:
    row = rows["raise"]
    assert (row.state, row.ending, row.told) == ("FAIL", Ending.error, None)
    assert "a fault of the user's" in row.reason


def test_three_exceptions_of_one_type_stop_the_study(tmp_path: Path) -> None:
    loaded = with_modes(tmp_path, ["raise-a", "raise-b"], "tune.sampler=random", first="raise")
    tuned = run(loaded, tmp_path / "study")
    assert len(tuned.view.trials) == 3
    assert tuned.enough is not None
    assert tuned.enough.failed
    file = tmp_path / "study" / "trials" / "0002" / "traceback.txt"
    assert str(file) in tuned.enough.why
    assert "a fault of the user's" in file.read_text(encoding="utf-8")


def test_five_first_deaths_of_one_cause_stop_the_study_with_the_diagnosis(tmp_path: Path) -> None:
    loaded = with_modes(tmp_path, ["nan-a", "nan-b"], "tune.sampler=random", first="nan")
    tuned = run(loaded, tmp_path / "study")
    assert [row.ending for row in tuned.view.trials] == [Ending.nan] * 5
    assert tuned.enough is not None
    assert tuned.enough.failed
    assert "your recipe among them, all ended as nan: loss nan at step 4" in tuned.enough.why


def test_a_trial_that_falls_behind_is_pruned(tmp_path: Path) -> None:
    text = TINY.replace("epochs = 2", "epochs = 9") + '[search]\n"optimizer.lr" = { log = [1e-4, 1e-2] }\n'
    loaded = written(tmp_path, text, "tune.trials=14", "tune.sampler=random", "data.limit=64")
    tuned = run(loaded, tmp_path / "study")
    pruned = [row for row in tuned.view.trials if row.ending is Ending.pruned]
    assert tuned.view.pruner == "asha"
    assert pruned
    for row in pruned:
        assert row.state == "PRUNED"
        assert row.epochs in (1, 3)
        assert row.told == row.curve[-1][1]


def test_a_limit_that_is_known_before_training_costs_no_training(tmp_path: Path) -> None:
    text = TINY + '[search]\n"model.hidden" = { choice = [[16], [512]] }\n'
    limits = "tune.limits={ parameters_max = 5000 }"
    tuned = run(written(tmp_path, text, limits, "tune.sampler=grid"), tmp_path / "study")
    big = next(row for row in tuned.view.trials if row.params == {"model.hidden": [512]})
    assert (big.state, big.ending, big.epochs) == ("COMPLETE", Ending.limit, 0)
    assert big.constraints["parameters"] > 0
    assert big.reason.startswith("parameters ")
    assert all(row.constraints["parameters"] <= 0 for row in tuned.view.trials if row is not big)
    assert [trial.number for trial in tuned.view.trials if not trial.usable] == [big.number]


def test_several_metrics_are_all_told(tmp_path: Path) -> None:
    loaded = written(tmp_path, TINY + RATES, 'tune.metric=["val_accuracy","parameters"]', "tune.trials=4")
    tuned = run(loaded, tmp_path / "study")
    assert tuned.view.directions == (False, True)
    for row in tuned.view.trials:
        assert row.values == (row.metrics["val_accuracy"], row.metrics["parameters"])
