"""``dlcheck train --list``: the recipes that ship, and whether their data is here."""

import json

from dlcheck.cli.options import Format
from dlcheck.recipe import load_recipe, shipped_recipes
from dlcheck.recipe.presence import data_state


def list_recipes(format_: Format) -> None:
    """Print every shipped recipe with its title, its expected result and its data's state."""
    rows = []
    for name in shipped_recipes():
        recipe = load_recipe(name).recipe
        state = data_state(recipe)
        rows.append(
            {
                "name": name,
                "title": recipe.title,
                "expect": recipe.expect,
                "data_present": state.present,
                "data_where": state.where,
                "data_how": state.how,
            }
        )
    if format_ is Format.json:
        print(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    from rich.console import Console
    from rich.padding import Padding
    from rich.text import Text

    console = Console(highlight=False)
    for row in rows:
        mark = "ready" if row["data_present"] else "data missing"
        console.print(f"[bold]{row['name']}[/]  ({mark})")
        lines = [row["title"], f"expect: {row['expect']}"]
        lines += [] if row["data_present"] else [row["data_how"]]
        for line in lines:
            console.print(Padding(Text(str(line)), (0, 0, 0, 4), expand=False))
    console.print("\ntrain one: dlcheck train NAME", markup=False)
