"""What can go wrong, and the exit status that says so. The ground floor: imports nothing of dlcheck."""

import os
import signal
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from enum import IntEnum
from types import FrameType


class ExitCode(IntEnum):
    """Exit status of every command."""

    OK = 0  # nothing at or above --fail-on
    FINDINGS = 1  # findings at or above --fail-on
    USAGE = 2  # usage or bad input: one clear line, nothing overwritten
    INTERNAL = 3  # dlcheck itself failed
    HANGUP = 129  # the terminal was closed (SIGHUP), everything so far kept
    INTERRUPTED = 130  # Ctrl-C, everything so far kept
    TERMINATED = 143  # ended politely (SIGTERM), as schedulers do, everything so far kept


class DlcheckError(Exception):
    """Bad input of any kind: one line that names what is at fault and what would be valid.

    Takes the whole message as its only argument, so that it survives the pickling between
    a data-loading worker and the main process.
    """

    exit_code: ExitCode = ExitCode.USAGE

    def __str__(self) -> str:
        """Return the message on one line, whatever a name or value that it quotes has in it."""
        return " ".join(super().__str__().splitlines())


class Terminated(KeyboardInterrupt):
    """A signal that ends a command as Ctrl-C does, with an exit status of its own."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@contextmanager
def terminable() -> Iterator[None]:
    """Let a scheduler's SIGTERM and a closed terminal (SIGHUP) raise ``Terminated`` within the block.

    What is ignored stays ignored (nohup), and what somebody else listens to stays theirs. Outside of the main thread,
    which alone may listen, nothing changes. A child that is forked meanwhile ends as it would without us.
    """
    process, before = os.getpid(), {}

    def end(number: int, frame: FrameType | None) -> None:
        if os.getpid() != process:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
            return
        raise Terminated(number)

    if threading.current_thread() is threading.main_thread():
        for name in ("SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) is signal.SIG_DFL:
                before[number] = signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in before.items():
            if signal.getsignal(number) is end:
                signal.signal(number, handler)


def ended_by(wish: BaseException) -> int:
    """Return the number of the signal that an interrupt stands for: Ctrl-C where it does not say."""
    return int(getattr(wish, "number", signal.SIGINT))


def printable(text: str) -> str:
    """Return text with every control character, terminal escapes included, replaced by its code.

    Line breaks become spaces, and what a GitHub workflow would take for a command of ours is spelled out too. Names
    of layers, files and metrics come from the user's side.
    """
    if not text.isprintable():
        text = "".join(char if char.isprintable() else _spelled(char) for char in text)
    if "::" in text or "##[" in text:
        import re

        text = re.sub(
            r"(^|\s)::(?=[\w-])|##\[", lambda sign: sign[0].replace("::", "\\x3a:").replace("[", "\\x5b"), text
        )
    return text


def _spelled(char: str) -> str:
    return " " if char.isspace() else f"\\x{ord(char):02x}"


def one_line(error: BaseException, limit: int = 300) -> str:
    """Return an exception's message on one line of at most ``limit`` characters, never empty."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= limit else text[: limit - 1] + "…"


def nearest(word: str, valid: Iterable[str], label: str = "valid") -> str:
    """Return a hint that names the nearest valid word, or all of them when none is near."""
    import difflib  # a tenth of the start of the command line, for messages that are seldom needed

    names = sorted(set(valid))
    close = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    if close:
        return f"did you mean '{close[0]}'?"
    return f"{label}: {', '.join(names)}" if names else "nothing is valid here"
