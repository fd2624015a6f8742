"""Options that several commands have, declared once."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from dlcheck.cli import completion
from dlcheck.errors import DlcheckError


class Format(StrEnum):
    """How a report is printed."""

    text = "text"
    json = "json"


class ReportFormat(StrEnum):
    """How a diagnosis is printed."""

    text = "text"
    json = "json"
    markdown = "markdown"
    github = "github"
    sarif = "sarif"
    html = "html"


class PageFormat(StrEnum):
    """How the page of a rule is printed."""

    text = "text"
    json = "json"
    markdown = "markdown"


class FailOn(StrEnum):
    """Severity from which findings make the exit status 1."""

    error = "error"
    warning = "warning"
    info = "info"
    never = "never"


class StopOn(StrEnum):
    """Severity of a finding that ends a watched script."""

    error = "error"
    warning = "warning"


FormatOption = Annotated[Format, typer.Option("--format", help="How to print the report.")]
OutputOption = Annotated[
    Path | None,
    typer.Option("--output", help="Write the report to this new file instead of standard output."),
]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="No progress, only the report.")]
DeviceOption = Annotated[
    str, typer.Option("--device", autocompletion=completion.devices, help="auto, cpu, or cuda[:N].")
]
SeedOption = Annotated[int | None, typer.Option("--seed", help="Same as --set train.seed=N.")]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a key of the recipe; may be repeated."),
]
SelectOption = Annotated[
    list[str] | None,
    typer.Option(
        "--select", autocompletion=completion.rules, help="Rules to apply, by code or prefix; may be repeated."
    ),
]
IgnoreOption = Annotated[
    list[str] | None,
    typer.Option(
        "--ignore", autocompletion=completion.rules, help="Rules to leave out, by code or prefix; may be repeated."
    ),
]
FailOnOption = Annotated[
    FailOn | None,
    typer.Option("--fail-on", help="Severity from which the exit status is 1 [default: error]."),
]


def is_script(name: str) -> bool:
    """Return whether a script is named, and no recipe."""
    return name.endswith(".py") and ":" not in name


def refuse_arguments(arguments: list[str]) -> None:
    """Refuse what stands after a recipe.

    Raises:
        DlcheckError: there is anything.
    """
    if arguments:
        raise DlcheckError(
            f"{arguments[0]}: one recipe at a time; arguments are for scripts, as: -- train.py --epochs 3"
        )


def listed(values: list[str] | None) -> tuple[str, ...]:
    """Return what a repeatable option got, entries with commas split."""
    return tuple(part.strip() for value in values or () for part in value.split(",") if part.strip())
