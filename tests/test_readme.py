"""The README's commands are the ones that work, and CI runs the one it prints."""

import re
from pathlib import Path

import pytest

from dlcheck.recipe import load_recipe, shipped_recipes, sick_recipes
from dlcheck.recipe.override import parse_override
from dlcheck.rules import all_rules

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8") if (ROOT / "README.md").exists() else ""
BLOCKS = re.findall(r"```sh\n(.*?)```", README, flags=re.S)
COMMANDS = [line for block in BLOCKS for line in block.replace("\\\n", " ").splitlines() if line.strip()]


def test_ci_runs_the_readmes_test_line() -> None:
    line = next(command for command in COMMANDS if " -m pytest" in command)
    assert line in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()


def test_the_first_line_trains_the_default() -> None:
    assert COMMANDS[0].endswith(".venv/bin/dlcheck train digits")
    assert "venv" in COMMANDS[0]
    assert "pip install" in COMMANDS[0]


@pytest.mark.parametrize("command", [c for c in COMMANDS if re.match(r"dlcheck train [a-z]", c)])
def test_every_train_command_is_valid(command: str) -> None:
    words = command.split("#")[0].split()
    overrides = [words[place + 1].strip("'\"") for place, word in enumerate(words) if word == "--set"]
    if words[2] in shipped_recipes():
        load_recipe(words[2], overrides)
    else:
        assert all(parse_override(item) for item in overrides)


def test_every_shipped_recipe_is_in_the_readmes_table() -> None:
    for name in shipped_recipes():
        assert f"| `{name}` |" in README, name


def test_every_sick_recipe_is_in_the_readmes_table_with_its_finding() -> None:
    for name in sick_recipes():
        recipe = load_recipe(name).recipe
        assert recipe.lesson is not None
        finding = f"{recipe.lesson.finding} {all_rules()[recipe.lesson.finding].name}"
        told = recipe.expect.replace("; cured: ", " → ")
        assert f"| `{name}` | {recipe.title} | `{recipe.lesson.command}`: {finding} | {told} |" in README, name


def test_every_code_in_the_readme_is_a_rule() -> None:
    assert set(re.findall(r"\b[A-Z]\d{3}\b", README)) <= set(all_rules())


def test_every_link_inside_the_readme_leads_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert target.startswith("http") or (ROOT / target).exists(), target
