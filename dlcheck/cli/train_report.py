"""The report at the end of ``dlcheck train``: printed or written, and the exit status it means."""

from __future__ import annotations

import io
import shlex
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dlcheck.cli.options import Format
from dlcheck.cli.output import say
from dlcheck.errors import ExitCode
from dlcheck.findings import Severity
from dlcheck.report.json import to_json
from dlcheck.report.look import console as make_console
from dlcheck.report.look import last, show, width_of
from dlcheck.report.plain import folder_line
from dlcheck.report.text import render_text
from dlcheck.report.training import fold_lines, result_lines
from dlcheck.runs.atomic import write_atomic

if TYPE_CHECKING:
    from dlcheck.training.session import TrainResult


def report(results: list[TrainResult], format_: Format, output: Path | None, lesson: Sequence[str] = ()) -> int:
    """Print the report of one training, or of every fold, and return the exit status; in a file without the lesson."""
    if output is None:
        _write(results, format_, None, lesson)
    else:
        text = io.StringIO()
        _write(results, format_, text, ())
        write_atomic(output, text.getvalue())
        say(f"wrote {output}")
    return _exit_code(results)


def _write(results: list[TrainResult], format_: Format, file: io.StringIO | None, lesson: Sequence[str]) -> None:
    if format_ is Format.json:
        print(to_json([result.report for result in results]), end="", file=file or sys.stdout)
        return
    from rich.console import Console

    console = make_console() if file is None else Console(file=file, width=100)
    for result in results:
        render_text([result.report], console, chart=True, ending=[*_ending(result), *lesson])
    if len(results) > 1:
        from dlcheck.training.folds import across_folds

        parent = results[0].folder.parent
        told = list(fold_lines(parent, across_folds(parent)))
        show(last(told, f"next: dlcheck diagnose {shlex.quote(str(parent))}", width_of(console)), console)


def _ending(result: TrainResult) -> Iterator[str]:
    """Yield what was reached, and where it lies; of a training that was interrupted, how to go on."""
    yield from result_lines(result.facts)
    expect = result.recipe.expect
    if expect and result.facts.get("finished"):
        yield f"this recipe is expected to reach: {expect}"
    yield folder_line(result.folder)
    if result.stopped == "interrupted":
        yield f"next: dlcheck train --resume {shlex.quote(str(result.folder))}"


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
