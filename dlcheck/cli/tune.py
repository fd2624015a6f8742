"""``dlcheck tune``: search for better hyperparameters of a recipe."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dlcheck.cli.code import NoCodeOption, tell_code_of
from dlcheck.cli.completion import recipes
from dlcheck.cli.options import DeviceOption, Format, FormatOption, OutputOption, QuietOption, SetOption
from dlcheck.cli.output import put, say
from dlcheck.errors import DlcheckError, ExitCode

if TYPE_CHECKING:
    from dlcheck.tuning.tune import Tuned


class Sampler(StrEnum):
    """How values are drawn."""

    auto = "auto"
    tpe = "tpe"
    gp = "gp"
    cmaes = "cmaes"
    qmc = "qmc"
    random = "random"
    grid = "grid"


class Pruner(StrEnum):
    """How trials that fall behind are ended early."""

    auto = "auto"
    asha = "asha"
    hyperband = "hyperband"
    median = "median"
    none = "none"


def tune(
    recipe: Annotated[
        str | None,
        typer.Argument(autocompletion=recipes, help="A recipe's file, or the name of one that ships with dlcheck."),
    ] = None,
    *,
    status: Annotated[
        str | None, typer.Option("--status", metavar="STUDY", help="Show a study (folder or URL), and exit.")
    ] = None,
    set_: SetOption = None,
    trials: Annotated[int | None, typer.Option("--trials", help="Trials of the whole study [default: 40].")] = None,
    budget: Annotated[str | None, typer.Option("--budget", help='Training in all: "360 epochs", "2h".')] = None,
    timeout: Annotated[float | None, typer.Option("--timeout", help="Seconds after which no trial begins.")] = None,
    metric: Annotated[
        list[str] | None, typer.Option("--metric", help="What to optimise [default: val_loss]; may be repeated.")
    ] = None,
    sampler: Annotated[Sampler | None, typer.Option("--sampler", help="How values are drawn.")] = None,
    pruner: Annotated[Pruner | None, typer.Option("--pruner", help="How hopeless trials are ended early.")] = None,
    subset: Annotated[float | None, typer.Option("--subset", help="Share of the training data for trials.")] = None,
    architecture: Annotated[bool, typer.Option("--architecture", help="Search sizes of layers too.")] = False,
    seed: Annotated[int | None, typer.Option("--seed", help="Of the search; same as --set tune.seed=N.")] = None,
    deterministic: Annotated[
        bool, typer.Option("--deterministic", help="The same trials each time, with several workers too.")
    ] = False,
    workers: Annotated[int, typer.Option("--workers", min=1, help="Processes on this machine.")] = 1,
    study_dir: Annotated[
        Path | None, typer.Option("--study-dir", help="The study's folder [default: dlcheck-studies/NAME].")
    ] = None,
    study_name: Annotated[str | None, typer.Option("--study-name", help="[default: the recipe's name]")] = None,
    storage: Annotated[
        str | None,
        typer.Option("--storage", metavar="URL", help="For many hosts: postgresql://, mysql://, journal:, grpc://."),
    ] = None,
    device: DeviceOption = "auto",
    format_: FormatOption = Format.text,
    output: OutputOption = None,
    quiet: QuietOption = False,
    no_code: NoCodeOption = False,
) -> int:
    """Search for better hyperparameters; trial 0 is the recipe as it is, and the same command again goes on.

    What to search stands in the recipe's [search], how in [tune]; without [search], the rate first.
    """
    from dlcheck.cli.output import refuse_existing

    if output is not None:
        refuse_existing(output)
    if (recipe is None) == (status is None):
        raise DlcheckError("dlcheck tune needs a recipe (dlcheck train --list shows them) or --status STUDY")
    if status is not None:
        return _show_status(status, study_name, format_, output)
    assert recipe is not None
    options: dict[str, object] = {
        "trials": trials,
        "budget": budget,
        "timeout": timeout,
        "metric": (metric if len(metric) > 1 else metric[0]) if metric else None,
        "sampler": sampler.value if sampler is not None else None,
        "pruner": pruner.value if pruner is not None else None,
        "subset": subset,
        "seed": seed,
    }
    overrides = [*(set_ or []), *_as_overrides(options)]
    from dlcheck.recipe import find_recipe, load_recipe

    loaded = load_recipe(recipe, overrides)
    tell_code_of(loaded, no_code=no_code)
    from dlcheck.cli.study_display import StudyDisplay
    from dlcheck.report.look import console

    with StudyDisplay(console(stderr=True, quiet=quiet)) as display:
        from dlcheck.tuning.planning import Request
        from dlcheck.tuning.tune import tune

        request = Request(
            study_dir=study_dir,
            storage=storage,
            study_name=study_name,
            workers=workers,
            device=device,
            architecture=architecture,
            deterministic=deterministic,
            source=find_recipe(recipe).read_text(encoding="utf-8"),
        )
        tuned = tune(loaded, request, display.show, display.tell)
    return _report(tuned, format_, output)


def _as_overrides(options: dict[str, object]) -> list[str]:
    import json

    return [f"tune.{key}={json.dumps(value)}" for key, value in options.items() if value is not None]


def _show_status(status: str, name: str | None, format_: Format, output: Path | None) -> int:
    from dlcheck.tuning.status import status as told
    from dlcheck.tuning.study_json import study_json
    from dlcheck.tuning.trials import read_study

    found = read_study(status, name)
    put(study_json(found) if format_ is Format.json else told(found), output, format_)
    return ExitCode.OK


def _report(tuned: "Tuned", format_: Format, output: Path | None) -> int:
    from dlcheck.tuning.status import status
    from dlcheck.tuning.study_json import study_json

    reason, finished = tuned.enough, tuned.finished
    text = finished.text if finished is not None else status(tuned.view)
    put(study_json(tuned.view, tuned) if format_ is Format.json else text, output, format_)
    if reason is None:
        say(f"dlcheck: interrupted; {tuned.folder} is kept, and the same command goes on")
        return ExitCode.INTERRUPTED if tuned.signal is None else 128 + tuned.signal
    if reason.failed:
        raise DlcheckError(reason.why)
    return ExitCode.FINDINGS if finished is not None and finished.report.failed else ExitCode.OK
