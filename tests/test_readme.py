"""The README's commands are the ones that work, and CI runs the one it prints."""

import importlib.util
import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest
import typer

from dlcheck.cli.app import app
from dlcheck.recipe import load_recipe, shipped_recipes, sick_recipes
from dlcheck.recipe.override import parse_override
from dlcheck.rules import all_rules
from dlcheck.runs.readers import readers
from tests.readme import README, ROOT, blocks, missing, run, run_here, sections, typed
from tests.readme_files import prepare

COMMANDS = [line for line, _ in typed()]
OURS = sorted(
    {line.strip().removeprefix("host-a$ ") for line in COMMANDS if re.match(r"\s*(host-a\$ )?dlcheck ", line)}
)
QUICK = {"Recipes", "Your own data and code"}
"""Sections of which the commands take less than five seconds together; these print the same numbers everywhere."""


def test_ci_runs_the_readmes_test_line() -> None:
    line = next(command for command in COMMANDS if " -m pytest" in command)
    assert line in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()


def test_the_first_line_trains_the_default() -> None:
    first = next(command for command in COMMANDS if not command.startswith("dlcheck"))
    assert first.endswith(".venv/bin/dlcheck train digits")
    assert "venv" in first
    assert "pip install" in first


@pytest.mark.parametrize(
    "section", [pytest.param(name, marks=[] if name in QUICK else pytest.mark.slow) for name in sections()]
)
def test_every_command_prints_what_is_shown(section: str, tmp_path: Path) -> None:
    prepare(section, tmp_path)
    for item in sections()[section]:
        exact = section in QUICK
        printed = run_here(item.words, tmp_path) if exact else run(item.words, tmp_path)
        lacking = missing(item.output, printed, exact=exact)
        assert not lacking, f"README line {item.line}: {item.command}: {lacking}\n{printed}"


@pytest.mark.slow
def test_a_profile_has_the_parts_that_are_shown(tmp_path: Path) -> None:
    """Its numbers and verdict depend on how busy the machine is; what it measures does not."""
    (block,) = [block for block in blocks() if block.text.startswith("photos.toml\n")]
    printed = " ".join(run(["profile-gpu", "digits-mlp", "--no-sweep", "--budget", "30"], tmp_path).split())
    for label in re.findall(r"^   [░▒▓█▚·∙] ([a-z ,]+?)  +\S", block.text, flags=re.M):
        assert label in printed
    for label in ("a step takes", "steps timed", "first batch of all after", "a batch takes", "in order:"):
        assert label in block.text
        assert label in printed


@pytest.mark.parametrize(
    ("shown", "printed", "lacking"),
    [
        ("a 1\n...\nb 2\n", "a 3\nx\nb 4\n", ""),
        ("a 1\n", "a 3\nmore\n", "the end, before: more"),
        ("b 1\n", "a\nb 3\n", "b #"),
        ("...\nb\n...\na\n", "a\nb\n", "a"),
        ("long words\nfolded\n", "long\n  words folded\n", ""),
        ("1.5 ┤⠢\na\n", "7 ┤⡀\na\n", ""),
    ],
)
def test_a_comparison_tells_what_is_not_there(shown: str, printed: str, lacking: str) -> None:
    assert missing(shown, printed, exact=False) == lacking


@pytest.mark.parametrize("line", OURS)
def test_every_command_takes_the_words_it_is_given(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Parse each line as the shell and the command line do, without running it."""
    monkeypatch.chdir(tmp_path)
    name, *words = shlex.split(line, comments=True)[1:]
    if name.startswith("-"):
        return
    command: Any = typer.main.get_command(app)
    assert name in command.commands
    command.commands[name].make_context(name, [word for word in words if word != "RECIPE"], obj=words)


@pytest.mark.parametrize("command", [c for c in COMMANDS if re.match(r"dlcheck train [a-z]", c)])
def test_every_train_command_is_valid(command: str) -> None:
    words = shlex.split(command, comments=True)
    overrides = [words[place + 1] for place, word in enumerate(words) if word == "--set"]
    if words[2] in shipped_recipes() and "optimizer.lrr=0.1" not in overrides:  # which is shown to be refused
        load_recipe(words[2], overrides)
    else:
        assert all(parse_override(item) for item in overrides)


def test_every_command_is_in_the_table_and_the_changes() -> None:
    command: Any = typer.main.get_command(app)
    changes = README[README.index("## Changes") :]
    for name in command.commands:
        assert re.search(rf"^\| `dlcheck {name} .*` \|", README, flags=re.M), name
        assert f"`{name}`" in changes


def test_every_module_and_file_that_is_named_is_there() -> None:
    for module in set(re.findall(r"python -m (tests\.[a-z_.]*[a-z_])", README)):
        assert importlib.util.find_spec(module), module
    for path in set(re.findall(r"(?:tests|\.ci|dlcheck)/[\w/.-]*[\w/]", README)):
        if not path.startswith("dlcheck/v"):
            assert (ROOT / path).exists(), path


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
    own = set(re.findall(r'^    "([A-Z]\d{3})",$', README, flags=re.M))  # the example of a rule of somebody's own
    assert set(re.findall(r"\b[A-Z]\d{3}\b", README)) <= set(all_rules()) | own


def test_what_is_counted_is_as_many() -> None:
    assert f"- {len(all_rules())} rules in seven families" in README
    assert f"- {len(shipped_recipes())} recipes that train, {len(sick_recipes())} that are ill on purpose" in README
    assert f"- Readers of {len(readers())} formats" in README


def test_every_dependency_has_its_reason() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    table = README[README.index("## What it stands on") : README.index("## Limits")]
    extras = project["optional-dependencies"]
    named = set(re.findall(r"^\| `([\w-]+)` \|", table, flags=re.M))
    assert named == {_name(package) for package in project["dependencies"]} | set(extras)
    for extra, packages in extras.items():
        (row,) = [line for line in table.splitlines() if line.startswith(f"| `{extra}` |")]
        assert [name for name in map(_name, packages) if f"`{name}`" not in row and name != "dlcheck"] == []


def _name(requirement: str) -> str:
    return re.split(r"[^\w-]", requirement)[0]


def test_every_link_inside_the_readme_leads_somewhere() -> None:
    headings = {
        re.sub(r"[^\w -]", "", line.lower()).replace(" ", "-") for line in re.findall(r"^#+ (.*)$", README, re.M)
    }
    for target in re.findall(r"\]\(([^)]+)\)", README):
        if target.startswith("#"):
            assert target[1:] in headings, target
        else:
            assert target.startswith("http") or (ROOT / target).exists(), target
