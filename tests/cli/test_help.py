"""The help of every command: what it says fits, and what it shows can be typed."""

import re
import shlex

import pytest
import typer
from typer.testing import CliRunner

from dlcheck.cli.app import app
from dlcheck.cli.completion import built_in
from dlcheck.recipe import load_recipe, shipped_recipes, sick_recipes

GROUP = typer.main.get_command(app)
COMMANDS = sorted(GROUP.commands)  # type: ignore[attr-defined]
RECIPE = ("train", "check", "treat", "tune", "lr-find", "profile-gpu")


def help_of(*words: str) -> str:
    done = CliRunner().invoke(app, [*words, "--help"], prog_name="dlcheck", env={"COLUMNS": "80", "NO_COLOR": "1"})
    assert done.exit_code == 0, done.output
    return done.output


def examples(text: str) -> list[str]:
    return re.findall(r"^ +(dlcheck .+)$", text.partition("Examples:")[2], re.MULTILINE)


SHOWN = [line for words in ([], *([name] for name in COMMANDS)) for line in examples(help_of(*words))]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_ends_with_examples_of_its_own(command: str) -> None:
    text = help_of(command)
    found = examples(text)
    assert len(found) >= (1 if command == "explain" else 2)
    assert all(shlex.split(line)[1] == command for line in found)
    assert text.rstrip().endswith(found[-1])


@pytest.mark.parametrize("line", SHOWN)
def test_every_example_can_be_typed(line: str) -> None:
    _, command, *words = shlex.split(line)
    assert len(line) <= 78
    with GROUP.make_context("dlcheck", [command], resilient_parsing=True) as parent:
        context = GROUP.commands[command].make_context(command, list(words), parent=parent)  # type: ignore[attr-defined]
    given = context.params.get("recipe") or context.params.get("subject") or (context.params.get("words") or [None])[0]
    if command in RECIPE and given is not None and not given.endswith((".py", ".toml")):
        assert given in shipped_recipes() | sick_recipes()
        load_recipe(given, context.params.get("set_") or [])
    names = {word for pair in built_in() for word in pair}
    for word in (context.params.get("codes") or []) + (context.params.get("select") or []):
        assert all(any(name.startswith(part) for name in names) for part in word.split(","))


def test_the_list_of_commands_is_not_cut() -> None:
    text = help_of()
    listed = dict(re.findall(r"^  ([a-z-]+) {2,}(\S.*\.)$", text.partition("Commands:")[2], re.MULTILINE))
    assert sorted(listed) == COMMANDS
    assert not any(told.endswith("...") for told in listed.values())
    assert max(map(len, text.splitlines())) <= 80
