"""``dlcheck explain``: the page of a rule."""

from typing import Annotated

import typer


def explain(code: Annotated[str, typer.Argument(help="A rule's code or name, as C409 or overfit.")]) -> None:
    """Print what a rule finds, why it matters, what to do, and where that is written."""
    from dlcheck.rules import explain as page

    typer.echo(page(code))
