"""The ``dlcheck`` command: run it, and turn every error into a line and an exit status."""

import signal
import sys

from dlcheck.errors import DlcheckError, ExitCode, Terminated, one_line, printable, terminable


def main(arguments: list[str] | None = None) -> None:
    """Run the command line, and exit with its status."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    # What follows a watched script is the script's own, its --debug too.
    debug = "--debug" in (arguments[:2] if arguments[:1] == ["watch"] else arguments)
    if debug:
        arguments.remove("--debug")
    with terminable():
        status = _run(arguments, debug)
    sys.exit(status)


def _run(arguments: list[str], debug: bool) -> int:
    from dlcheck.cli.app import run

    try:
        return run(arguments)
    except DlcheckError as error:
        if debug:
            raise
        print(f"dlcheck: {printable(str(error))}", file=sys.stderr)
        return error.exit_code
    except Terminated as wish:
        print(f"dlcheck: ended by {signal.Signals(wish.number).name}", file=sys.stderr)
        return 128 + wish.number
    except KeyboardInterrupt:
        print("dlcheck: interrupted", file=sys.stderr)
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()  # whoever read our output has gone, which is no fault of theirs or ours
        return ExitCode.OK
    except Exception as error:  # the last resort, so that a person never meets a bare traceback
        if debug:
            raise
        kind = type(error).__name__
        print(f"dlcheck: internal error: {kind}: {printable(one_line(error))} (--debug shows where)", file=sys.stderr)
        return ExitCode.INTERNAL


if __name__ == "__main__":
    main()
