"""Completion in the shell: recipes, rules and devices by their beginnings. Loads none of what they stand for."""

import os
import re
from collections.abc import Iterator
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import Any

import typer

from dlcheck.errors import DlcheckError

ASKED = "_DLCHECK_COMPLETE"
"""Variable by which a shell asks for completions."""
OPTIONS = ("--install-completion", "--show-completion")
_RULE = re.compile(r'^@rule\(\s*"([A-Z]\d{3})",\s*"([\w-]+)"', re.MULTILINE)


class Shell(StrEnum):
    """A shell that completes."""

    bash = "bash"
    zsh = "zsh"
    fish = "fish"


def with_shell(arguments: list[str]) -> list[str]:
    """Return the arguments, the shell of this terminal added where completion is asked for without one.

    Raises:
        DlcheckError: it is none that is known.
    """
    if arguments[-1:] not in ([option] for option in OPTIONS):
        return arguments
    name = Path(os.environ.get("SHELL", "")).name
    if name not in list(Shell):
        raise DlcheckError(f"{arguments[-1]}: for which shell? {', '.join(Shell)}")
    return [*arguments, name]


def prepare() -> None:
    """Make ready for the questions of a shell, where one asks."""
    if ASKED in os.environ:
        _typer().completion_init()


def install(shell: Shell | None) -> None:
    """Put the script where the shell finds it, and end."""
    if shell is not None:
        _, path = _typer().install(shell=shell.value, prog_name="dlcheck", complete_var=ASKED)
        typer.echo(f"wrote {path}")
        typer.echo("next: open a new terminal, and press the tabulator after dlcheck")
        raise typer.Exit


def show(shell: Shell | None) -> None:
    """Print the script, and end."""
    if shell is not None:
        typer.echo(_typer().get_completion_script(prog_name="dlcheck", complete_var=ASKED, shell=shell.value))
        raise typer.Exit


def recipes(incomplete: str) -> list[str]:
    """Return the recipes that ship, those that are ill on purpose once their folder is begun."""
    from dlcheck.recipe.shipped import SICK, shipped_recipes, sick_recipes

    known = [*shipped_recipes(), *(sick_recipes() if incomplete.startswith(SICK[:1]) else [])]
    return [name for name in known if name.startswith(incomplete)]


def rules(incomplete: str) -> list[tuple[str, str]]:
    """Return the rules whose code or name begins so, by code; of a list with commas the last one is completed."""
    before, comma, word = incomplete.rpartition(",")
    found = [pair for pair in built_in() if pair[0].startswith(word.upper())]
    found = found or [(name, code) for code, name in built_in() if name.startswith(word.lower())]
    return [(f"{before}{comma}{value}", told) for value, told in found]


def devices(incomplete: str) -> list[str]:
    """Return what a device may be called."""
    return [name for name in ("auto", "cpu", "cuda") if name.startswith(incomplete)]


def built_in() -> list[tuple[str, str]]:
    """Return code and name of each built-in rule, read from its file: to load all takes half a second."""
    return sorted(_in_files(Path(__file__).parents[1] / "rules"))


def _in_files(folder: Path) -> Iterator[tuple[str, str]]:
    for path in folder.glob("*/*.py"):
        yield from _RULE.findall(path.read_text(encoding="utf-8"))


def _typer() -> Any:
    """Return Typer's own completion, whose parts have no types."""
    return import_module("typer.completion")
