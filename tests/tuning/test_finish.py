"""The end of a search: repeated trainings, the best recipe, the table, the report."""

import io
import json
import math
import tomllib
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from dlcheck.errors import DlcheckError
from dlcheck.recipe import load_recipe
from dlcheck.runs import Run
from dlcheck.runs.facts import SearchStudy, fact
from dlcheck.runs.strict_json import dumps, loads
from dlcheck.tuning import importance
from dlcheck.tuning.best import MARK, best_text, recipe_of
from dlcheck.tuning.confirm import best_of, candidates, confirm, seeds
from dlcheck.tuning.facts import own_values, study_fact
from dlcheck.tuning.finish import Finished, finish
from dlcheck.tuning.ours import write_ours
from dlcheck.tuning.status import front
from dlcheck.tuning.table import trials_csv
from dlcheck.tuning.trials import Ending, SpaceEntry, StudyView
from tests.tuning.views import DROPOUT, LR, NAME, RECIPE, died, row, view


class Trainings:
    """Counts what is trained; the loss is lowest at a rate of 0.003, and depends a little on the seed."""

    def __init__(self, stop_after: int = 999) -> None:
        self.made: list[tuple[object, int]] = []
        self.stop_after = stop_after

    def __call__(self, params: dict[str, object], seed: int) -> float:
        if len(self.made) >= self.stop_after:
            raise KeyboardInterrupt
        rate = float(str(params.get(LR, 0.01)))
        self.made.append((params.get(LR), seed))
        return 0.2 + 0.1 * abs(math.log10(rate / 3e-3)) + 0.001 * seed


@pytest.fixture(autouse=True)
def _few_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let importances take a moment only; they have tests of their own."""
    monkeypatch.setattr(importance, "SAMPLES", 2)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a study's folder with its recipe."""
    (tmp_path / "recipe.toml").write_text(RECIPE, encoding="utf-8")
    return tmp_path


def concluded(folder: Path, known: StudyView, **more: object) -> Finished:
    return finish(folder, known, retrain=Trainings(), **more)  # type: ignore[arg-type]


def test_the_best_and_the_recipe_are_trained_with_seeds_that_no_trial_had(folder: Path) -> None:
    known, trainings = view(trials=(*view().trials[:8], row(8, 3e-3, 0.1, seed=2))), Trainings()
    groups = confirm(folder, known, trainings)
    assert [group.baseline for group in groups] == [True, False, False, False]
    assert groups[1].trial == 8
    assert {seed for _, seed in trainings.made} == set(seeds(known)) == {1, 3, 4}
    assert len(trainings.made) == 12
    assert [seed for _, seed in trainings.made[:4]] == [1] * 4


def test_trials_with_the_same_values_are_trained_once(folder: Path) -> None:
    best = [row(30 + place, 3e-3 * (1 + 1e-5 * place), 0.1) for place in range(5)]
    chosen = candidates(view(10, *best))
    assert [one.number for one in chosen][:2] == [0, 30]
    assert not {31, 32, 33, 34} & {one.number for one in chosen}


@pytest.mark.parametrize("after", [0, 1, 5, 11])
def test_interrupted_trainings_go_on_where_they_stopped(folder: Path, after: int) -> None:
    first, second = Trainings(stop_after=after), Trainings()
    with pytest.raises(KeyboardInterrupt):
        confirm(folder, view(), first)
    groups = confirm(folder, view(), second)
    assert len(first.made) == after
    assert len(second.made) == 12 - after
    assert not set(first.made) & set(second.made)
    assert groups == confirm(folder, view(), Trainings(stop_after=0))


def test_a_training_that_died_is_kept_as_such_and_not_chosen(folder: Path) -> None:
    known = view()
    best = candidates(known)[1].number
    rate = candidates(known)[1].params[LR]

    def sometimes(params: dict[str, object], seed: int) -> float:
        return math.nan if params.get(LR) == rate and seed == 2 else Trainings()(params, seed)

    groups = confirm(folder, known, sometimes)
    assert math.isnan(next(group for group in groups if group.trial == best).values[1])
    assert best_of(groups, minimize=True) not in (best, None)
    again = confirm(folder, known, Trainings(stop_after=0))
    assert str(again) == str(groups)


def test_another_trial_under_the_same_number_is_trained_anew(folder: Path) -> None:
    confirm(folder, view(), Trainings())
    trainings = Trainings()
    confirm(folder, view(seed=5), trainings)
    assert trainings.made


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"schema": "other"}', '{"schema": "dlcheck.confirm/1", "metric": "x"}']
)
def test_what_is_no_list_of_trainings_is_refused_and_left(folder: Path, content: str) -> None:
    (folder / "confirm.json").write_text(content, encoding="utf-8")
    with pytest.raises(DlcheckError, match=r"confirm\.json.*move it away"):
        confirm(folder, view(), Trainings())
    assert (folder / "confirm.json").read_text(encoding="utf-8") == content


def test_a_recipe_that_died_as_a_trial_is_not_trained_again() -> None:
    known = view()
    first = replace(died(0, 0.01), baseline=True, params={})
    chosen = candidates(replace(known, trials=(first, *known.trials[1:])))
    assert not any(one.baseline for one in chosen)
    assert candidates(replace(known, trials=(first,))) == []


def test_a_whole_conclusion(folder: Path) -> None:
    told: list[str] = []
    done = concluded(folder, view(), source=RECIPE, tell=told.append)
    assert [path.name for path in done.files] == ["best.toml", "trials.csv", "findings.json", "report.html"]
    assert len(told) == 12
    assert "gain over your recipe: 0.0" in done.text
    assert done.text.rstrip().endswith(f"next: dlcheck train {folder / 'best.toml'}")
    best = load_recipe(folder / "best.toml").recipe
    assert 1e-3 < best.optimizer.lr < 1e-2
    assert best.search is None
    content = json.loads((folder / "findings.json").read_text(encoding="utf-8"))
    assert content["schema"] == "dlcheck.findings/1"
    assert content["runs"][0]["format"] == "dlcheck-study"
    codes = {item["code"] for item in content["runs"][0]["findings"]} | set(content["runs"][0]["clean"])
    assert {"S601", "S602", "S603", "S604"} <= codes
    assert content["runs"][0]["crashed"] == []


def test_the_conclusion_is_the_same_twice(folder: Path) -> None:
    first = concluded(folder, view(), source=RECIPE)
    texts = [path.read_text(encoding="utf-8") for path in first.files]
    second = concluded(folder, view(), source=RECIPE)
    assert second.files == first.files
    assert [path.read_text(encoding="utf-8") for path in second.files] == texts


def test_without_a_finished_trial_there_is_no_best_recipe(folder: Path) -> None:
    known = replace(view(), trials=tuple(died(number, 0.5) for number in range(6)))
    done = concluded(folder, known)
    assert not (folder / "best.toml").exists()
    assert "no trial finished" in done.text
    assert "S603" in done.text


def test_of_several_objectives_the_trials_that_none_betters_are_named(folder: Path) -> None:
    sizes = {1: 10.0, 2: 20.0, 3: 5.0}
    rows = [row(number, 3e-3 * 3**number, 0.1) for number in sizes]
    rows = [replace(one, values=(one.value or 0.0, sizes[one.number])) for one in rows]
    known = view(metrics=("val_loss", "parameters"), directions=(True, True))
    known = replace(known, trials=(replace(view().trials[0], values=(0.9, 50.0)), *rows))
    assert [one.number for one in front(known)] == [1, 3]
    text = concluded(folder, known).text
    assert "in all of val_loss, parameters:\n  trial 1 " in text
    assert "trial 2        " not in text.partition("what follows")[0]
    frame = pd.read_csv(folder / "trials.csv")
    assert list(frame["objective_parameters"]) == [50.0, 10.0, 20.0, 5.0]


def test_without_confirmation_the_best_is_said_not_to_be_repeated(folder: Path) -> None:
    done = concluded(folder, view(confirm_top=0), source=RECIPE)
    assert "not repeated with other seeds" in (folder / "best.toml").read_text(encoding="utf-8")
    assert "not checked, the best trials were not trained again: S602" in done.text


def test_a_recipe_that_nothing_bettered_stays_as_it_is(folder: Path) -> None:
    worse = [row(number, 0.5, 0.01 * number) for number in range(1, 6)]
    concluded(folder, replace(view(), trials=(view().trials[0], *worse)), source=RECIPE)
    text = (folder / "best.toml").read_text(encoding="utf-8")
    assert text.startswith(f"{MARK}: the recipe as it was")
    assert text.endswith(RECIPE)


def test_the_users_comments_stay_in_the_best_recipe() -> None:
    params = {LR: 0.003, DROPOUT: 0.25}
    source = RECIPE + '\n[tune]\ntrials = 5\n\n[search]\n"optimizer.lr" = { log = [1e-4, 1.0] }  # wide\n'
    text = best_text(recipe_of(source, params), source, ["trial 3", "more"])
    assert text.startswith(f"{MARK}: trial 3\n# more\n")
    for kept in ("# mine", "# a few", "# the usual one"):
        assert kept in text
    assert "search" not in tomllib.loads(text)
    assert tomllib.loads(text)["optimizer"]["lr"] == 0.003
    again = best_text(recipe_of(source, {LR: 0.5}), text, ["trial 4"])
    assert again.count(MARK) == 1


def test_another_component_drops_the_keys_that_it_has_not() -> None:
    source = RECIPE.replace("lr = 0.01", "lr = 0.01\nbetas = [0.9, 0.99]")
    text = best_text(recipe_of(source, {NAME: "sgd", "optimizer.momentum": 0.9}), source, ["trial 3"])
    optimizer = tomllib.loads(text)["optimizer"]
    assert optimizer == {"name": "sgd", "lr": 0.01, "momentum": 0.9}
    assert "# a few" in text


@pytest.mark.parametrize("source", ["not toml [", "x = 1\n", "", "optimizer.lr = 0.1\n"])
def test_a_text_that_cannot_be_changed_gives_way_to_the_recipe_itself(source: str) -> None:
    recipe = recipe_of(RECIPE, {LR: 0.003})
    text = best_text(recipe, source, ["trial 3"])
    assert recipe_of(text, {}).model_dump() == recipe.model_dump()


def test_what_a_user_made_of_a_file_stays(tmp_path: Path) -> None:
    assert write_ours(tmp_path, "best.toml", "one").name == "best.toml"
    assert write_ours(tmp_path, "best.toml", "two").name == "best.toml"
    (tmp_path / "best.toml").write_text("mine", encoding="utf-8")
    assert write_ours(tmp_path, "best.toml", "three").name == "best-2.toml"
    assert write_ours(tmp_path, "best.toml", "four").name == "best-2.toml"
    assert (tmp_path / "best.toml").read_text(encoding="utf-8") == "mine"
    (tmp_path / "trials.csv").write_text("mine", encoding="utf-8")
    assert write_ours(tmp_path, "trials.csv", "x").name == "trials-2.csv"


def test_pandas_reads_the_table_in_one_line() -> None:
    known = view(
        6, died(6, 0.9), replace(row(7, 0.1, 0.2), reason='a "quoted",\nbroken line', constraints={"parameters": 3.0})
    )
    text = trials_csv(known, own_values(known))
    frame = pd.read_csv(io.StringIO(text))
    assert list(frame["number"]) == list(range(8))
    assert list(frame.columns[:8]) == ["number", "state", "ending", "value", "best", "told", LR, DROPOUT]
    assert frame[LR][0] == 0.01
    assert math.isnan(frame["value"][6])
    assert frame["reason"][7] == 'a "quoted", broken line'
    assert frame["over_parameters"][7] == 3.0
    shuffled = replace(known, trials=tuple(reversed(known.trials)))
    assert trials_csv(shuffled, own_values(known)) == text


def test_the_fact_of_a_study_survives_json_and_holds_the_recipes_own_values() -> None:
    known = view(6, died(6, 0.9), replace(row(7, 0.1, 0.2), requeued=True))
    put = study_fact(known, own_values(known))
    content = loads(dumps(put.as_dict()))
    assert isinstance(content, dict)
    assert fact(Run(facts=content), SearchStudy) == put
    assert [item.number for item in put.trials[0].params] == [0.01, 0.0]
    assert [trial.ending for trial in put.trials][-1] == "nan"
    assert len(put.trials) == 7


def test_factors_become_values_where_what_they_multiply_is_fixed() -> None:
    entry = SpaceEntry(LR, "times", 0.1, 10.0, log=True, base=0.01)
    rows = tuple(replace(one, raw={"times optimizer.lr": 1.0}, params={LR: 0.01}) for one in view(4).trials)
    fixed = study_fact(replace(view(), space={"times optimizer.lr": entry}, trials=rows), {LR: 0.01})
    assert (fixed.parameters[0].low, fixed.parameters[0].high) == (0.001, 0.1)
    assert fixed.trials[1].params[0].number == 0.01
    name = SpaceEntry(NAME, "choice", choices=("adam", "sgd"))
    free = study_fact(replace(view(), space={NAME: name, "times optimizer.lr": entry}, trials=rows), {LR: 0.01})
    assert (free.parameters[1].low, free.parameters[1].high) == (0.1, 10.0)
    assert free.trials[1].params[0].number == 1.0


def test_endings_are_words_that_the_rules_know() -> None:
    from dlcheck.runs.facts.search import INFEASIBLE

    known = {str(ending) for ending in Ending}
    assert set(INFEASIBLE) <= known
    assert known - set(INFEASIBLE) == {"ok", "pruned", "lost", "stopped"}


def test_a_recipe_that_no_trial_bettered_is_named_with_what_came_nearest(folder: Path) -> None:
    ended = {"state": "PRUNED", "ending": Ending.pruned}
    pruned = [row(number, rate, 0.1, **ended) for number, rate in ((1, 0.3), (2, 0.03))]
    told = concluded(folder, view(1, *pruned)).text
    assert "no trial bettered your recipe, which reaches val_loss 0.2523" in told
    assert "nearest: trial 2 with 0.3, ended after 4 epochs" in told
