"""The ``dlcheck`` command: run it, and turn every error into a line and an exit status."""

import os
import signal
import sys
from types import FrameType

from dlcheck.errors import DlcheckError, ExitCode, Terminated, one_line, printable


def main(arguments: list[str] | None = None) -> None:
    """Run the command line, and exit with its status."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    # What follows a watched script is the script's own, its --debug too.
    debug = "--debug" in (arguments[:2] if arguments[:1] == ["watch"] else arguments)
    if debug:
        arguments.remove("--debug")
    _be_terminable()
    sys.exit(_run(arguments, debug))


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


def _be_terminable() -> None:
    """Let a scheduler's SIGTERM and a closed terminal end a command in good order; what is ignored stays so (nohup)."""
    process = os.getpid()

    def end(number: int, frame: FrameType | None) -> None:
        if os.getpid() != process:  # a child that was forked ends as it would without us
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
            return
        raise Terminated(number)

    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, end)


if __name__ == "__main__":
    main()
