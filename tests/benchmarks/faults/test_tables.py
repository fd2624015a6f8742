"""Scores as tables and JSON, and the comparison with frozen figures."""

import json
import re
from dataclasses import fields, replace
from pathlib import Path

import pytest

from tests.benchmarks.faults.frozen import freeze, regressions
from tests.benchmarks.faults.record import Trained
from tests.benchmarks.faults.score import Scores, score
from tests.benchmarks.faults.table import as_dict, markdown, table
from tests.benchmarks.faults.worth import CATALOGUE, PROGRAMS, Rule, always, half, perfect, scored, silent


@pytest.mark.parametrize("rule", [always, silent, perfect])
def test_tables_are_narrow_and_json_is_strict(rule: Rule) -> None:
    scores = scored(rule)
    long = replace(scores.faults[0], name="a-fault-whose-name-goes-on-and-on-and-on-for-ever")
    scores = replace(scores, faults=(long, *scores.faults))
    assert max(len(line) for line in table(scores).splitlines()) < 120
    again = json.loads(json.dumps(as_dict(scores), allow_nan=False))
    assert again["doctors"][0]["alarms"]["of"] == 40
    assert set(again) == {field.name for field in fields(Scores)}


def test_tables_tell_the_figures() -> None:
    scores = scored(always)
    for text in (table(scores), markdown(scores)):
        assert "100.0 [91.2, 100.0]" in text
        assert "40/40" in text
        assert re.search(r"B002 [ |]*40 [ |]*40 [ |]*40", text)
        assert "two-softmaxes*" in text
    rows = [line for line in markdown(scores).splitlines() if line.startswith("|")]
    assert all(row.endswith("|") for row in rows)
    assert any(row.startswith("| peer | 100.0 [91.2, 100.0] |") for row in rows)


def test_a_trained_of_json_scores_the_same() -> None:
    runs = half(perfect)
    again = [Trained.of(json.loads(json.dumps(run.as_dict()))) for run in runs]
    assert score(again, CATALOGUE) == replace(score(runs, CATALOGUE), seconds=0.0)


def but(runs: list[Trained], number: int, kind: str, rule: Rule) -> list[Trained]:
    """Let a rule speak of the first trainings of a kind instead."""
    asked = [run for run in runs if run.kind == kind and run.doctors and run.variant != "two-softmaxes"]
    for run in asked[:number]:
        run.doctors["live"] = rule(run)
    return runs


@pytest.mark.parametrize("number", [0, 1])
def test_one_more_or_less_is_no_regression(number: int, tmp_path: Path) -> None:
    freeze(scored(perfect), tmp_path / "frozen.json")
    runs = but(but(half(perfect), number, "healthy", always), number, "fault", silent)
    assert regressions(score(runs, CATALOGUE), tmp_path / "frozen.json") == []


def test_two_more_false_alarms_are_a_regression(tmp_path: Path) -> None:
    freeze(scored(perfect), tmp_path / "frozen.json")
    worse = score(but(half(perfect), 2, "healthy", always), CATALOGUE)
    assert regressions(worse, tmp_path / "frozen.json") == [
        "live: false alarms 2/40, frozen 0/40",
        "live+check: false alarms 2/40, frozen 0/40",
    ]


def test_three_fewer_plants_are_a_regression_of_recall_and_top_1(tmp_path: Path) -> None:
    freeze(scored(perfect), tmp_path / "frozen.json")
    worse = score(but(half(perfect), 3, "fault", silent), CATALOGUE)
    found = regressions(worse, tmp_path / "frozen.json")
    assert "live: recall 5/8, frozen 8/8" in found
    assert "live: top-1 5/8, frozen 8/8" in found


def test_better_figures_are_none_and_silence_and_noise_are(tmp_path: Path) -> None:
    freeze(scored(always), tmp_path / "frozen.json")
    assert regressions(scored(perfect), tmp_path / "frozen.json") == []
    freeze(scored(perfect), tmp_path / "frozen.json")
    assert any("recall" in line for line in regressions(scored(silent), tmp_path / "frozen.json"))
    assert any("false alarms" in line for line in regressions(scored(always), tmp_path / "frozen.json"))


def test_a_benchmark_that_counts_less_is_a_regression(tmp_path: Path) -> None:
    freeze(scored(perfect), tmp_path / "frozen.json")
    fewer = score([run for run in half(perfect) if run.program != PROGRAMS[0]], CATALOGUE)
    assert "log: recall counted over 6, frozen over 8" in regressions(fewer, tmp_path / "frozen.json")
    assert "live: was not asked" in regressions(score([], CATALOGUE), tmp_path / "frozen.json")
    other = [replace(run, half="tuning") for run in half(perfect)]
    assert regressions(score(other, CATALOGUE), tmp_path / "frozen.json") == [
        "half 'tuning' was scored, but 'held' is frozen"
    ]
