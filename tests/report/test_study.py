"""The report of a study: whole, escaped, self-contained."""

import math
import re
import shlex
from dataclasses import replace

import pytest

from dlcheck.recipe import load_recipe
from dlcheck.report import Report
from dlcheck.report.html.chart import Chart
from dlcheck.report.html.parallel import parallel
from dlcheck.report.html.study import study_html
from dlcheck.report.html.trials import failures, history, slices
from dlcheck.rules import diagnose, verdict
from dlcheck.runs.facts import SearchParameter, SearchStudy, SearchTrial, SearchValue
from tests.report.pages import charts, words
from tests.rules.examples_search import (
    BETTER,
    DECAY,
    GOOD,
    IMPORTANT,
    LR,
    NAME,
    NOISY,
    Values,
    breaking,
    inside,
    repeated,
    study,
    tried,
)
from tests.rules.fact_runs import fact_run


def rendered(known: SearchStudy) -> str:
    run = fact_run(known)
    outcome = diagnose(run, select=["S6"])
    assert outcome.crashed == ()
    return study_html(Report("dlcheck-studies/digits", run, outcome, verdict(outcome)), known)


FULL = replace(
    study(breaking, space=(LR, replace(DECAY, or_zero=True), NAME)),
    confirmed=repeated((0.35, 0.355, 0.345), (0.249, 0.256, math.nan), [(0.252, 0.248, 0.251)]),
    chosen=20,
    importances=IMPORTANT,
    importance_note="from 40 finished trials",
    name="digits",
    sampler="tpe",
    why="because",
)


def test_it_has_every_section() -> None:
    text = words(rendered(FULL))
    for expected in (
        "Your recipe and the best trials, trained again",
        "History",
        "Each parameter",
        "All parameters together",
        "Importance",
        "Learning curves of the best",
        "Where trials fail",
        "How trials ended",
        "S603 failing-trials",
        "1 died",
        "from 40 finished trials",
        "a search by tpe",
    ):
        assert expected in text


def test_it_loads_nothing_and_runs_no_foreign_script() -> None:
    text = rendered(FULL)
    assert "default-src 'none'" in text
    body = re.sub(r"<script.*?</script>", "", text.partition("<main>")[2], flags=re.S)
    assert not re.search(r"\b(src|href|style)\s*=", body)
    assert "//" not in body


@pytest.mark.parametrize(
    ("known", "said"),
    [
        (BETTER, "healthy: the gain is above retrain noise"),
        (NOISY, "sick: S602 within-noise"),
        (GOOD, "unknown: what the best trials gain was not confirmed"),
    ],
    ids=["healthy", "sick", "unknown"],
)
def test_the_verdict_is_in_the_words_of_a_search(known: SearchStudy, said: str) -> None:
    assert said in words(rendered(known))


def there(chart: Chart | None) -> Chart:
    assert chart is not None
    return chart


def kinds(chart: Chart) -> list[object]:
    return list(chart.data["trials"]["kind"])


def test_every_trial_is_in_the_history_and_failures_are_crosses() -> None:
    one = there(history(FULL))
    failed = sum(trial.ending == "nan" for trial in FULL.trials)
    assert kinds(one).count("failed") == failed > 0
    assert len(kinds(one)) == len(FULL.trials)
    values = dict(zip(one.data["trials"]["x"], one.data["trials"]["y"], strict=True))
    for trial in FULL.trials:
        assert values[trial.number] == (None if trial.ending == "nan" else trial.value)
    best = list(one.data["best"]["y"])
    assert best == sorted(best, reverse=True)
    assert len(one.data["own"]["y"]) == 1


def test_every_parameter_has_a_slice_with_its_failures() -> None:
    found = slices(FULL)
    assert [one.title for one in found] == [LR.name, DECAY.name, NAME.name]
    for one in found:
        assert kinds(one).count("failed") == sum(trial.ending == "nan" for trial in FULL.trials)
    words_, places = (item["value"] for item in found[2].spec["params"])
    assert words_ == ["sgd", "adam", "rmsprop"]
    assert set(found[2].data["trials"]["x"]) <= set(places)


def test_the_line_of_a_slice_goes_through_the_best_of_each_part() -> None:
    (one,) = slices(study(inside, space=(LR,), count=200))
    heights = list(one.data["best"]["y"])
    assert len(heights) == 6
    # The optimum at 3e-3 lies in the fourth sixth of the range.
    assert min(heights) == heights[3]


def test_all_trials_are_lines_through_all_parameters() -> None:
    threads = there(parallel(FULL)).data["threads"]
    assert set(threads["trial"]) == {trial.number for trial in FULL.trials}
    assert len(threads["trial"]) == len(FULL.trials) * 4
    looks = dict(zip(threads["trial"], threads["kind"], strict=True))
    assert sum(kind in ("top", "own") for kind in looks.values()) == 3  # the recipe is third
    assert parallel(study(inside, space=(LR,))) is None


def test_the_part_where_trials_fail_is_shaded() -> None:
    one = there(failures(FULL))
    (low,), (high,) = one.data["zone"]["from"], one.data["zone"]["to"]
    trials = one.data["trials"]
    for x, kind in zip(trials["x"], trials["kind"], strict=True):
        assert (low <= x <= high) == (kind == "failed")
    assert "optimizer.lr" in one.title
    assert failures(GOOD) is None


def hostile() -> SearchStudy:
    evil = "\x1b[31m<script>alert(1)</script>\"'&"
    choice = SearchParameter(evil, evil, "choice", choices=(evil, "b"), when=evil)

    def loss(values: Values) -> float | str:
        return "nan" if float(values[LR.name]) > 1e-3 else inside(values)

    known = study(loss, space=(LR, DECAY, choice))
    trials = tuple(replace(trial, reason=evil) for trial in known.trials)
    return replace(known, trials=trials, name=evil, metric=evil, sampler=evil, why=evil, importance_note=evil)


def test_words_of_the_users_side_are_neither_markup_nor_escapes() -> None:
    text = rendered(hostile())
    words(text)
    assert "<script>alert" not in text
    assert "\x1b" not in text


ODD = [
    SearchStudy("loss", True, ()),
    SearchStudy("loss", True, (SearchTrial(0, "nan"),), (LR,)),
    SearchStudy("loss", True, (tried(0, {LR.name: 1e-3}, 0.5),), (LR,), chosen=0),
    SearchStudy("loss", False, tuple(tried(n, {LR.name: 1e-3, DECAY.name: 0.0}, 0.5) for n in range(9)), (LR, DECAY)),
    replace(GOOD, trials=tuple(replace(trial, value=1e308 * (-1) ** trial.number) for trial in GOOD.trials)),
    replace(GOOD, trials=tuple(replace(trial, value=math.nan) for trial in GOOD.trials)),
    replace(GOOD, parameters=(replace(LR, low=None), replace(DECAY, high=math.nan), replace(NAME, choices=()))),
    replace(GOOD, trials=tuple(replace(trial, params=(SearchValue("gone", 1.0),)) for trial in GOOD.trials)),
]


@pytest.mark.parametrize("known", ODD, ids=range(len(ODD)))
def test_odd_studies_are_shown(known: SearchStudy) -> None:
    text = rendered(known)
    words(text)
    charts(text)  # each is JSON, which has no NaN


def test_a_patch_with_a_list_can_be_put_into_a_shell_as_it_is() -> None:
    text = words(rendered(FULL))
    found = re.search(r"--set ('search\.optimizer\.lr\.log=\[[^']+\]')", text)
    assert found is not None
    (option,) = shlex.split(found[1])
    searched = load_recipe("digits", [option]).recipe.search
    assert searched is not None
    assert searched["optimizer.lr"][0].log
