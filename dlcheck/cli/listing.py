"""``dlcheck train --list``: the recipes that ship, and whether their data is here."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from dlcheck.cli.options import Format
from dlcheck.recipe import load_recipe, shipped_recipes, sick_recipes
from dlcheck.recipe.presence import data_state

if TYPE_CHECKING:
    from rich.text import Text


def list_recipes(format_: Format) -> None:
    """Print every shipped recipe with its title, its expected result and its data's state; those to learn from last."""
    rows = [_row(name) for name in shipped_recipes() | sick_recipes()]
    if format_ is Format.json:
        print(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    from dlcheck.report.look import console, show, width_of

    screen = console()
    show(_lines(rows, width_of(screen)), screen)


def _lines(rows: Sequence[dict[str, Any]], width: int) -> Iterator[Text]:
    from rich.text import Text

    from dlcheck.report.look import HEAD, NEXT, SOFT, Cell, Column, table

    cells: list[tuple[Cell, ...]] = []
    for row in rows:
        if row["lesson"] is None:
            present = row["data_present"]
            cells.append(((row["name"], HEAD), "here" if present else ("missing", SOFT), row["title"]))
            cells.append(("", "", (f"expect: {row['expect']}", SOFT)))
            cells += [] if present else [("", "", (row["data_how"], SOFT))]
    yield from table((Column("recipe", whole=True), Column("data", whole=True), Column("what it trains")), cells, width)
    yield Text()
    ill = [((row["name"], HEAD), row["lesson"]["finding"], row["title"]) for row in rows if row["lesson"] is not None]
    heads = Column("ill on purpose", whole=True), Column("finding", whole=True), Column("to learn from")
    yield from table(heads, ill, width)
    yield Text()
    yield Text("next: dlcheck train NAME", NEXT)


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
