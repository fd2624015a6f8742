"""``dlcheck profile-gpu``: what keeps the device waiting, and the setting that ends it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dlcheck.cli.code import NoCodeOption, refuse_foreign, tell_code
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
    is_script,
    listed,
    refuse_arguments,
)
from dlcheck.cli.output import say
from dlcheck.errors import DlcheckError, ExitCode

if TYPE_CHECKING:
    from dlcheck.profiling.profile import Profiled
    from dlcheck.profiling.settings import Subject
    from dlcheck.recipe import LoadedRecipe

BUDGET_S = 110.0
"""Under two minutes, with the start of the program."""


def profile_gpu(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="RECIPE | -- SCRIPT [ARGS…]",
            autocompletion=recipes,
            help="A recipe's file or name, package.module:factory, or after -- a script and its own arguments.",
        ),
    ],
    *,
    module: Annotated[
        bool, typer.Option("-m", "--module", help="SCRIPT is the name of a module, as for python -m.")
    ] = False,
    set_: SetOption = None,
    budget: Annotated[
        float, typer.Option("--budget", min=10, help="Seconds for all of it; a verdict needs some 30.")
    ] = BUDGET_S,
    sweep: Annotated[
        bool, typer.Option("--sweep/--no-sweep", help="Measure other settings too, or only find the cause.")
    ] = True,
    write: Annotated[
        bool,
        typer.Option("--write", help="Put the best setting into the recipe's file; comments and layout stay."),
    ] = False,
    trace: Annotated[
        Path | None, typer.Option("--trace", help="Write the steps into this new file, for ui.perfetto.dev.")
    ] = None,
    run_dir: Annotated[
        Path | None, typer.Option("--run-dir", help="The run folder to make [default: dlcheck-runs/NAME-TIME].")
    ] = None,
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
    """Find where each training step's time goes, what it is bound by, and the setting that is faster.

    Runs the training itself for some steps, in processes of its own, and changes none of your files unless --write
    is given. Options of dlcheck come before --, all after it is the script's.
    """
    _refuse(output, trace, run_dir)
    loaded = _tell_code(words, set_ or [], module=module, no_code=no_code)
    subject = _subject(words, module, set_ or [], device=device, seed=seed)
    expected = _text(subject) if write else ""
    from dlcheck.cli.waiting import Waiting

    with Waiting(quiet=quiet, each=True) as waiting:
        from dlcheck.diagnosis import Settings
        from dlcheck.profiling.profile import profile

        settings = Settings(listed(select), listed(ignore), fail_on.value if fail_on is not None else None)
        done = profile(subject, settings, budget_s=budget, sweeping=sweep, run_path=run_dir, listener=waiting.say)
    _leave(done, trace)
    _tell(done, format_, output, lesson_of(loaded, subject.name, "profile-gpu", [done.report]))
    if write:
        _write(done, expected)
    return ExitCode.FINDINGS if done.report.failed else ExitCode.OK


def _text(subject: "Subject") -> str:
    """Return what the recipe's file holds now; refuses one that could not be written afterwards."""
    from dlcheck.profiling.write import refuse_unwritable
    from dlcheck.recipe.write import readable_text, writable

    refuse_unwritable(subject)
    return readable_text(writable(subject.name))


def _refuse(output: Path | None, trace: Path | None, run_dir: Path | None) -> None:
    """Refuse what cannot be written before any work is done for it."""
    from dlcheck.cli.output import refuse_existing
    from dlcheck.runs.folder import refuse_existing_run

    if output is not None:
        refuse_existing(output)
    if trace is not None and trace.exists():
        raise DlcheckError(f"--trace {trace}: exists already; nothing is ever overwritten")
    if trace is not None and not trace.parent.is_dir():
        raise DlcheckError(f"--trace {trace}: there is no folder {trace.parent}")
    if run_dir is not None:
        refuse_existing_run(run_dir)


def _tell_code(words: list[str], overrides: list[str], *, module: bool, no_code: bool) -> "LoadedRecipe | None":
    if module or is_script(words[0]):
        refuse_foreign(words[0], no_code=no_code)
        return None
    return tell_code(words[0], overrides, no_code=no_code)


def _subject(words: list[str], module: bool, set_: list[str], *, device: str, seed: int | None) -> "Subject":
    from dlcheck.profiling.settings import Subject

    name, *arguments = words
    if module or is_script(name):
        if set_ or seed is not None:
            raise DlcheckError(f"--set and --seed are for recipes; {name} is a script, whose own options come after it")
        return Subject("module" if module else "script", name, tuple(arguments), device=device)
    refuse_arguments(arguments)
    from dlcheck.recipe.code import is_factory

    if is_factory(name):
        if set_:
            raise DlcheckError(f"--set changes keys of a recipe; {name} is a factory")
        return Subject("factory", name, device=device, seed=seed)
    return Subject("recipe", name, overrides=tuple(set_), device=device, seed=seed)


def _leave(done: "Profiled", trace: Path | None) -> None:
    if trace is not None:
        from dlcheck.profiling.trace import write_trace

        write_trace(trace, done.rows, done.found, title=done.subject.name)
        say(f"wrote {trace}: open it at ui.perfetto.dev")


def _tell(done: "Profiled", format_: Format, output: Path | None, lesson: list[str]) -> None:
    from dlcheck.cli.output import put_rendered
    from dlcheck.report.plain import folder_line
    from dlcheck.report.profile import render_profile
    from dlcheck.report.profile_json import profile_json

    ending = [folder_line(done.folder), *lesson] if output is None else []
    put_rendered(
        lambda console: render_profile(done.report, console, ending=ending),
        lambda: profile_json(done.report),
        format_,
        output,
    )


def _write(done: "Profiled", expected: str) -> None:
    from dlcheck.profiling.write import patches, write

    values = patches(*done.settings)
    if not values:
        say(f"{done.subject.name} stays as it is: nothing was faster for sure")
        return
    path = write(done.subject, values, expected=expected)
    told = ", ".join(f"{key} = {value}" for key, value in values.items())
    say(f"wrote {told} into {path}")
