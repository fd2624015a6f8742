"""``dlcheck diagnose``: read logs, and say what is wrong with the runs."""

import gc
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dlcheck.cli.options import (
    FailOn,
    FailOnOption,
    IgnoreOption,
    OutputOption,
    QuietOption,
    ReportFormat,
    SelectOption,
    listed,
)
from dlcheck.errors import DlcheckError, ExitCode

if TYPE_CHECKING:
    from dlcheck.diagnosis import Query
    from dlcheck.report.triage import Triage

RARELY = 50_000
"""New objects between two garbage collections: what imports make stays, and searching it takes a tenth of the start."""


def diagnose(
    paths: Annotated[
        list[str],
        typer.Argument(metavar="PATH…", help="Logs, run folders, folders of many runs, globs, or - for stdin."),
    ],
    *,
    format_: Annotated[ReportFormat, typer.Option("--format", help="How to print the report.")] = ReportFormat.text,
    output: OutputOption = None,
    quiet: QuietOption = False,
    verbose: Annotated[
        bool,
        typer.Option("--verbose", "-v", help="Also how the log was read, and sources; of many runs, each in full."),
    ] = False,
    reader: Annotated[
        str | None, typer.Option("--reader", help="The log's format [default: recognised by content].")
    ] = None,
    map_: Annotated[
        list[str] | None,
        typer.Option("--map", metavar="SIGNAL=COLUMN", help="Which column is what, as val_loss=eval/ce; repeatable."),
    ] = None,
    max_size: Annotated[
        str | None,
        typer.Option("--max-size", metavar="SIZE", help="Largest file to read, as 800MB or 20GB [default: 4GB]."),
    ] = None,
    select: SelectOption = None,
    ignore: IgnoreOption = None,
    fail_on: FailOnOption = None,
    top: Annotated[int, typer.Option("--top", min=0, help="Of many runs, show this many, the sickest; 0: all.")] = 50,
    follow: Annotated[bool, typer.Option("--follow", help="Go on reading a live log, and tell findings.")] = False,
    idle: Annotated[
        float | None,
        typer.Option("--idle", min=0, help="With --follow: end when the log has not grown for so many seconds."),
    ] = None,
    interval: Annotated[
        float, typer.Option("--interval", min=0.05, help="With --follow: seconds between two looks at the log.")
    ] = 2.0,
    fail_fast: Annotated[
        bool, typer.Option("--fail-fast", help="With --follow: end with status 1 at the first error.")
    ] = False,
) -> int:
    """Read the logs of trainings, in any common format, and say what is wrong with them."""
    from dlcheck.cli.output import refuse_existing

    gc.set_threshold(RARELY)
    if output is not None:
        refuse_existing(output)
    if not follow and (fail_fast or idle is not None):
        raise DlcheckError("--fail-fast and --idle are for --follow")
    if follow and "-" in paths:
        raise DlcheckError("--follow needs the path of a log, not standard input")
    with _query(paths, select, ignore, fail_on, reader, map_) as query:
        if max_size is not None:
            from dlcheck.runs.intake import read_size

            query.most_bytes = read_size(max_size)
        if follow:
            from dlcheck.cli.follow import follow_log

            return follow_log(query, format_, output, interval=interval, idle=idle, fail_fast=fail_fast)
        triage = _examine(query, quiet)
    return report(triage, format_, output, top=top, verbose=verbose)


def report(triage: "Triage", format_: ReportFormat, output: Path | None, *, top: int, verbose: bool) -> int:
    """Print or write the report, and return the exit status it means."""
    from dlcheck.cli.output import say
    from dlcheck.report.render import render

    if output is not None:
        from dlcheck.runs.atomic import write_atomic

        write_atomic(output, render(triage, format_.value, top=top, verbose=verbose))
        say(f"wrote {output}")
    elif format_ is ReportFormat.text:
        from dlcheck.report.look import console
        from dlcheck.report.text_triage import render_diagnosis

        render_diagnosis(triage, console(), top=top, verbose=verbose)
    else:
        typer.echo(render(triage, format_.value, top=top), nl=False)
    return ExitCode.FINDINGS if any(item.failed for item in triage.reports) else ExitCode.OK


def _query(
    paths: list[str],
    select: list[str] | None,
    ignore: list[str] | None,
    fail_on: FailOn | None,
    reader: str | None,
    map_: list[str] | None,
) -> "Query":
    from dlcheck.diagnosis import Query, Settings, project_settings

    chosen = Settings(listed(select), listed(ignore), fail_on.value if fail_on is not None else None)
    names = dict(_pair(entry) for entry in map_ or [])
    return Query(tuple(paths), chosen, project_settings(Path.cwd()), reader, names)


def _pair(entry: str) -> tuple[str, str]:
    signal, equals, column = entry.partition("=")
    if not (signal and equals and column):
        raise DlcheckError(f"--map {entry}: expected SIGNAL=COLUMN, as val_loss=eval/ce")
    return signal, column


def _examine(query: "Query", quiet: bool) -> "Triage":
    import sys

    from dlcheck.report.triage import Triage

    if quiet or not sys.stderr.isatty():  # most logs are read faster than what draws would load
        return query.triage()
    from dlcheck.cli.waiting import Waiting

    triage = Triage()
    with Waiting(first="reading") as waiting:
        for count, item in enumerate(query.examine(), start=1):
            triage.add(item)
            waiting.say(f"reading: {count} done")
    query.require(triage)
    return triage
