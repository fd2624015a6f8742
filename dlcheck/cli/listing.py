"""``dlcheck train --list``: the recipes that ship, and whether their data is here."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from dlcheck.cli.options import Format
from dlcheck.recipe import load_recipe, shipped_recipes, sick_recipes
from dlcheck.recipe.presence import data_state

if TYPE_CHECKING:
    from rich.console import Console


def list_recipes(format_: Format) -> None:
    """Print every shipped recipe with its title, its expected result and its data's state; those to learn from last."""
    rows = [_row(name) for name in shipped_recipes() | sick_recipes()]
    if format_ is Format.json:
        print(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    from rich.console import Console

    console = Console(highlight=False)
    for row in rows:
        if row["lesson"] is None:
            _print(row, console)
    console.print("\nill on purpose, to learn from:", markup=False)
    for row in rows:
        if row["lesson"] is not None:
            console.print(f"[bold]{row['name']}[/]  {row['title']} ({row['lesson']['finding']})")
    console.print("\ntrain one: dlcheck train NAME", markup=False)


def _row(name: str) -> dict[str, Any]:
    recipe = load_recipe(name).recipe
    state = data_state(recipe)
    return {
        "name": name,
        "title": recipe.title,
        "expect": recipe.expect,
        "data_present": state.present,
        "data_where": state.where,
        "data_how": state.how,
        "lesson": recipe.lesson.model_dump() if recipe.lesson is not None else None,
    }


def _print(row: dict[str, Any], console: Console) -> None:
    from rich.padding import Padding
    from rich.text import Text

    mark = "ready" if row["data_present"] else "data missing"
    console.print(f"[bold]{row['name']}[/]  ({mark})")
    lines = [row["title"], f"expect: {row['expect']}"]
    lines += [] if row["data_present"] else [row["data_how"]]
    for line in lines:
        console.print(Padding(Text(str(line)), (0, 0, 0, 4), expand=False))
