"""``dlcheck check``: the exam before training."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dlcheck.cli.code import NoCodeOption, tell_code
from dlcheck.cli.completion import recipes
from dlcheck.cli.lesson import lesson_of
from dlcheck.cli.options import (
    DeviceOption,
    FailOnOption,
    Format,
    FormatOption,
    IgnoreOption,
    OutputOption,
    QuietOption,
    SeedOption,
    SelectOption,
    SetOption,
    listed,
)
from dlcheck.errors import ExitCode

if TYPE_CHECKING:
    from dlcheck.report.report import Report


def check(
    subject: Annotated[
        str,
        typer.Argument(
            metavar="RECIPE",
            autocompletion=recipes,
            help="A recipe's file or name, or package.module:factory, which returns model, loss, train and optimizer.",
        ),
    ],
    *,
    set_: SetOption = None,
    run_dir: Annotated[
        Path | None, typer.Option("--run-dir", help="Leave a run folder that dlcheck diagnose reads.")
    ] = None,
    limit: Annotated[float, typer.Option("--limit", min=1, help="Seconds that the exams may take together.")] = 30.0,
    device: DeviceOption = "auto",
    seed: SeedOption = None,
    format_: FormatOption = Format.text,
    output: OutputOption = None,
    quiet: QuietOption = False,
    no_code: NoCodeOption = False,
    select: SelectOption = None,
    ignore: IgnoreOption = None,
    fail_on: FailOnOption = None,
) -> int:
    """Examine data, model, loss and optimizer before training, in seconds; nothing is trained or written."""
    from dlcheck.cli.output import refuse_existing
    from dlcheck.cli.waiting import Waiting

    if output is not None:
        refuse_existing(output)
    loaded = tell_code(subject, set_ or [], no_code=no_code)
    with Waiting(quiet=quiet) as waiting:
        from dlcheck.checks.check import check as examine
        from dlcheck.diagnosis import Settings

        settings = Settings(listed(select), listed(ignore), fail_on.value if fail_on is not None else None)
        report = examine(
            subject,
            overrides=set_ or [],
            seed=seed,
            device=device,
            settings=settings,
            run_path=run_dir,
            limit_s=limit,
            listener=lambda name, done, count: waiting.say(f"exam {done + 1} of {count}: {name}"),
        )
    _tell(report, format_, output, lesson_of(loaded, subject, "check", [report]))
    return ExitCode.FINDINGS if report.failed else ExitCode.OK


def _tell(report: "Report", format_: Format, output: Path | None, lesson: list[str]) -> None:
    if output is None and format_ is Format.text:
        from dlcheck.report.look import console
        from dlcheck.report.text import render_text

        render_text([report], console(), ending=lesson)
        return
    from dlcheck.cli.output import put, written

    put(written(report, format_), output)
