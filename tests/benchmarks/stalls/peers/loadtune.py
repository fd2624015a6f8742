"""loadtune: the case as one of its workload files, measured by its ``profile``, judged by its own rules."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.benchmarks.stalls.case import INCONCLUSIVE, Build
from tests.benchmarks.stalls.machine import Failed, run, write
from tests.benchmarks.stalls.peers.peer import STEPS, last_line
from tests.benchmarks.stalls.verdict import NOTHING, Verdict

INSIDE = Path(__file__).parent / "inside" / "ask_loadtune.py"
WARMUP = 5


class Loadtune:
    """It makes the loader itself, so worker start functions and start methods are not its to see."""

    def ask(self, build: Build, folder: Path, environment: Path) -> Verdict:
        """Profile the workload at the settings that the script has."""
        path = write(build, folder, "loadtune", "workload")
        knobs = {
            "num_workers": build.workers,
            "prefetch_factor": build.prefetch if build.workers else None,
            "persistent_workers": build.persistent and build.workers > 0,
        }
        python = environment / "bin" / "python"
        command = [str(python), str(INSIDE), str(path), json.dumps(knobs), str(STEPS), str(WARMUP), "loadtune.json"]
        done = run(command, folder=folder)
        found = folder / "loadtune.json"
        if not found.is_file():
            raise Failed(last_line(done.stderr))
        return read(json.loads(found.read_text(encoding="utf-8")))


def read(found: dict[str, Any]) -> Verdict:
    """Put its explanation into our classes; a wait of 5 to 20 % is "mildly contended", which decides nothing.

    Raises:
        Failed: its trial ended with an error.
    """
    if found["result"].get("error"):
        raise Failed(last_line(str(found["result"].get("stderr_tail") or found["result"]["error"])))
    words = str(found["narrative"])
    figures = {name: found["result"][name] for name in ("data_wait_frac", "step_time_p50_ms", "cpu_util_mean")}
    if "input-bound" in words:
        cause = "decode" if "CPU already saturated" in words else ""
        return Verdict("input", cause, blamed=("input-bound",), words=words, figures=figures)
    coarse = "compute" if "compute-bound" in words else INCONCLUSIVE if "mildly contended" in words else NOTHING
    return Verdict(coarse, words=words, figures=figures)
