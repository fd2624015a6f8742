"""``dlcheck init``: a first recipe for the user's data, or the schema of all recipes."""

from pathlib import Path
from typing import Annotated

import typer

from dlcheck.errors import DlcheckError


def init(
    data: Annotated[
        Path | None,
        typer.Argument(help="Your data: a folder of images, a .csv, .txt, .npz, .npy or .pt file."),
    ] = None,
    *,
    output: Annotated[Path, typer.Option("--output", help="The recipe to write.")] = Path("recipe.toml"),
    schema: Annotated[
        bool, typer.Option("--schema", help="Print the JSON schema of recipes, for editors, and exit.")
    ] = False,
) -> None:
    """Write a commented starter recipe for your data."""
    if schema:
        import json

        from dlcheck.recipe import Recipe

        print(json.dumps({"$schema": _DIALECT, **Recipe.model_json_schema()}, indent=2, ensure_ascii=False))
        return
    if data is None:
        raise DlcheckError("dlcheck init needs the path of your data, or --schema")
    from dlcheck.cli.output import refuse_existing
    from dlcheck.recipe import parse_recipe
    from dlcheck.recipe.starter import starter
    from dlcheck.runs.atomic import write_atomic

    refuse_existing(output)
    text = starter(data)
    parse_recipe(text, str(output))  # what we write must be right
    write_atomic(output, text)
    print(f"wrote {output}; train it: dlcheck train {output}")


_DIALECT = "https://json-schema.org/draft/2020-12/schema"
