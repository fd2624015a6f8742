"""The command line: one file a command, gathered here. Imports nothing heavy."""

from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any

import typer

from dlcheck.cli import (
    check,
    completion,
    diagnose,
    explain,
    init,
    lr_find,
    profile_gpu,
    report,
    train,
    treat,
    tune,
    watch,
)
from dlcheck.cli.completion import Shell
from dlcheck.cli.examples import epilog
from dlcheck.errors import DlcheckError, one_line

app = typer.Typer(
    name="dlcheck",
    no_args_is_help=True,
    add_completion=False,  # Typer's own options take no name of a shell
    epilog=epilog(""),
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # Rich's panels would take as long to import as all the rest of --help
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        from dlcheck import __version__

        typer.echo(f"dlcheck {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
    install: Annotated[
        Shell | None,
        typer.Option(
            "--install-completion",
            metavar="SHELL",
            callback=completion.install,
            is_eager=True,
            expose_value=False,
            help="Complete commands, options, recipes and rules in bash, zsh or fish [default: this shell].",
        ),
    ] = None,
    show: Annotated[
        Shell | None,
        typer.Option(
            "--show-completion",
            metavar="SHELL",
            callback=completion.show,
            is_eager=True,
            expose_value=False,
            help="Print the script that does, for eval.",
        ),
    ] = None,
) -> None:
    """A doctor for neural-network training in PyTorch.

    Exit status: 0 fine, 1 findings at or above --fail-on, 2 bad input, 3 dlcheck itself failed, 130 interrupted,
    143 ended by SIGTERM, 129 by a closed terminal: what is done so far is kept.
    """


class _Interrupted(BaseException):
    """Carries an interrupt past Typer, which would make an exit status of its own of it, whatever signal it was."""

    def __init__(self, wish: KeyboardInterrupt) -> None:
        super().__init__(wish)
        self.wish = wish


def _add(name: str, command: Callable[..., object], short: str, settings: dict[str, Any] | None = None) -> None:
    @wraps(command)
    def carried(*arguments: Any, **options: Any) -> object:
        try:
            return command(*arguments, **options)
        except KeyboardInterrupt as wish:
            raise _Interrupted(wish) from None

    app.command(name, short_help=short, epilog=epilog(name), context_settings=settings)(carried)


_add("train", train.train, "Train a network from a recipe, and judge the run.")
_add("check", check.check, "Examine data, model, loss and optimizer before training.")
_add("treat", treat.treat, "Try the remedies of what is found; keep what is better.")
_add("tune", tune.tune, "Search for better hyperparameters.")
_add("lr-find", lr_find.lr_find, "Look for the learning rate.")
_add("profile-gpu", profile_gpu.profile_gpu, "Find what keeps the device waiting, and the faster setting.")
_add("watch", watch.watch, "Run a PyTorch script, unmodified, under the monitors.", watch.PASS_ON)
_add("diagnose", diagnose.diagnose, "Read the logs of trainings, and say what is wrong with them.")
_add("report", report.report, "Show runs, or compare several, on a page that opens offline.")
_add("explain", explain.explain, "Print the page of a rule.")
_add("init", init.init, "Write a recipe for your data.")


ONE_PROCESS = ("check", "treat", "tune", "lr-find", "profile-gpu")
"""Commands that start all the processes they need themselves."""


def run(arguments: list[str]) -> int:
    """Run the command line with these arguments and return the exit status.

    Raises:
        DlcheckError: bad input that a command found.
        KeyboardInterrupt: Ctrl-C, or a signal that means the same (``Terminated``).
    """
    completion.prepare()
    arguments = completion.with_shell(arguments)
    if arguments and arguments[0] in ONE_PROCESS:
        _refuse_torchrun(arguments[0])
    try:
        status = app(args=arguments, prog_name="dlcheck", obj=arguments, standalone_mode=False)
    except _Interrupted as carrier:
        raise carrier.wish from None
    except Exception as error:
        # Typer's errors of usage belong to whichever click it carries or imports; all know their own message.
        tell = getattr(error, "format_message", None)
        if tell is None:
            raise
        raise DlcheckError(f"{one_line(Exception(tell()))} (dlcheck --help shows what is valid)") from None
    return int(status or 0)


def _refuse_torchrun(command: str) -> None:
    """Refuse what every process of a launch would do anew, the one in the others' way."""
    from dlcheck.monitor.ranks.world import World

    if (world := World.of()) is not None:
        instead = "; its own --workers train side by side" if command == "tune" else ""
        raise DlcheckError(f"dlcheck {command} runs in one process, not in {world.size}: leave torchrun out{instead}")
