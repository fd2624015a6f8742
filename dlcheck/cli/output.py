"""Where a report goes: standard output, or a new file."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from dlcheck.cli.options import Format
from dlcheck.errors import DlcheckError

if TYPE_CHECKING:
    from dlcheck.report.report import Report


def refuse_existing(path: Path) -> None:
    """Refuse a file that exists, before any work is done for it.

    Raises:
        DlcheckError: it exists.
    """
    if path.exists():
        raise DlcheckError(f"--output {path}: exists already; nothing is ever overwritten")


def put(text: str, output: Path | None) -> None:
    """Print a report, or write it to a new file and say so on stderr."""
    if output is None:
        typer.echo(text, nl=False)
        return
    from dlcheck.runs import write_atomic

    write_atomic(output, text)
    typer.echo(f"wrote {output}", err=True)


def written(report: "Report", format_: Format) -> str:
    """Return a report as it goes into a file."""
    if format_ is Format.json:
        from dlcheck.report.json import to_json

        return to_json([report])
    import io

    from rich.console import Console

    from dlcheck.report.text import render_text

    text = io.StringIO()
    render_text([report], Console(file=text, width=100))
    return text.getvalue()
