"""Every recipe that is ill on purpose is diagnosed as its lesson says, and its cure cures it."""

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from dlcheck.recipe import load_recipe, sick_recipes
from dlcheck.recipe.lesson import Lesson
from dlcheck.report.lesson import cure_options
from tests.cli.conftest import Command

pytestmark = pytest.mark.slow
NAMES = sorted(sick_recipes())


def lesson_of(name: str) -> Lesson:
    lesson = load_recipe(name).recipe.lesson
    assert lesson is not None
    return lesson


def findings(folder: Path) -> list[dict[str, Any]]:
    content = json.loads((folder / "findings.json").read_text(encoding="utf-8"))
    return list(content["runs"][0]["findings"] if "runs" in content else content["findings"])


def options(lesson: Lesson, folder: str) -> list[str]:
    quick = ["--budget", "40", "--no-sweep"] if lesson.command == "profile-gpu" else []
    return ["--run-dir", folder, "--device", "cpu", "--quiet", *quick]


@pytest.mark.parametrize("name", NAMES)
def test_the_mistake_is_the_primary_finding(command: Command, name: str) -> None:
    lesson = lesson_of(name)
    done = command(lesson.command, name, *options(lesson, "ill"))
    assert done.returncode in (0, 1), done.stderr
    assert lesson.finding in [found["code"] for found in findings(Path("ill")) if found["primary"]]
    told = " ".join(done.stdout.split())
    assert f"this recipe is ill on purpose: {lesson.mistake}; {lesson.finding} names it" in told
    assert done.stdout.splitlines()[-1].startswith("next: ")


@pytest.mark.parametrize("name", [name for name in NAMES if lesson_of(name).cure])
def test_the_cure_cures(command: Command, name: str) -> None:
    lesson = lesson_of(name)
    done = command(lesson.command, name, *shlex.split(cure_options(lesson)), *options(lesson, "cured"))
    assert done.returncode == 0, done.stdout
    left = findings(Path("cured"))
    assert lesson.finding not in [found["code"] for found in left]
    assert not [found["code"] for found in left if found["severity"] != "info"]
    assert "ill on purpose" not in done.stdout


def test_a_training_points_to_the_exam_that_shows_it(command: Command) -> None:
    done = command("train", "sick/softmax-twice", "--run-dir", "ill", "--device", "cpu", "--quiet")
    assert done.returncode == 0, done.stderr
    assert "ill on purpose; what shows it: dlcheck check sick/softmax-twice" in done.stdout
