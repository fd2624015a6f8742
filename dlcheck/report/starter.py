"""What ``dlcheck init`` found in the data, for the terminal and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from dlcheck.errors import printable
from dlcheck.recipe.starter import Starter
from dlcheck.runs.strict_json import dumps

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

SCHEMA = "dlcheck.init/1"
"""Of the JSON report; a change of meaning raises the number."""


def starter_text(starter: Starter, output: Path, console: Console) -> None:
    """Print what was measured as a table of two columns, what to heed, and what to do next."""
    from dlcheck.report.look import show, width_of

    show(_lines(starter, output, width_of(console)), console)


def _lines(starter: Starter, output: Path, width: int) -> Iterator[Text]:
    from rich.text import Text

    from dlcheck.report.look import HEAD, HEED, NEXT, pairs, wrapped

    yield Text(printable(f"{starter.source}: {starter.kind}"), HEAD)
    yield from pairs([(name, printable(words)) for name, words in starter.told], width)
    for sentence in starter.heed:
        yield from wrapped(printable(f"heed: {sentence}"), width, style=HEED)
    yield Text(printable(f"wrote {output}: each value with its reason"))
    yield Text(printable(f"next: dlcheck check {output}, then dlcheck train {output}"), NEXT)


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
