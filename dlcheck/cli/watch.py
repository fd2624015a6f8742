"""``dlcheck watch``: run somebody's script under the monitors, and say what was seen."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dlcheck.cli.options import (
    FailOnOption,
    Format,
    FormatOption,
    IgnoreOption,
    OutputOption,
    QuietOption,
    SelectOption,
    StopOn,
    listed,
)
from dlcheck.cli.output import say
from dlcheck.errors import DlcheckError, ExitCode

if TYPE_CHECKING:
    from dlcheck.diagnosis import Settings
    from dlcheck.report.report import Report
    from dlcheck.watching.session import Session
    from dlcheck.watching.target import Target

PASS_ON = {"allow_interspersed_args": False, "ignore_unknown_options": False}
"""What comes after SCRIPT belongs to the script."""


def watch(
    script: Annotated[
        list[str] | None,
        typer.Argument(metavar="SCRIPT [ARGS…]", help="A Python script and its arguments, which dlcheck leaves alone."),
    ] = None,
    *,
    module: Annotated[
        bool, typer.Option("-m", "--module", help="SCRIPT is the name of a module, as for python -m.")
    ] = False,
    run_dir: Annotated[
        Path | None,
        typer.Option("--run-dir", help="The run folder to make [default: dlcheck-runs/NAME-TIME]."),
    ] = None,
    live: Annotated[bool, typer.Option("--live", help="Tell findings while the script runs, once certain.")] = False,
    stop_on: Annotated[
        StopOn | None, typer.Option("--stop-on", help="End the script, with status 1, at such a finding.")
    ] = None,
    collective_timeout: Annotated[
        float | None,
        typer.Option(
            "--collective-timeout",
            metavar="SECONDS",
            min=1.0,
            help="Under torchrun: end a rank that waits longer for the others [default: just before NCCL would].",
        ),
    ] = None,
    format_: FormatOption = Format.text,
    output: OutputOption = None,
    quiet: QuietOption = False,
    select: SelectOption = None,
    ignore: IgnoreOption = None,
    fail_on: FailOnOption = None,
) -> int:
    """Run a PyTorch script, unmodified, under the monitors, and say what is wrong with its training.

    Options of dlcheck come before SCRIPT; everything after it is the script's own. The diagnosis goes to standard
    error or to --output, and standard output stays the script's.
    """
    from dlcheck.cli.output import refuse_existing
    from dlcheck.monitor.ranks.world import World

    world = World.of()
    if output is not None and world is not None:
        output = world.named(output)
    if output is not None and (world is None or world.leads):
        refuse_existing(output)
    target = _target(script or [], module)
    if not quiet and (world is None or world.leads):
        _say_at_once(target.name)
    from dlcheck.watching.session import Session

    settings = _settings(select, ignore, fail_on.value if fail_on is not None else None)
    session = Session.create(target.name, settings, run_dir, world=world, timeout_s=collective_timeout)
    if (live or stop_on is not None) and session.leads:
        from dlcheck.watching.live import Live

        session.on_step = Live(session, tell=live, stop_on=stop_on.value if stop_on is not None else None)
        session.every_s = 1.0

    def tell() -> int:
        report = session.report()
        _tell(session, report, format_, output, quiet=quiet)
        return ExitCode.FINDINGS if report.failed else ExitCode.OK

    return _run(session, target, tell)


def _say_at_once(name: str) -> None:
    """Say in a terminal that something is under way: scripts are silent while they load PyTorch."""
    import sys

    if sys.stderr.isatty():
        say(f"watching {name}; the diagnosis comes at its end")


def _run(session: "Session", target: "Target", tell: Callable[[], int]) -> int:
    """Run the program, tell the diagnosis where this process is the one to tell it, and return the exit status."""
    from dlcheck.watching.session import watch_program

    def cut_short() -> int:
        session.cut_short()
        return tell()

    if session.ranked is not None and session.leads:
        session.ranked.on_cut = cut_short
    ending = watch_program(session, target)
    found = tell() if session.leads else ExitCode.OK
    if session.ranked is not None:
        session.ranked.restore()
    return ending.status or found


def _target(words: list[str], module: bool) -> "Target":
    from dlcheck.recipe.code import refuse_code
    from dlcheck.watching.target import find_program

    if not words:
        raise DlcheckError("dlcheck watch needs a script: dlcheck watch train.py --its-own options")
    name, *arguments = words
    refuse_code(name)
    return find_program(name, arguments, module=module)


def _settings(select: list[str] | None, ignore: list[str] | None, fail_on: str | None) -> "Settings":
    from dlcheck.diagnosis.settings import Settings, project_settings

    return Settings(listed(select), listed(ignore), fail_on).over(project_settings(Path.cwd()))


def _tell(session: "Session", report: "Report", format_: Format, output: Path | None, *, quiet: bool) -> None:
    """Print the diagnosis to standard error, or write it to a file."""
    from dlcheck.cli.output import put, written

    if output is not None:
        put(written(report, format_), output)
    elif format_ is Format.json:
        typer.echo(written(report, format_), nl=False, err=True)
    elif not quiet or report.verdict == "sick":
        from dlcheck.report.look import console
        from dlcheck.report.plain import folder_line
        from dlcheck.report.text import render_text

        render_text([report], console(stderr=True), ending=[folder_line(session.folder.path)])
