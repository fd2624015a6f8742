"""``dlcheck treat`` from the outside."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Command
from tests.treatment.test_treat import HEALTHY, SLOW


@pytest.fixture(autouse=True)
def _short_exams(monkeypatch: pytest.MonkeyPatch) -> None:
    # What these tests are about shows in the training.
    monkeypatch.setattr("dlcheck.treatment.diagnose.EXAM_S", 1.5)


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "slow.toml"
    path.write_text(SLOW)
    return path


def test_a_sick_recipe_ends_cured_with_diff_and_proof(command: Command, recipe: Path, tmp_path: Path) -> None:
    done = command("treat", "slow.toml", "--run-dir", "treated", "--yes", "--quiet")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("slow\ncured")
    assert "% interval" in done.stdout
    assert "now healthy" in done.stdout
    assert "+++ cured.toml" in done.stdout
    assert done.stdout.rstrip().endswith("next: dlcheck train treated/cured.toml")
    assert len(done.stdout.splitlines()) <= 45
    assert recipe.read_text() == SLOW
    told = json.loads((tmp_path / "treated" / "treatment.json").read_text())
    assert told["proof"]["low"] > 0
    assert told["before"]["verdict"] == "sick"
    assert told["after"]["verdict"] != "sick"
    assert (tmp_path / "treated" / "report.html").read_text().startswith("<!doctype html>")
    again = command("train", "treated/cured.toml", "--quiet")
    assert again.returncode == 0, again.stderr


def test_the_plan_alone_in_json(command: Command, recipe: Path, tmp_path: Path) -> None:
    arguments = ("--run-dir", "treated", "--format", "json", "--output", "plan.json")
    done = command("treat", "slow.toml", "--dry-run", *arguments)
    assert done.returncode in (0, 1), done.stderr
    assert done.stdout == ""
    told = json.loads((tmp_path / "plan.json").read_text())
    assert told["ending"] == "planned"
    assert told["plan"][0]["changes"][0]["path"] == "optimizer.lr"
    assert told["cost"] == 1.0
    assert not told["rounds"]
    assert "seed 0" in done.stderr  # what is under way, in lines where there is no terminal
    assert recipe.read_text() == SLOW


def test_a_healthy_recipe_says_so(command: Command, recipe: Path) -> None:
    recipe.write_text(HEALTHY)
    done = command("treat", "slow.toml", "--yes", "--quiet")
    assert done.returncode == 0
    assert done.stdout.startswith("slow\nhealthy: nothing to treat")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "needs a recipe"),
        (("nosuch",), "nosuch: no such recipe"),
        (("slow.toml", "digits"), "one recipe at a time"),
        (("slow.toml", "--budget", "much"), '--budget much: expected as "12 trainings"'),
        (("slow.toml", "--set", "optimizer.rl=1"), "optimizer.rl"),
        (("slow.toml", "--apply"), "--apply edits a copy of a script"),
        (("slow.toml", "--run", "dlcheck-runs"), "--run takes the recipe from the run folder"),
        (("--run", "nosuch"), "nosuch: no such folder"),
        (("--run", "."), "not a dlcheck run folder"),
        (("slow.toml", "--select", "X9"), "X9"),
        (("slow.toml", "--run-dir", "taken"), "no treatment's folder"),
        (("slow.toml", "--output", "slow.toml"), "exists already"),
        (("slow.toml", "--device", "cuda:99"), "cuda:99"),
        (("mine.py:build",), "a factory has no recipe to patch"),
        (("slow.toml", "--set", "data.split.folds=3"), "folds"),
    ],
)
def test_bad_input_is_told_in_a_line(
    command: Command, recipe: Path, tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    (tmp_path / "taken").mkdir()
    before = sorted(tmp_path.rglob("*"))
    done = command("treat", *arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(tmp_path.rglob("*")) == before
    assert recipe.read_text() == SLOW


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--", "missing.py"), "missing.py: no such file"),
        (("--", "no.py"), "line 1"),
        (("--set", "optimizer.lr=1", "--", "fine.py"), "--set is for recipes"),
        (("--budget", "2h", "--", "fine.py"), "--budget is for recipes"),
    ],
)
def test_a_script_that_cannot_be_treated_is_one_line(
    command: Command, tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    (tmp_path / "no.py").write_text("def:\n")
    (tmp_path / "fine.py").write_text("print('begun')\n")
    done = command("treat", *arguments)
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1
