"""The command line: one file a command, gathered here. Imports nothing heavy."""

from typing import Annotated

import typer

from dlcheck.cli import check, diagnose, explain, init, lr_find, profile_gpu, report, train, treat, tune, watch
from dlcheck.errors import DlcheckError, one_line

app = typer.Typer(
    name="dlcheck",
    help="A doctor for neural-network training in PyTorch.",
    no_args_is_help=True,
    add_completion=False,
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
) -> None:
    """A doctor for neural-network training in PyTorch.

    Exit status: 0 fine, 1 findings at or above --fail-on, 2 bad input, 3 dlcheck itself failed, 130 interrupted,
    143 ended by SIGTERM, 129 by a closed terminal (of train and watch; tune and treat say 130 for both): what is
    done so far is kept.
    """


app.command("train")(train.train)
app.command("check")(check.check)
app.command("treat")(treat.treat)
app.command("tune")(tune.tune)
app.command("lr-find")(lr_find.lr_find)
app.command("profile-gpu")(profile_gpu.profile_gpu)
app.command("watch", context_settings=watch.PASS_ON)(watch.watch)
app.command("diagnose")(diagnose.diagnose)
app.command("report")(report.report)
app.command("explain")(explain.explain)
app.command("init")(init.init)


ONE_PROCESS = ("check", "treat", "tune", "lr-find", "profile-gpu")
"""Commands that start all the processes they need themselves."""


def run(arguments: list[str]) -> int:
    """Run the command line with these arguments and return the exit status.

    Raises:
        DlcheckError: bad input that a command found.
    """
    if arguments and arguments[0] in ONE_PROCESS:
        _refuse_torchrun(arguments[0])
    try:
        status = app(args=arguments, prog_name="dlcheck", obj=arguments, standalone_mode=False)
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
