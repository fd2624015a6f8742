"""What ``dlcheck init`` found in the data, for the terminal and as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dlcheck.errors import printable
from dlcheck.recipe.starter import Starter
from dlcheck.runs.strict_json import dumps

if TYPE_CHECKING:
    from rich.console import Console

SCHEMA = "dlcheck.init/1"
"""Of the JSON report; a change of meaning raises the number."""


def starter_text(starter: Starter, output: Path, console: Console) -> None:
    """Print what was measured as a table of two columns, what to heed, and what to do next."""
    from rich.table import Table
    from rich.text import Text

    console.print(Text(printable(f"{starter.source}: {starter.kind}"), style="bold"))
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, style="cyan")
    table.add_column(overflow="fold")
    for name, words in starter.told:
        table.add_row(Text(name), Text(printable(words)))
    console.print(table)
    for sentence in starter.heed:
        console.print(Text(printable(f"heed: {sentence}"), style="yellow"))
    console.print(Text(printable(f"wrote {output}: each value with its reason")))
    for line in next_steps(output):
        console.print(Text(printable(line)))


def next_steps(output: Path) -> tuple[str, ...]:
    """Return what to do with a new recipe."""
    return (f"next: dlcheck check {output}, then dlcheck train {output}",)


def starter_json(starter: Starter, output: Path) -> str:
    """Return the measures as one JSON document."""
    return (
        dumps(
            {
                "schema": SCHEMA,
                "source": starter.source,
                "kind": starter.kind,
                "recipe": str(output),
                "measures": starter.measures,
                "heed": list(starter.heed),
            },
            indent=2,
        )
        + "\n"
    )
