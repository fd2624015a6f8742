"""``dlcheck train``: train a recipe, or go on with a run."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dlcheck.cli.code import NoCodeOption, tell_code_of, tell_code_of_run
from dlcheck.cli.lesson import tell_lesson
from dlcheck.cli.options import (
    DeviceOption,
    FailOn,
    FailOnOption,
    Format,
    FormatOption,
    IgnoreOption,
    OutputOption,
    QuietOption,
    SeedOption,
    SelectOption,
    SetOption,
)
from dlcheck.errors import DlcheckError, ExitCode, printable

if TYPE_CHECKING:
    from rich.console import Console

    from dlcheck.recipe import LoadedRecipe
    from dlcheck.training.callbacks import Callback
    from dlcheck.training.session import TrainResult


def train(
    context: typer.Context,
    recipe: Annotated[
        str | None, typer.Argument(help="A recipe's file, or the name of one that ships with dlcheck.")
    ] = None,
    *,
    list_: Annotated[bool, typer.Option("--list", help="List the recipes that ship, and exit.")] = False,
    set_: SetOption = None,
    resume: Annotated[Path | None, typer.Option("--resume", metavar="RUN", help="Go on with this run folder.")] = None,
    run_dir: Annotated[
        Path | None,
        typer.Option("--run-dir", help="The run folder to make [default: dlcheck-runs/NAME-TIME]."),
    ] = None,
    device: DeviceOption = "auto",
    devices: Annotated[
        int, typer.Option("--devices", min=1, help="Train in this many processes of this machine, one a GPU.")
    ] = 1,
    seed: SeedOption = None,
    format_: FormatOption = Format.text,
    output: OutputOption = None,
    quiet: QuietOption = False,
    no_code: NoCodeOption = False,
    select: SelectOption = None,
    ignore: IgnoreOption = None,
    fail_on: FailOnOption = None,
) -> int:
    """Train a network from a recipe, with live progress, and judge the run at its end."""
    if list_:
        from dlcheck.cli.listing import list_recipes

        list_recipes(format_)
        return 0
    if (recipe is None) == (resume is None):
        raise DlcheckError("dlcheck train needs a recipe (dlcheck train --list shows them) or --resume RUN")
    if resume is not None and (set_ or run_dir or seed is not None):
        raise DlcheckError("--resume goes on with a run as it was: it takes no --set, --seed or --run-dir")
    _refuse_before_work(output, run_dir)
    if devices > 1:
        return _launch(list(context.obj), devices)
    overrides = [*(set_ or []), *([f"train.seed={seed}"] if seed is not None else [])]
    overrides += [f"rules.{key}={value}" for key, value in _judging(select, ignore, fail_on)]
    try:
        results = _train(recipe, resume, overrides, run_dir, device, quiet, no_code=no_code)
    except DlcheckError as error:
        if _another_says_it(error):
            return error.exit_code
        raise
    if not results:  # one of several processes, of which another reports
        return ExitCode.OK
    from dlcheck.cli.train_report import report

    status = report(results, format_, output)
    if recipe is not None:
        tell_lesson(recipe, overrides, "train", [result.report for result in results], format_, output)
    return status


def _refuse_before_work(output: Path | None, run_dir: Path | None) -> None:
    from dlcheck.cli.output import refuse_existing
    from dlcheck.monitor.ranks.world import World
    from dlcheck.runs.folder import refuse_existing_run

    world = World.of()
    if world is not None and world.rank:
        return  # the leading process makes both
    if output is not None:
        refuse_existing(output)
    if run_dir is not None:
        refuse_existing_run(run_dir)


def _another_says_it(error: DlcheckError) -> bool:
    """Return whether this is one of several processes of a host that all fail alike before they meet."""
    import os

    from dlcheck.monitor.ranks.world import World

    if World.of() is None or os.environ.get("LOCAL_RANK", "0") == "0":
        return False
    from dlcheck.training.ranks import RankError

    return not isinstance(error, RankError)


def _launch(arguments: list[str], devices: int) -> int:
    """Start as many processes with the same arguments."""
    from dlcheck.monitor.ranks.world import World
    from dlcheck.training.launch import launch

    if World.of() is not None:
        raise DlcheckError("--devices starts torchrun itself: leave it out under torchrun")
    place = next(i for i, word in enumerate(arguments) if word.partition("=")[0] == "--devices")
    after = place + (1 if "=" in arguments[place] else 2)
    return launch([*arguments[:place], *arguments[after:]], devices)


def _judging(select: list[str] | None, ignore: list[str] | None, fail_on: FailOn | None) -> list[tuple[str, object]]:
    settings: list[tuple[str, object]] = [("select", select), ("ignore", ignore)]
    if fail_on is not None:
        settings.append(("fail_on", fail_on.value))
    return [(key, value) for key, value in settings if value]


def _train(
    recipe: str | None,
    resume: Path | None,
    overrides: list[str],
    run_dir: Path | None,
    device: str,
    quiet: bool,
    *,
    no_code: bool,
) -> "list[TrainResult]":
    from rich.console import Console

    from dlcheck.monitor.ranks.world import World
    from dlcheck.recipe import load_recipe

    world = World.of()
    follows = world is not None and world.rank > 0
    quiet = quiet or follows
    progress = Console(stderr=True, quiet=quiet)
    loaded = load_recipe(recipe, overrides) if recipe is not None else None
    if follows and not no_code:
        pass  # the leading process tells
    elif loaded is not None:
        tell_code_of(loaded, no_code=no_code)
    elif resume is not None:
        tell_code_of_run(resume, no_code=no_code)
    with progress.status("loading PyTorch and the data"):
        from dlcheck.cli.progress import ProgressDisplay
        from dlcheck.training import folds
        from dlcheck.training.ranks import told

    callbacks: list[Callback] = [] if quiet else [ProgressDisplay(progress)]
    if loaded is None:
        assert resume is not None
        return folds.resume_all(resume, device=device, callbacks=callbacks, tell=_tell, ranks=told())
    _announce(loaded, progress)
    return folds.train_all(
        loaded,
        device=device,
        run_path=run_dir,
        callbacks=callbacks,
        ranks=told(),
        tell=lambda line: _note(line, progress),
    )


def _tell(line: str) -> None:
    typer.echo(f"dlcheck: {printable(line)}", err=True)


def _note(line: str, progress: "Console") -> None:
    progress.print(printable(line), highlight=False, markup=False, soft_wrap=True)


def _announce(loaded: "LoadedRecipe", progress: "Console") -> None:
    if loaded.recipe.title:
        progress.print(printable(f"{loaded.name}: {loaded.recipe.title}"), highlight=False, markup=False)
    for key in loaded.dropped:
        progress.print(printable(f"note: {key} does not apply any more and is left out"), highlight=False, markup=False)
