"""``dlcheck treat``: prescribe, apply, train again, and keep what is measurably better."""

import contextlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dlcheck.cli.code import NoCodeOption, refuse_foreign, tell_code, tell_code_of_run
from dlcheck.cli.completion import recipes
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
from dlcheck.errors import DlcheckError, ExitCode

if TYPE_CHECKING:
    from rich.console import Console

    from dlcheck.diagnosis import Settings
    from dlcheck.report.treated import Treated


def treat(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="RECIPE | -- SCRIPT [ARGS…]",
            autocompletion=recipes,
            help="A recipe's file or name, or after -- a script and its own arguments.",
        ),
    ] = None,
    *,
    run: Annotated[
        Path | None,
        typer.Option("--run", metavar="RUN", help="Take the diagnosis of this run folder instead of training first."),
    ] = None,
    module: Annotated[
        bool, typer.Option("-m", "--module", help="SCRIPT is the name of a module, as for python -m.")
    ] = False,
    set_: SetOption = None,
    budget: Annotated[
        str | None,
        typer.Option("--budget", help='Most to spend: "12 trainings", "400 epochs", "30min" [default: 20 trainings].'),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Diagnose and print the plan; nothing is treated.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing.")] = False,
    apply: Annotated[
        bool, typer.Option("--apply", help="Of a script: edit a copy where the fault is exact, and run that.")
    ] = False,
    run_dir: Annotated[
        Path | None,
        typer.Option("--run-dir", help="The treatment's folder, new or to go on with [default: dlcheck-runs/NAME-…]."),
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
    """Diagnose a recipe, try the remedies of what was found, and keep what is measurably better over several seeds.

    The cured recipe, its diff and the proof lie in the treatment's folder; the original is never touched. Of a script,
    the prescription is printed with the edit it suggests.
    """
    from dlcheck.cli.output import refuse_existing

    if output is not None:
        refuse_existing(output)
    from dlcheck.diagnosis.settings import Settings

    settings = Settings(listed(select), listed(ignore), fail_on.value if fail_on is not None else None)
    asked = Asked(
        words or [], run, tuple(set_ or ()), budget, run_dir, device=device, seed=seed, settings=settings, quiet=quiet
    )
    if asked.words and (module or is_script(asked.words[0])):
        refuse_foreign(asked.words[0], no_code=no_code)
        _refuse_for_scripts(asked, dry_run=dry_run)
        return _script(asked, format_, output, module=module, apply=apply)
    _refuse_for_recipes(asked, apply=apply)
    if asked.run is not None:
        tell_code_of_run(asked.run, no_code=no_code)
    else:
        tell_code(asked.words[0], asked.overrides, no_code=no_code)
    return _recipe(asked, format_, output, dry_run=dry_run, yes=yes)


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked for."""

    words: list[str]
    run: Path | None
    overrides: tuple[str, ...]
    budget: str | None
    folder: Path | None
    device: str
    seed: int | None
    settings: "Settings"
    quiet: bool


def _refuse_for_scripts(asked: Asked, *, dry_run: bool) -> None:
    given = {
        "--set": bool(asked.overrides),
        "--seed": asked.seed is not None,
        "--run": asked.run is not None,
        "--budget": asked.budget is not None,
        "--dry-run": dry_run,
        "--device": asked.device != "auto",
    }
    for option, there in given.items():
        if there:
            raise DlcheckError(
                f"{option} is for recipes; {asked.words[0]} is a script, whose own options come after it"
            )


def _refuse_for_recipes(asked: Asked, *, apply: bool) -> None:
    if apply:
        raise DlcheckError("--apply edits a copy of a script; of a recipe the cured one is written anyway")
    if asked.run is not None and (asked.words or asked.overrides or asked.seed is not None):
        raise DlcheckError("--run takes the recipe from the run folder: it goes with no RECIPE, --set or --seed")
    if asked.run is None and not asked.words:
        raise DlcheckError("dlcheck treat needs a recipe (dlcheck train --list shows them), --run RUN, or -- train.py")
    refuse_arguments(asked.words[1:])
    from dlcheck.recipe.code import is_factory

    if asked.words and is_factory(asked.words[0]):
        raise DlcheckError(f"{asked.words[0]}: a factory has no recipe to patch; dlcheck check examines it")


def _recipe(asked: Asked, format_: Format, output: Path | None, *, dry_run: bool, yes: bool) -> int:
    with _progress(asked.quiet) as (listener, confirm):
        from dlcheck.treatment.treat import parse_budget, treat

        done = treat(
            str(asked.run) if asked.run is not None else asked.words[0],
            run=asked.run,
            overrides=asked.overrides,
            seed=asked.seed,
            device=asked.device,
            budget=None if asked.budget is None else parse_budget(asked.budget),
            folder=asked.folder,
            settings=asked.settings,
            listener=listener,
            confirm=None if yes else confirm,
            dry_run=dry_run,
        )
    _tell(done, format_, output)
    return _status(done)


def _script(asked: Asked, format_: Format, output: Path | None, *, module: bool, apply: bool) -> int:
    from dlcheck.cli.output import put_rendered, say
    from dlcheck.report.treated_script_json import script_json
    from dlcheck.report.treated_script_text import render_script
    from dlcheck.treatment.script.treat_script import treat_script

    def told(words: str) -> None:
        if not asked.quiet:
            say(words)

    name, *arguments = asked.words
    done = treat_script(
        name,
        arguments,
        module=module,
        apply=apply,
        folder=asked.folder,
        settings=asked.settings,
        listener=told,
    )
    # The script's standard output stays its own: the report goes to standard error, as that of watch does.
    if output is not None:
        put_rendered(lambda console: render_script(done, console), lambda: script_json(done), format_, output)
    elif format_ is Format.json:
        typer.echo(script_json(done), nl=False, err=True)
    else:
        from dlcheck.report.look import console

        render_script(done, console(stderr=True))
    if done.status:
        return done.status
    return ExitCode.FINDINGS if (done.after or done.before).failed else ExitCode.OK


def _status(done: "Treated") -> int:
    from dlcheck.report.treated import Ending

    if done.ending is Ending.INTERRUPTED:
        return ExitCode.INTERRUPTED if done.signal is None else 128 + done.signal
    return ExitCode.FINDINGS if (done.after or done.before).failed else ExitCode.OK


@contextlib.contextmanager
def _progress(quiet: bool) -> Iterator[tuple[Callable[[str], None], Callable[["Treated"], bool] | None]]:
    """Show what is under way on stderr; in a terminal, ask before the first remedy is trained."""
    from dlcheck.cli.waiting import Waiting

    asks = sys.stdin.isatty() and sys.stderr.isatty() and not quiet
    with contextlib.redirect_stdout(sys.stderr), Waiting(quiet=quiet, each=True) as waiting:

        def agreed(plan: "Treated") -> bool:
            waiting.stop()
            answer = _asked(plan, waiting.console)
            if answer:
                waiting.start("training")
            return answer

        yield waiting.say, agreed if asks else None


def _asked(plan: "Treated", console: "Console") -> bool:
    from dlcheck.report.treatment import render_treatment

    render_treatment(plan, console)
    return typer.confirm("Train these?", default=True, err=True)


def _tell(done: "Treated", format_: Format, output: Path | None) -> None:
    from dlcheck.cli.output import put_rendered
    from dlcheck.report.treatment import render_treatment
    from dlcheck.report.treatment_json import treatment_json

    put_rendered(lambda console: render_treatment(done, console), lambda: treatment_json(done), format_, output)
