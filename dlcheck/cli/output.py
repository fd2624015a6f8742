"""Where a report goes: standard output, or a new file."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from dlcheck.cli.options import Format
from dlcheck.errors import DlcheckError, printable

if TYPE_CHECKING:
    from rich.console import Console

    from dlcheck.report.report import Report


def refuse_existing(path: Path) -> None:
    """Refuse a file that exists, before any work is done for it.

    Raises:
        DlcheckError: it exists.
    """
    if path.exists():
        raise DlcheckError(f"--output {path}: exists already; nothing is ever overwritten")


def say(words: str) -> None:
    """Say something beside the report on stderr."""
    typer.echo(printable(words), err=True)


def put(text: str, output: Path | None, format_: Format = Format.json) -> None:
    """Print a report, in text with the look of all reports, or write it to a new file and say so on stderr."""
    if output is None:
        _print(text, format_)
        return
    from dlcheck.runs import write_atomic

    write_atomic(output, text)
    say(f"wrote {output}")


def _print(text: str, format_: Format) -> None:
    if format_ is Format.json:
        typer.echo(text, nl=False)
        return
    from dlcheck.report.look import console, dressed, show, width_of

    screen = console()
    show(dressed(text, width_of(screen)), screen)


def put_rendered(
    render: Callable[["Console"], None], as_json: Callable[[], str], format_: Format, output: Path | None
) -> None:
    """Print a report as JSON or as text, or write it to a new file, which is 100 columns wide."""
    if format_ is Format.json:
        put(as_json(), output)
        return
    from dlcheck.report.look import console

    if output is None:
        render(console())
        return
    put(in_columns(render), output)


def in_columns(render: Callable[["Console"], None]) -> str:
    """Return what is printed on a console of 100 columns, without colour."""
    import io

    from rich.console import Console

    text = io.StringIO()
    render(Console(file=text, width=100))
    return text.getvalue()


def written(report: "Report", format_: Format) -> str:
    """Return a report as it goes into a file."""
    if format_ is Format.json:
        from dlcheck.report.json import to_json

        return to_json([report])
    from dlcheck.report.text import render_text

    return in_columns(lambda console: render_text([report], console))
