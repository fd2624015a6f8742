"""Commands in processes of their own that are killed at random moments.

Each process is forked from one that has loaded everything, so that a hundred kills take minutes: loading libraries has
nothing to lose. What is killed has run nothing of a command before.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

SLOWEST_S = 300.0
MARK = "DLCHECK_KILLED"
"""Variable by which the processes of a command are known, whatever group or session they are in."""

Whom = Literal["first", "all", "one"]


def start(arguments: list[str], place: Path) -> int:
    """Start a command in a folder; its output goes to ``output.txt`` there. Returns the process."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of threads: none of them holds a lock that a command needs
        process = os.fork()
    if process:
        return process
    try:
        os.setsid()
        os.chdir(place)
        os.environ[MARK] = str(os.getpid())
        file = os.open("output.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        for stream in (1, 2):
            os.dup2(file, stream)
        sys.stdout = os.fdopen(1, "w", closefd=False)
        sys.stderr = os.fdopen(2, "w", closefd=False)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL if number != signal.SIGINT else signal.default_int_handler)
        from dlcheck.__main__ import main

        main(arguments)
    except SystemExit as wish:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(int(wish.code or 0))
    finally:
        os._exit(70)


def ended(process: int, limit_s: float = SLOWEST_S) -> int:
    """Wait for a process, and return its status, negative for a signal."""
    until = time.monotonic() + limit_s
    while time.monotonic() < until:
        found, status = os.waitpid(process, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    os.killpg(process, signal.SIGKILL)
    os.waitpid(process, 0)
    raise AssertionError(f"a command took longer than {limit_s:.0f} s")


def family(process: int) -> list[int]:
    """Return the processes of a command that live, it itself included: those it forked, and those it started."""
    mark, found = f"{MARK}={process}".encode(), []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            state, _, _, session = (path / "stat").read_text().rpartition(")")[2].split()[:4]
            known = int(session) == process or mark in (path / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if known and state != "Z":
            found.append(int(path.name))
    return sorted(found)


def left_behind(process: int, limit_s: float = 15.0) -> list[int]:
    """Return the processes of an ended command that still live after a while; they are killed then."""
    until = time.monotonic() + limit_s
    while (found := family(process)) and time.monotonic() < until:
        time.sleep(0.1)
    for one in found:
        with contextlib.suppress(ProcessLookupError):
            os.kill(one, signal.SIGKILL)
    return found


def whole(arguments: list[str], place: Path) -> tuple[int, float]:
    """Run a command to its end; return its status and the seconds it took."""
    began = time.monotonic()
    status = ended(start(arguments, place))
    return status, time.monotonic() - began


def kills(of: int) -> int:
    """Return how many kills a test makes: so many, or as many as ``DLCHECK_KILLS`` asks for."""
    return int(os.environ.get("DLCHECK_KILLS", of))


@dataclass(slots=True)
class Killer:
    """Kills commands at moments drawn from a seed."""

    seed: int = int(os.environ.get("DLCHECK_KILL_SEED", "20261128"))
    kills: int = 0
    status: int = 0
    """Of the last command."""
    chance: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)

    def kill(self, arguments: list[str], place: Path, within_s: float, whom: Whom = "first") -> bool:
        """Start a command and kill it within so many seconds; return whether it was killed itself.

        Args:
            arguments: Of the command.
            place: Where it runs.
            within_s: Longest wait.
            whom: Its first process, every one, or one that it started, if it has; then it is waited for.
        """
        wait = self.chance.uniform(0.0, within_s)
        process = start(arguments, place)
        time.sleep(wait)
        others = [one for one in family(process) if one != process]
        if whom == "one" and others:
            victims = [self.chance.choice(others)]
        else:
            victims = [process, *(others if whom == "all" else [])]
        for one in victims:
            with contextlib.suppress(ProcessLookupError):
                os.kill(one, signal.SIGKILL)
        self.status = ended(process)
        self.kills += self.status == -signal.SIGKILL or process not in victims
        assert not left_behind(process), "processes outlive the command"
        return self.status == -signal.SIGKILL


def quietly(function: Callable[[], int]) -> int:
    """Return the status of a command called in this process, without its output."""
    import io

    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        return function()


def readable(path: Path) -> bool:
    """Return whether a run folder can be diagnosed; one that is not there yet counts."""
    from dlcheck.cli.app import run

    return not path.exists() or quietly(lambda: run(["diagnose", str(path)])) in (0, 1)
