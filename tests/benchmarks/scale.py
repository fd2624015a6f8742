"""Time and memory of ``dlcheck diagnose`` over the length of a log and the number of runs.

    python -m tests.benchmarks.scale [--rows 1e4,1e5,1e6,1e7] [--runs 100,1000,10000]
                                     [--formats csv,jsonl,tensorboard,run-folder] [--report text]

The command itself runs in a child; printed are its processor time, which what else the machine does hardly moves, its
peak of resident memory and what it said.
The growth exponent is the slope of the logarithm of time over that of the size, from 1e5 rows (100 runs) on, the time
of a log of 100 rows (one run) subtracted: it is what Python and the imports take, and would flatter the slope. The bar
is 1.05. Files are made from a seed and taken away again; 10^7 rows need about 700 MB of disk.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.growth import exponent
from tests.benchmarks.scale_logs import WRITERS, write_runs

BAR = 1.05
SEED = 7
SHORT, FEW = 3, (1_000_000, 1000)
"""A short command is run three times: up to a million rows, or a thousand runs."""
LAUNCH = """
import os, sys
child = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)
_, status, usage = os.wait4(child, 0)
print(usage.ru_utime + usage.ru_stime, usage.ru_maxrss, os.waitstatus_to_exitcode(status))
"""
"""A small process in between: what a child inherits from its parent counts in its peak."""
FROM_ROWS = 100_000
"""Rows from which growth is judged; below, the start of Python outweighs it."""


@dataclass(frozen=True)
class Measured:
    """One run of the command."""

    size: int
    seconds: float
    """Processor time of the command, user and system."""
    peak_mib: float
    said: str


def main() -> int:
    """Measure and print; 1 where something grows faster than the bar."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", default="1e4,1e5,1e6,1e7")
    parser.add_argument("--runs", default="100,1000,10000")
    parser.add_argument("--formats", default=",".join(WRITERS))
    parser.add_argument("--report", default="json", choices=("json", "text", "html"))
    given = parser.parse_args()
    rows, runs = ([int(float(one)) for one in words.split(",") if one] for words in (given.rows, given.runs))
    missed = False
    print(f"{'':<12}{'size':>10}{'file':>10}{'CPU s':>9}{'MiB':>7}{'exponent':>10}  said")
    with tempfile.TemporaryDirectory() as name:
        for label in [one for one in given.formats.split(",") if one]:
            missed |= series(Path(name), label, rows, given.report)
        if runs:
            missed |= series(Path(name), "runs", runs, given.report)
    print("MISSED" if missed else f"ok: every exponent at most {BAR}")
    return int(missed)


def series(folder: Path, label: str, sizes: list[int], report: str) -> bool:
    """Measure one kind of log at all sizes, and return whether it grows faster than the bar."""
    write, start, least = (write_runs, 1, 0) if label == "runs" else (WRITERS[label], 100, FROM_ROWS)
    small = write(folder / f"{label}-start", start, SEED)
    constant = least_of(SHORT, small, start, report).seconds
    found: list[Measured] = []
    for size in sizes:
        path = write(folder / f"{label}-{size}", size, SEED)
        held = sum(one.stat().st_size for one in ([path] if path.is_file() else path.rglob("*")) if one.is_file())
        found.append(least_of(SHORT if size <= FEW[label == "runs"] else 1, path, size, report))
        judged = [one for one in found if one.size >= least]
        slope = (
            exponent([one.size for one in judged], [max(one.seconds - constant, 0.01) for one in judged]).slope
            if len(judged) > 1
            else None
        )
        last = found[-1]
        row = f"{label:<12}{size:>10}{held / 2**20:>8.0f} M{last.seconds:>9.2f}{last.peak_mib:>7.0f}"
        print(f"{row}{'' if slope is None else f'{slope:.2f}':>10}  {last.said}", flush=True)
        _clear(path)
    return slope is not None and slope > BAR


def least_of(times: int, path: Path, size: int, report: str) -> Measured:
    """Run the command so many times, and return the quickest."""
    return min((measured(path, size, report) for _ in range(times)), key=lambda one: one.seconds)


def measured(path: Path, size: int, report: str) -> Measured:
    """Run the command on a path."""
    out = path.parent / "report"
    options = ["--quiet", "--format", report, "--output", str(out)]
    command = [sys.executable, "-c", LAUNCH, sys.executable, "-m", "dlcheck", "diagnose", str(path), *options]
    done = subprocess.run(
        command, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, check=True
    )
    seconds, peak_kib, status = (float(word) for word in done.stdout.split()[-3:])
    if status not in (0, 1):
        return Measured(size, seconds, peak_kib / 1024, f"FAILED: {done.stderr.strip()[:60]}")
    said = _said(out) if report == "json" else f"{out.stat().st_size / 2**10:.0f} KiB of {report}"
    out.unlink()
    return Measured(size, seconds, peak_kib / 1024, said)


def _said(path: Path) -> str:
    """Return the verdict and the codes of a report, or how many runs had which verdict."""
    runs = json.loads(path.read_text())["runs"]
    if len(runs) == 1:
        return f"{runs[0]['verdict']}: {' '.join(sorted(one['code'] for one in runs[0]['findings']))}"
    verdicts = [one["verdict"] for one in runs]
    return ", ".join(f"{verdicts.count(word)} {word}" for word in sorted(set(verdicts)))


def _clear(path: Path) -> None:
    for one in sorted([path, *(path.rglob("*") if path.is_dir() else ())], reverse=True):
        one.rmdir() if one.is_dir() else one.unlink()


if __name__ == "__main__":
    sys.exit(main())
