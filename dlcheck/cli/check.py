"""``dlcheck check``: the exam before training."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dlcheck.cli.code import NoCodeOption, tell_code
from dlcheck.cli.lesson import tell_lesson
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
    from rich.console import Console

    from dlcheck.cli.output import refuse_existing

    if output is not None:
        refuse_existing(output)
    tell_code(subject, set_ or [], no_code=no_code)
    with Console(stderr=True, quiet=quiet).status("loading PyTorch and the data") as status:
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
            listener=lambda name, done, count: status.update(f"exam {done + 1} of {count}: {name}"),
        )
    _tell(report, format_, output)
    from dlcheck.recipe.code import is_factory

    if not is_factory(subject):
        tell_lesson(subject, set_ or [], "check", [report], format_, output)
    return ExitCode.FINDINGS if report.failed else ExitCode.OK


def _tell(report: "Report", format_: Format, output: Path | None) -> None:
    if output is None and format_ is Format.text:
        from rich.console import Console

        from dlcheck.report.text import render_text

        render_text([report], Console())
        return
    from dlcheck.cli.output import put, written

    put(written(report, format_), output)
