"""``dlcheck report``: a run, or several side by side, as a page to look at."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dlcheck.cli.options import FailOnOption, IgnoreOption, OutputOption, QuietOption, SelectOption, listed
from dlcheck.errors import DlcheckError, ExitCode

if TYPE_CHECKING:
    from dlcheck.diagnosis import Query
    from dlcheck.report.report import Report

NAME = "dlcheck-report"
MOST_RUNS = 100
"""Runs of one page; for more there is the triage of ``dlcheck diagnose``."""


class LookFormat(StrEnum):
    """How runs are shown."""

    html = "html"
    text = "text"
    json = "json"


def report(
    paths: Annotated[
        list[str], typer.Argument(metavar="RUN…", help="Run folders, logs, folders of runs, or globs, in this order.")
    ],
    *,
    format_: Annotated[LookFormat, typer.Option("--format", help="A page, or what it says in words or numbers.")] = (
        LookFormat.html
    ),
    output: OutputOption = None,
    quiet: QuietOption = False,
    select: SelectOption = None,
    ignore: IgnoreOption = None,
    fail_on: FailOnOption = None,
) -> int:
    """Show a run, or compare several, in one HTML file that opens offline.

    The page is written to a new file of this folder, or to --output; text and JSON are printed.
    """
    from dlcheck.cli.output import put, refuse_existing
    from dlcheck.diagnosis import Query, Settings, project_settings

    if output is not None:
        refuse_existing(output)
    chosen = Settings(listed(select), listed(ignore), fail_on.value if fail_on is not None else None)
    with Query(tuple(paths), chosen, project_settings(Path.cwd())) as query:
        reports = _reports(query, quiet)
    if format_ is LookFormat.text and output is None:
        _show(reports)
    else:
        put(_rendered(reports, format_), output or (_new_name(Path()) if format_ is LookFormat.html else None))
    return ExitCode.FINDINGS if any(item.failed for item in reports) else ExitCode.OK


def _reports(query: "Query", quiet: bool) -> list["Report"]:
    """Return the runs in the order they were named; what cannot be read is told."""
    from dlcheck.cli.output import say
    from dlcheck.cli.waiting import Waiting
    from dlcheck.report.triage import Triage
    from dlcheck.runs.discover import Refused

    found: list[Report] = []
    refused: list[Refused] = []
    with Waiting(quiet=quiet, first="reading") as waiting:
        for item in query.examine():
            if isinstance(item, Refused):
                refused.append(item)
                continue
            found.append(item)
            waiting.say(f"reading: {len(found)} done")
            if len(found) > MOST_RUNS:
                raise DlcheckError(f"more than {MOST_RUNS} runs; dlcheck diagnose sorts as many as there are")
    query.require(Triage([*found[:1], *refused]))
    for lost in refused:
        say(f"not read: {lost.path}: {lost.why}")
    return found


def _show(reports: list["Report"]) -> None:
    from dlcheck.report.look import console

    if len(reports) == 1:
        from dlcheck.report.text import render_text

        render_text(reports, console(), moments=True)
        return
    from dlcheck.report.comparison import compare, render_comparison

    render_comparison(compare(reports), console())


def _rendered(reports: list["Report"], format_: LookFormat) -> str:
    if len(reports) == 1:
        return _one(reports[0], format_)
    from dlcheck.report.comparison import compare, comparison_json, render_comparison

    comparison = compare(reports)
    if format_ is LookFormat.json:
        return comparison_json(comparison)
    if format_ is LookFormat.html:
        from dlcheck.report.html.comparison import comparison_html

        return comparison_html(comparison)
    from dlcheck.cli.output import in_columns

    return in_columns(lambda console: render_comparison(comparison, console))


def _one(report: "Report", format_: LookFormat) -> str:
    from dlcheck.report.render import render
    from dlcheck.report.triage import Triage

    return render(Triage([report]), format_.value)


def _new_name(folder: Path) -> Path:
    """Return a name that no file has yet."""
    names = (folder / f"{NAME}{'' if count == 1 else f'-{count}'}.html" for count in range(1, 10_000))
    return next(path for path in names if not path.exists())
