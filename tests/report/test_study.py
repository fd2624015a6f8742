"""The report of a study: whole, escaped, self-contained."""

import math
import re
import shlex
from dataclasses import replace

import pytest

from dlcheck.recipe import load_recipe
from dlcheck.report import Report
from dlcheck.report.plane import Axis, Plane, axis_of
from dlcheck.report.study import study_html
from dlcheck.report.study_plots import failures, history, parallel, slices
from dlcheck.rules import diagnose, verdict
from dlcheck.runs.facts import SearchParameter, SearchStudy, SearchTrial, SearchValue
from tests.report.test_html import Tags
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


class Whole(Tags):
    VOID = frozenset({"meta", "hr"})


def rendered(known: SearchStudy) -> str:
    run = fact_run(known)
    outcome = diagnose(run, select=["S6"])
    assert outcome.crashed == ()
    return study_html(Report("dlcheck-studies/digits", run, outcome, verdict(outcome)), known)


def words(text: str) -> str:
    tags = Whole()
    tags.feed(text)
    tags.close()
    assert tags._open == []
    return " ".join(tags.words)


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
    body = text.partition("<body>")[2].partition("<script>")[0]
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


def test_every_trial_is_in_the_history_and_failures_are_crosses() -> None:
    text = history(FULL)
    crosses = sum(trial.ending == "nan" for trial in FULL.trials)
    assert text.count('class="cross"') == crosses > 0
    assert text.count("<circle") == len(FULL.trials) - crosses
    assert 'class="step"' in text
    assert 'class="own-line"' in text


def test_every_parameter_has_a_slice_with_its_failures() -> None:
    text = slices(FULL)
    assert text.count("<svg") == 3
    assert text.count('class="cross"') == 3 * sum(trial.ending == "nan" for trial in FULL.trials)
    assert ">rmsprop<" in text


def test_the_line_of_a_slice_goes_through_the_best_of_each_part() -> None:
    one = study(inside, space=(LR,), count=200)
    path = re.search(r'class="step" d="([^"]+)"', slices(one))
    assert path is not None
    heights = [float(y) for y in re.findall(r"[ML][\d.]+ ([\d.]+)", path[1])]
    assert len(heights) == 6
    # The optimum at 3e-3 lies in the fourth sixth of the range; y grows downwards.
    assert max(heights) == heights[3]


def test_all_trials_are_lines_through_all_parameters() -> None:
    text = parallel(FULL)
    assert text.count('class="thread') == len(FULL.trials)
    assert text.count('class="thread top"') + text.count('class="thread own"') == 3  # the recipe is third
    assert parallel(study(inside, space=(LR,))) == ""


def test_the_part_where_trials_fail_is_shaded() -> None:
    text = failures(FULL)
    assert 'class="zone"' in text
    assert "optimizer.lr" in text
    assert failures(GOOD) == ""


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
    drawn = text.partition("<body>")[2].partition("<script>")[0]
    assert not re.search(r'(cx|cy|x1|y1|d)="[^"]*(nan|inf)', drawn)


def test_axes_place_their_ends_at_the_edges() -> None:
    plane = Plane(Axis(0.0, 10.0), axis_of([1.0, 100.0]))
    assert plane.y.log
    assert (plane.px(0.0), plane.px(10.0)) == (56.0, 626.0)
    assert plane.py(1.0) > plane.py(10.0) > plane.py(100.0)
    assert [label for _, label in plane.y.labels()] == ["1", "3.16", "10", "31.6", "100"]
    assert Axis(2.0, 2.0).place(2.0) == 0.5


def test_a_patch_with_a_list_can_be_put_into_a_shell_as_it_is() -> None:
    text = words(rendered(FULL))
    found = re.search(r"--set ('search\.optimizer\.lr\.log=\[[^']+\]')", text)
    assert found is not None
    (option,) = shlex.split(found[1])
    searched = load_recipe("digits", [option]).recipe.search
    assert searched is not None
    assert searched["optimizer.lr"][0].log
