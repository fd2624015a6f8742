"""``dlcheck lr-find``: which learning rate to train with, and how sure that is."""

import contextlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dlcheck.cli.code import NoCodeOption, tell_code
from dlcheck.cli.completion import recipes
from dlcheck.cli.options import (
    DeviceOption,
    Format,
    FormatOption,
    OutputOption,
    QuietOption,
    SeedOption,
    SetOption,
)
from dlcheck.cli.output import put, say
from dlcheck.errors import DlcheckError, ExitCode

if TYPE_CHECKING:
    from dlcheck.tuning.rate.found import FoundRate

SCHEMA = "dlcheck.rate/1"
"""Of the JSON report; a change of meaning raises the number."""


def lr_find(
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
    steps: Annotated[
        int, typer.Option("--steps", help="Training steps to spend; thrice as many before it says never.")
    ] = 300,
    batch_sizes: Annotated[
        str | None,
        typer.Option(
            "--batch-sizes", metavar="N,N,…", help="Look at several batch sizes, and fit how the rate scales."
        ),
    ] = None,
    write: Annotated[
        bool, typer.Option("--write", help="Put the rate into the recipe's file; comments and layout stay.")
    ] = False,
    png: Annotated[Path | None, typer.Option("--png", help="Draw the curve into this new PNG file.")] = None,
    csv: Annotated[Path | None, typer.Option("--csv", help="Write the curve into this new CSV file.")] = None,
    device: DeviceOption = "auto",
    seed: SeedOption = None,
    format_: FormatOption = Format.text,
    output: OutputOption = None,
    quiet: QuietOption = False,
    no_code: NoCodeOption = False,
) -> int:
    """Look for the learning rate: a range test, then short runs under the recipe's own schedule; nothing is trained.

    Exit status 1: no rate to be sure of, as when the loss never falls.
    """
    _refuse_files({"--png": png, "--csv": csv, "--output": output})
    tell_code(subject, set_ or [], no_code=no_code)
    asked = Asked(subject, set_ or [], seed=seed, device=device, steps=steps, quiet=quiet)
    if batch_sizes is not None:
        if write or png is not None or csv is not None:
            raise DlcheckError("--batch-sizes finds several rates: it takes no --write, --png or --csv")
        text, known = _scaling(asked, _sizes(batch_sizes), format_)
        put(text, output, format_)
        return ExitCode.OK if known else ExitCode.FINDINGS
    target = _target(asked) if write else None
    found = _find(asked)
    _leave(found, png, csv)
    put(_told(asked, found, format_, narrow=output is not None), output, format_)
    if target is not None and found.suggestion is not None:
        _write(target, found.suggestion)
    return ExitCode.OK if found.suggestion is not None else ExitCode.FINDINGS


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked for."""

    subject: str
    overrides: list[str]
    seed: int | None
    device: str
    steps: int
    quiet: bool


def _find(asked: Asked) -> "FoundRate":
    with _progress(asked) as listener:
        from dlcheck.tuning.rate.api import lr_find as find

        return find(
            asked.subject,
            overrides=asked.overrides,
            seed=asked.seed,
            device=asked.device,
            steps=asked.steps,
            listener=listener,
        )


def _scaling(asked: Asked, sizes: list[int], format_: Format) -> tuple[str, bool]:
    changes = [*asked.overrides, *([] if asked.seed is None else [f"train.seed={asked.seed}"])]
    with _progress(asked) as listener:
        from dlcheck.tuning.rate.scaling import find_scaling, render_scaling

        scaling = find_scaling(
            asked.subject, sizes, overrides=changes, device=asked.device, steps=asked.steps, listener=listener
        )
    known = scaling.exponent is not None
    if format_ is Format.json:
        from dlcheck.runs.strict_json import dumps

        return dumps({"schema": SCHEMA, "scaling": scaling.as_dict()}, indent=2) + "\n", known
    found = [one for one in scaling.found if one.suggestion is not None]
    if not found:
        return f"{render_scaling(scaling)}next: dlcheck check {asked.subject}\n", known
    best = found[-1]
    sets = f"--set train.batch_size={best.batch_size} --set optimizer.lr={best.suggestion:.2g}"
    return f"{render_scaling(scaling)}next: dlcheck train {asked.subject} {sets}\n", known


@contextlib.contextmanager
def _progress(asked: Asked) -> Iterator[Callable[[str], None]]:
    """Show what is under way on stderr, where the user's own code may print as well."""
    from dlcheck.cli.waiting import Waiting

    with contextlib.redirect_stdout(sys.stderr), Waiting(quiet=asked.quiet) as waiting:
        yield waiting.say


def _sizes(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise DlcheckError(f"--batch-sizes {text}: expected numbers with commas between, as 16,32,64") from None


def _refuse_files(files: dict[str, Path | None]) -> None:
    """Refuse what cannot be written before any work is done for it."""
    given = [(option, path) for option, path in files.items() if path is not None]
    for place, (option, path) in enumerate(given):
        if path.exists():
            raise DlcheckError(f"{option} {path}: exists already; nothing is ever overwritten")
        if not path.parent.is_dir():
            raise DlcheckError(f"{option} {path}: there is no folder {path.parent}")
        if any(path.absolute() == other.absolute() for _, other in given[:place]):
            raise DlcheckError(f"{option} {path}: another option writes this file as well")


def _target(asked: Asked) -> tuple[Path, str]:
    """Return the recipe's file and its text, once it is sure that a rate can be put into it."""
    from dlcheck.recipe.write import readable_text, writable
    from dlcheck.tuning.rate.write import INSTEAD, with_rate

    if asked.overrides:
        raise DlcheckError("--write puts a rate into the recipe as its file has it: it takes no --set")
    path = writable(asked.subject, instead=INSTEAD)
    text = readable_text(path)
    with_rate(text, 0.1)
    return path, text


def _write(target: tuple[Path, str], rate: float) -> None:
    from dlcheck.tuning.rate.write import write_rate

    path, text = target
    write_rate(path, rate, expected=text)
    say(f"wrote optimizer.lr = {rate:.2g} into {path}")


def _leave(found: "FoundRate", png: Path | None, csv: Path | None) -> None:
    from dlcheck.runs import write_atomic

    if png is not None:
        from dlcheck.tuning.rate.picture import draw_png

        write_atomic(png, draw_png(found))
        say(f"wrote {png}")
    if csv is not None:
        from dlcheck.tuning.rate.table import to_csv

        write_atomic(csv, to_csv(found))
        say(f"wrote {csv}")


def _told(asked: Asked, found: "FoundRate", format_: Format, *, narrow: bool) -> str:
    if format_ is Format.json:
        from dlcheck.runs.strict_json import dumps

        return dumps({"schema": SCHEMA, **found.as_dict()}, indent=2) + "\n"
    from dlcheck.tuning.rate.text import render

    if narrow:
        return render(found, subject=asked.subject)
    from dlcheck.report.lines import ascii_only
    from dlcheck.report.look import console, width_of

    screen = console()
    return render(found, subject=asked.subject, width=width_of(screen) - 2, ascii=ascii_only(screen))
