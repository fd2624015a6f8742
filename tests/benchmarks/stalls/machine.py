"""Runs scripts in processes of their own, alone or beside two others that keep the cores busy."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.benchmarks.stalls.case import Build
from tests.benchmarks.stalls.script import WARM, Dress, script

BURNERS = 2
"""Programs beside the one that is judged, where the machine is to be busy."""
LIMIT_S = 120.0
"""For any one program."""
PLAIN_STEPS = 60
_TOLD = re.compile(r"(\d+) steps, ([\d.]+) ms each")
_BURN = """import os, time
until = time.monotonic() + 900
while time.monotonic() < until and os.getppid() == {parent}:
    sum(range(10000))"""


class Failed(Exception):
    """A program ended badly or took too long."""


def environment() -> dict[str, str]:
    """Return the environment of all programs: one thread for small operations unless a script says otherwise."""
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore", "KINETO_LOG_LEVEL": "99"}


def run(command: Sequence[str], *, folder: Path, limit_s: float = LIMIT_S) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder, and end all it started once it is done or its time is up.

    Raises:
        Failed: its time is up.
    """
    process = subprocess.Popen(
        command, cwd=folder, env=environment(), text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    try:
        out, err = process.communicate(timeout=limit_s)
    except subprocess.TimeoutExpired:
        raise Failed(f"not done after {limit_s:.0f} s") from None
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return subprocess.CompletedProcess(command, process.returncode, out, err)


def write(build: Build, folder: Path, dress: Dress = "plain", name: str = "train") -> Path:
    """Write the script of a build into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.py"
    path.write_text(script(build, dress), encoding="utf-8")
    return path


def step_ms(build: Build, folder: Path, steps: int = PLAIN_STEPS, python: str = sys.executable) -> float:
    """Run a build as it is, with nobody watching, and return its milliseconds a step by its own clock.

    Raises:
        Failed: the script did not end well.
    """
    path = write(build, folder)
    done = run([python, str(path), "--steps", str(steps + WARM)], folder=folder)
    told = _TOLD.search(done.stdout)
    if done.returncode or told is None:
        raise Failed((done.stderr.strip().splitlines() or ["no output"])[-1])
    return float(told[2])


def share_of_stall(build: Build, folder: Path) -> float:
    """Return the part of a step that the stall takes: the script without it against the script as it is."""
    return 1 - step_ms(build.relieved(), folder) / step_ms(build, folder)


@contextlib.contextmanager
def contention(burners: int = BURNERS) -> Iterator[list[int]]:
    """Keep that many cores busy meanwhile, and yield the ids of the processes; they do not outlive this one."""
    code = _BURN.format(parent=os.getpid())
    started = [subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.DEVNULL) for _ in range(burners)]
    try:
        yield [one.pid for one in started]
    finally:
        for one in started:
            one.kill()
            one.wait()


def pressure() -> float | None:
    """Return the per cent of the last ten seconds in which something waited for a core; None: unknown."""
    try:
        line = Path("/proc/pressure/cpu").read_text(encoding="ascii").splitlines()[0]
    except OSError:
        return None
    found = re.search(r"avg10=([\d.]+)", line)
    return float(found[1]) if found else None
