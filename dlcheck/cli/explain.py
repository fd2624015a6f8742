"""``dlcheck explain``: the pages of rules."""

from typing import Annotated

import typer

from dlcheck.cli.completion import rules
from dlcheck.cli.options import PageFormat
from dlcheck.errors import DlcheckError


def explain(
    codes: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="CODE…", autocompletion=rules, help="Codes, names or prefixes of codes, as C409, overfit or C4."
        ),
    ] = None,
    *,
    all_: Annotated[bool, typer.Option("--all", help="Every rule.")] = False,
    format_: Annotated[PageFormat, typer.Option("--format", help="How to print the pages.")] = PageFormat.text,
) -> None:
    """Print what a rule finds, why it matters, what to do, and where that is written."""
    from dlcheck.report.pages import render_pages, rules_of
    from dlcheck.rules import all_rules

    if bool(codes) == all_:
        raise DlcheckError("dlcheck explain needs a rule's code or name, as C409 or overfit, or --all")
    rules = list(all_rules().values()) if all_ else rules_of(codes or ())
    if format_ is not PageFormat.text:
        typer.echo(render_pages(rules, format_.value), nl=False)
        return
    from dlcheck.report.look import console, show, width_of
    from dlcheck.report.pages import page_lines

    screen = console()
    show(page_lines(rules, width_of(screen)), screen)
