"""``dlcheck train``: train a recipe, or go on with a run."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dlcheck.cli.code import NoCodeOption, tell_code_of, tell_code_of_run
from dlcheck.cli.completion import recipes
from dlcheck.cli.lesson import lesson_of
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
from dlcheck.cli.output import say
from dlcheck.errors import DlcheckError, ExitCode

if TYPE_CHECKING:
    from dlcheck.cli.waiting import Waiting
    from dlcheck.monitor.ranks.world import World
    from dlcheck.recipe import LoadedRecipe
    from dlcheck.training.callbacks import Callback
    from dlcheck.training.session import TrainResult


def train(
    context: typer.Context,
    recipe: Annotated[
        str | None,
        typer.Argument(autocompletion=recipes, help="A recipe's file, or the name of one that ships with dlcheck."),
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
    from dlcheck.monitor.ranks.world import World

    world = World.of()
    if world is None or world.leads:
        _refuse_before_work(output, run_dir)
    if devices > 1:
        return _launch(list(context.obj), devices, world)
    overrides = [*(set_ or []), *([f"train.seed={seed}"] if seed is not None else [])]
    overrides += [f"rules.{key}={value}" for key, value in _judging(select, ignore, fail_on)]
    try:
        loaded = _loaded(recipe, resume, overrides, world, no_code=no_code)
        from dlcheck.cli.waiting import Waiting

        with Waiting(quiet=quiet or (world is not None and not world.leads)) as waiting:
            results = _train(loaded, resume, run_dir, device, waiting)
    except DlcheckError as error:
        if _another_says_it(error, world):
            return error.exit_code
        raise
    if not results:  # one of several processes, of which another reports
        return ExitCode.OK
    from dlcheck.cli.train_report import report

    lesson = lesson_of(loaded, recipe or "", "train", [result.report for result in results])
    return report(results, format_, output, lesson)


def _refuse_before_work(output: Path | None, run_dir: Path | None) -> None:
    from dlcheck.cli.output import refuse_existing
    from dlcheck.runs.folder import refuse_existing_run

    if output is not None:
        refuse_existing(output)
    if run_dir is not None:
        refuse_existing_run(run_dir)


def _another_says_it(error: DlcheckError, world: "World | None") -> bool:
    """Return whether this is one of several processes of a host that all fail alike before they meet."""
    if world is None or world.local == 0:
        return False
    from dlcheck.training.ranks import RankError

    return not isinstance(error, RankError)


def _launch(arguments: list[str], devices: int, world: "World | None") -> int:
    """Start as many processes with the same arguments."""
    from dlcheck.training.launch import launch

    if world is not None:
        raise DlcheckError("--devices starts torchrun itself: leave it out under torchrun")
    place = next(i for i, word in enumerate(arguments) if word.partition("=")[0] == "--devices")
    after = place + (1 if "=" in arguments[place] else 2)
    return launch([*arguments[:place], *arguments[after:]], devices)


def _judging(select: list[str] | None, ignore: list[str] | None, fail_on: FailOn | None) -> list[tuple[str, object]]:
    settings: list[tuple[str, object]] = [("select", select), ("ignore", ignore)]
    if fail_on is not None:
        settings.append(("fail_on", fail_on.value))
    return [(key, value) for key, value in settings if value]


def _loaded(
    recipe: str | None, resume: Path | None, overrides: list[str], world: "World | None", *, no_code: bool
) -> "LoadedRecipe | None":
    """Return the recipe, None for a run to go on with; the leading process tells what code of its own it has."""
    from dlcheck.recipe import load_recipe

    loaded = load_recipe(recipe, overrides) if recipe is not None else None
    if world is not None and not world.leads and not no_code:
        return loaded
    if loaded is not None:
        tell_code_of(loaded, no_code=no_code)
    elif resume is not None:
        tell_code_of_run(resume, no_code=no_code)
    return loaded


def _train(
    loaded: "LoadedRecipe | None", resume: Path | None, run_dir: Path | None, device: str, waiting: "Waiting"
) -> "list[TrainResult]":
    if loaded is not None:
        _announce(loaded, waiting)
    from dlcheck.cli.progress import ProgressDisplay
    from dlcheck.training import folds
    from dlcheck.training.ranks import told

    callbacks: list[Callback] = [] if waiting.console.quiet else [ProgressDisplay(waiting)]
    if loaded is None:
        assert resume is not None
        return folds.resume_all(
            resume, device=device, callbacks=callbacks, tell=lambda line: say(f"dlcheck: {line}"), ranks=told()
        )
    return folds.train_all(
        loaded, device=device, run_path=run_dir, callbacks=callbacks, ranks=told(), tell=waiting.note
    )


def _announce(loaded: "LoadedRecipe", waiting: "Waiting") -> None:
    if loaded.recipe.title:
        waiting.note(f"{loaded.name}: {loaded.recipe.title}")
    for key in loaded.dropped:
        waiting.note(f"note: {key} does not apply any more and is left out")
