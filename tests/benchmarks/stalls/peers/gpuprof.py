"""gpuprof: the script as it is, inside its ``profile()``; read from the insights that it prints at the end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.benchmarks.stalls.case import Build
from tests.benchmarks.stalls.machine import Failed, run, write
from tests.benchmarks.stalls.peers.peer import STEPS, last_line
from tests.benchmarks.stalls.verdict import NOTHING, Verdict

INSIDE = Path(__file__).parent / "inside" / "ask_gpuprof.py"
WORDS = (
    ("CPU pegged", "input", "decode"),
    ("disk hot", "input", "fetch-io"),
    ("waiting on the loader", "input", ""),
    ("Prefetch queue starved", "input", ""),
    ("PCIe RX peaked", "copy", ""),
    ("unaccounted (kernel-launch", "gap", ""),
)
"""Of its 23 rules those that say where the time of a single training goes: title, class and cause."""
ORDER = {"high": 0, "medium": 1, "low": 2}


class Gpuprof:
    """Its verdict is the insight of the highest severity that names a place, a finer cause before a coarse one."""

    def ask(self, build: Build, folder: Path, environment: Path) -> Verdict:
        """Run the script inside its context, and read the insights of the run."""
        path = write(build, folder, name="profiled")
        python = environment / "bin" / "python"
        command = [str(python), str(INSIDE), str(path), "insights.json", "--steps", str(STEPS)]
        done = run(command, folder=folder)
        found = folder / "insights.json"
        if not found.is_file():
            raise Failed(last_line(done.stderr))
        return read(json.loads(found.read_text(encoding="utf-8")))


def read(report: dict[str, Any]) -> Verdict:
    """Put its insights into our classes."""
    named = [
        (ORDER[one["severity"]], rank, one, coarse, cause)
        for one in report["insights"]
        for rank, (words, coarse, cause) in enumerate(WORDS)
        if words in one["title"]
    ]
    blamed = tuple(one["title"] for one in report["insights"] if one["severity"] in ("high", "medium"))
    if not named:
        return Verdict(NOTHING, blamed=blamed, words="; ".join(one["title"] for one in report["insights"]))
    _, _, leading, coarse, cause = min(named, key=lambda one: one[:2])
    shares = {name: report["summary"].get(name) for name in ("avg_step_s", "inter_step_gap_s")}
    return Verdict(coarse, cause, blamed=blamed, words=str(leading["title"]), figures=shares)
