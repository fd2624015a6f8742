"""``dlcheck init``: a first recipe for the user's data, or the schema of all recipes."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dlcheck.cli.options import Format, FormatOption, QuietOption
from dlcheck.errors import DlcheckError

if TYPE_CHECKING:
    from dlcheck.recipe.starter import Starter


class Task(StrEnum):
    """What is predicted."""

    classification = "classification"
    regression = "regression"


def init(
    data: Annotated[
        Path | None,
        typer.Argument(help="Your data: a folder of images, a .csv, .tsv, .txt, .npz, .npy or .pt file."),
    ] = None,
    *,
    torchvision: Annotated[
        str | None, typer.Option("--torchvision", metavar="NAME", help="A data set of torchvision, as FashionMNIST.")
    ] = None,
    root: Annotated[Path, typer.Option("--root", help="Folder of the --torchvision data set's files.")] = Path("data"),
    download: Annotated[
        bool, typer.Option("--download", help="Let torchvision fetch what is missing; nothing is fetched otherwise.")
    ] = False,
    label: Annotated[
        str | None, typer.Option("--label", metavar="COLUMN", help="Column to predict, instead of a guess.")
    ] = None,
    task: Annotated[Task | None, typer.Option("--task", help="Predict classes or numbers, instead of a guess.")] = None,
    output: Annotated[Path, typer.Option("--output", help="The recipe to write.")] = Path("recipe.toml"),
    format_: FormatOption = Format.text,
    quiet: QuietOption = False,
    schema: Annotated[
        bool, typer.Option("--schema", help="Print the JSON schema of recipes, for editors, and exit.")
    ] = False,
) -> None:
    """Look at your data, measure it, and write a commented recipe that trains at once."""
    if schema:
        _print_schema()
        return
    if (data is None) == (torchvision is None):
        raise DlcheckError(
            "dlcheck init needs the path of your data (a folder of images, a .csv, .txt, .npz, .npy or .pt file), or "
            "--torchvision NAME, or --schema"
        )
    _refuse_options(torchvision, label, task, download=download)
    from dlcheck.cli.output import refuse_existing

    refuse_existing(output)
    if not output.parent.is_dir():
        raise DlcheckError(f"--output {output}: there is no folder {output.parent}")
    starter = _look(data, torchvision, root, label, task, download=download, quiet=quiet)
    _write(starter, output)
    if format_ is Format.json:
        from dlcheck.report.starter import starter_json

        typer.echo(starter_json(starter, output), nl=False)
        return
    from dlcheck.report.look import console
    from dlcheck.report.starter import starter_text

    starter_text(starter, output, console())


def _refuse_options(torchvision: str | None, label: str | None, task: Task | None, *, download: bool) -> None:
    if torchvision is None and download:
        raise DlcheckError("--download: fetches a data set of --torchvision NAME; nothing else is fetched")
    if torchvision is not None and (label is not None or task is not None):
        raise DlcheckError("--torchvision: a data set of classes; it takes no --label and no --task")


def _look(
    data: Path | None,
    torchvision: str | None,
    root: Path,
    label: str | None,
    task: Task | None,
    *,
    download: bool,
    quiet: bool,
) -> "Starter":
    from dlcheck.cli.waiting import Waiting

    with Waiting(quiet=quiet, first="looking at the data"):
        from dlcheck.checks.starter import Wish, look, look_at_set

        if data is None:
            return look_at_set(torchvision or "", root, download=download)
        return look(data, Wish(label, None if task is None else task.value))


def _write(starter: "Starter", output: Path) -> None:
    from dlcheck.recipe import parse_recipe
    from dlcheck.recipe.starter import written
    from dlcheck.runs.atomic import write_atomic

    text = written(starter)
    parse_recipe(text, str(output))  # what we write must be right
    write_atomic(output, text)


def _print_schema() -> None:
    import json

    from dlcheck.recipe import Recipe

    print(json.dumps({"$schema": _DIALECT, **Recipe.model_json_schema()}, indent=2, ensure_ascii=False))


_DIALECT = "https://json-schema.org/draft/2020-12/schema"
