"""The recipes that are ill on purpose, without training them."""

import re
from pathlib import Path

import pytest

from dlcheck.errors import DlcheckError
from dlcheck.findings import Finding, Severity
from dlcheck.recipe import load_recipe, parse_recipe, shipped_recipes, sick_recipes
from dlcheck.recipe.lesson import Lesson
from dlcheck.recipe.shipped import recipe_folder
from dlcheck.report.lesson import cure_options, lesson_lines
from dlcheck.rules import all_rules

SICK = sorted(sick_recipes())
LESSON = Lesson(
    finding="C404", mistake="too fast", cure={"optimizer.lr": 0.1, "model.hidden": [8, 4], "init.name": "he"}
)


def found(code: str) -> Finding:
    return Finding(code=code, name="any", severity=Severity.WARNING, confidence=0.9, summary="seen", evidence={})


def test_common_diseases_have_a_recipe_each() -> None:
    assert len(SICK) >= 19
    assert not set(SICK) & set(shipped_recipes())
    assert {path.name for path in (recipe_folder() / "sick").iterdir() if path.is_file()} == {
        *(f"{name.removeprefix('sick/')}.toml" for name in SICK),
        "ill.py",
    }


@pytest.mark.parametrize("name", SICK)
def test_each_names_a_rule_a_mistake_and_a_cure(name: str) -> None:
    recipe = load_recipe(name).recipe
    assert recipe.title
    assert recipe.expect
    assert recipe.lesson is not None
    assert recipe.lesson.finding in all_rules()
    assert recipe.lesson.mistake
    assert bool(recipe.lesson.cure) != bool(recipe.lesson.mend)


@pytest.mark.parametrize("name", SICK)
def test_a_cure_changes_what_it_names(name: str) -> None:
    ill = load_recipe(name)
    assert ill.recipe.lesson is not None
    options = re.findall(r"--set '?([^' ]+(?: [^'-]+)?)'?", cure_options(ill.recipe.lesson))
    assert len(options) == len(ill.recipe.lesson.cure)
    if options:
        assert load_recipe(name, options).recipe != ill.recipe


@pytest.mark.parametrize("name", SICK)
def test_the_mistake_is_marked_in_the_file(name: str) -> None:
    path = sick_recipes()[name]
    text = path.read_text(encoding="utf-8")
    assert "the mistake" in text or name == "sick/stopped-too-early"
    if "ill:" in text:
        assert (path.parent / "ill.py").is_file()


def test_what_is_found_is_told_with_its_cure() -> None:
    lines = list(lesson_lines(LESSON, "sick/fast", "train", [found("C401"), found("C404")]))
    cure = "--set optimizer.lr=0.1 --set 'model.hidden=[8, 4]' --set init.name=he  # the cure"
    assert lines == [
        "this recipe is ill on purpose: too fast; C404 names it",
        f"next: dlcheck train sick/fast {cure}",
    ]


def test_another_command_is_named_where_it_shows_more() -> None:
    assert not list(lesson_lines(LESSON, "sick/fast", "train", []))
    other = list(lesson_lines(LESSON, "sick/fast", "check", [found("D101")]))
    assert other == ["this recipe is ill on purpose; what shows it: dlcheck train sick/fast"]


def test_a_lesson_without_its_finding_is_refused() -> None:
    text = '[data]\nname = "digits"\n[model]\nname = "mlp"\n[lesson]\nfinding = "C4"\nmistake = "none"\n'
    with pytest.raises(DlcheckError, match=r"line 6: lesson\.finding"):
        parse_recipe(text, "mine.toml")


def test_a_sick_recipe_is_not_written_into(tmp_path: Path) -> None:
    from dlcheck.recipe.write import writable

    with pytest.raises(DlcheckError, match="ships with dlcheck"):
        writable(sick_recipes()["sick/overfit"])
