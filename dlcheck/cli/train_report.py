"""The report at the end of ``dlcheck train``: printed or written, and the exit status it means."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from dlcheck.cli.options import Format
from dlcheck.errors import ExitCode, printable
from dlcheck.findings import Severity
from dlcheck.report.json import to_json
from dlcheck.report.text import render_text
from dlcheck.report.training import fold_lines, result_lines
from dlcheck.runs.atomic import write_atomic

if TYPE_CHECKING:
    from rich.console import Console

    from dlcheck.training.session import TrainResult


def report(results: list[TrainResult], format_: Format, output: Path | None) -> int:
    """Print the report of one training, or of every fold, and return the exit status."""
    if output is None:
        _write(results, format_, None)
    else:
        text = io.StringIO()
        _write(results, format_, text)
        write_atomic(output, text.getvalue())
        print(f"wrote {output}", file=sys.stderr)
    return _exit_code(results)


def _write(results: list[TrainResult], format_: Format, file: io.StringIO | None) -> None:
    if format_ is Format.json:
        print(to_json([result.report for result in results]), end="", file=file or sys.stdout)
        return
    from rich.console import Console

    console = Console(file=file, width=100 if file is not None else None)
    for result in results:
        render_text([result.report], console, chart=True)
        for line in result_lines(result.facts):
            console.print(printable(line), markup=False, highlight=False)
        _say_where(result, console)
    if len(results) > 1:
        from dlcheck.training.folds import across_folds

        parent = results[0].folder.parent
        for line in fold_lines(parent, across_folds(parent)):
            console.print(printable(line), markup=False, highlight=False, soft_wrap=True)


def _say_where(result: TrainResult, console: Console) -> None:
    expect = result.recipe.expect
    if expect and result.facts.get("finished"):
        console.print(printable(f"this recipe is expected to reach: {expect}"), markup=False, highlight=False)
    if result.stopped == "interrupted":
        told = f"go on: dlcheck train --resume {result.folder}"
    else:
        told = f"run folder: {result.folder}"
    console.print(printable(told), markup=False, highlight=False, soft_wrap=True)


def _exit_code(results: list[TrainResult]) -> int:
    for result in results:
        if result.stopped == "interrupted":
            return ExitCode.INTERRUPTED if result.signal is None else 128 + result.signal
    for result in results:
        fail_on = result.recipe.rules.fail_on
        worst = result.report.outcome.worst
        if fail_on != "never" and worst is not None and worst >= Severity[fail_on.upper()]:
            return ExitCode.FINDINGS
    return ExitCode.OK
