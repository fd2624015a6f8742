"""Speed and memory of ``dlcheck diagnose``, against pandas on the same files.

    python tests/benchmarks/diagnose_speed.py [--rounds 7] [--rows 1000000] [--runs 1000]

Prints four figures beside their bars: the whole process on a small CSV against ``python -c "import pandas"``; reading
and judging a long CSV, every rule included and imports apart, against ``pandas.read_csv``; runs a second over a folder
of small runs; and the memory that a long CSV takes beyond the imports, as a multiple of its size (Linux).
Contenders take turns; ratios are medians of paired rounds. Use one core: ``taskset -c 0``.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from dlcheck.diagnosis import Query
from dlcheck.report.render import render

COLUMNS = "step,loss,grad_norm,lr,val_loss"
MEASURE = """
import re, sys
from pathlib import Path
from dlcheck.diagnosis import Query
from dlcheck.report.render import render
from dlcheck.rules import all_rules
from dlcheck.runs.readers.reader import readers
readers(), all_rules()
render(Query((sys.argv[2],)).triage(), "text")
peak = lambda: int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) * 1024
before = peak()
render(Query((sys.argv[1],)).triage(), "text")
print(peak() - before)
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=1000)
    given = parser.parse_args()
    # pip compiles what it installs, and pandas here is installed: a source tree must be allowed its bytecode too.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        small = write(folder / "small.csv", 60, seed=0)
        long = write(folder / "long.csv", given.rows, seed=1)
        many = folder / "many"
        many.mkdir()
        for number in range(given.runs):
            write(many / f"{number}.csv", 50, seed=number)
        process(small, given.rounds)
        long_csv(long, given.rounds)
        folder_of_runs(many, given.runs)
        memory(long, small)


def write(path: Path, rows: int, *, seed: int) -> Path:
    """Write a healthy run of a row a step."""
    random = np.random.default_rng(seed)
    share = np.arange(rows) / rows
    loss = 2 * np.exp(-5 * share) + 0.3 + random.normal(0, 0.02, rows)
    norm = 1 + np.abs(random.normal(0, 0.1, rows))
    rate = 0.1 * (1 + np.cos(np.pi * share)) / 2
    val = 2 * np.exp(-5 * share) + 0.35 + random.normal(0, 0.02, rows)
    table = np.column_stack([np.arange(rows), loss, norm, rate, val])
    np.savetxt(path, table, delimiter=",", header=COLUMNS, comments="", fmt=["%d", "%.6f", "%.6f", "%.6g", "%.6f"])
    return path


def process(path: Path, rounds: int) -> None:
    """Compare whole processes."""
    ours = [sys.executable, "-m", "dlcheck", "diagnose", str(path)]
    pandas = [sys.executable, "-c", "import pandas"]
    seconds, ratio = compare(lambda: run(ours), lambda: run(pandas), rounds)
    tell("whole process, small CSV", f"{seconds:.2f} s", seconds <= 1.0, "1.0 s")
    tell("  against import pandas", f"{ratio:.2f} x", ratio <= 2, "2 x")


def long_csv(path: Path, rounds: int) -> None:
    """Compare reading and judging with reading alone."""
    seconds, ratio = compare(lambda: judge(path), lambda: pd.read_csv(path), rounds)
    tell(f"{path.stat().st_size / 2**20:.0f} MiB of CSV, all rules", f"{seconds:.2f} s", True, "-")
    tell("  against pandas.read_csv", f"{ratio:.2f} x", ratio <= 3, "3 x")


def folder_of_runs(folder: Path, runs: int) -> None:
    """Count runs a second."""
    begun = time.perf_counter()
    judge(folder)
    rate = runs / (time.perf_counter() - begun)
    tell(f"folder of {runs} runs", f"{rate:.0f} runs/s", rate >= 100, "100 runs/s")


def memory(path: Path, small: Path) -> None:
    """Measure the peak of resident memory beyond what a small log needs."""
    command = [sys.executable, "-c", MEASURE, str(path), str(small)]
    peak = int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    ratio = peak / path.stat().st_size
    tell("memory beyond imports", f"{ratio:.2f} x the CSV", ratio <= 5, "5 x")


def judge(path: Path) -> None:
    """Read, judge and render, as the command does."""
    render(Query((str(path),)).triage(), "text")


def run(command: list[str]) -> None:
    """Run a process to its end."""
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode in (0, 1), done.stderr


def compare(ours: Callable[[], object], theirs: Callable[[], object], rounds: int) -> tuple[float, float]:
    """Return the median seconds of ours, and the median of the paired ratios; the first round warms up."""
    pairs = [(timed(ours), timed(theirs)) for _ in range(rounds + 1)][1:]
    return statistics.median(a for a, _ in pairs), statistics.median(a / b for a, b in pairs)


def timed(action: Callable[[], object]) -> float:
    """Return the seconds that an action takes."""
    begun = time.perf_counter()
    action()
    return time.perf_counter() - begun


def tell(what: str, figure: str, good: bool, bar: str) -> None:
    """Print a row."""
    print(f"{what:<32}{figure:>20}   bar {bar:<12}{'ok' if good else 'MISSED'}")


if __name__ == "__main__":
    main()
