"""TraceML (``traceml-ai``): the script with its two lines, under ``traceml run``; read from its final summary."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

from tests.benchmarks.stalls.case import INCONCLUSIVE, Build
from tests.benchmarks.stalls.machine import Failed, run, write
from tests.benchmarks.stalls.peers.peer import STEPS, last_line
from tests.benchmarks.stalls.verdict import NOTHING, Verdict

CLASSES = {
    "INPUT_BOUND": "input",
    "INPUT_STRAGGLER": "input",
    "H2D_BOUND": "copy",
    "COMPUTE_BOUND": "compute",
    "RESIDUAL_HEAVY": "gap",
    "INSUFFICIENT_STEP_TIME_DATA": INCONCLUSIVE,
}
"""Its kinds of a primary diagnosis; all others name no bottleneck."""
BLAMES = ("warn", "crit")


class TraceML:
    """The whole body of the loop is in ``trace_step``, so that it can see what comes after the optimizer too."""

    def ask(self, build: Build, folder: Path, environment: Path) -> Verdict:
        """Run ``traceml run``, and read ``final_summary.json``."""
        path = write(build, folder, "traceml", "watched")
        program = environment / "bin" / "traceml"
        ports = ["--aggregator-port", str(_free_port()), "--master-port", str(_free_port())]
        command = [str(program), "run", path.name, "--logs-dir", "logs", "--run-name", "case", *ports]
        done = run([*command, "--args", "--steps", str(STEPS)], folder=folder)
        summary = folder / "logs" / "case" / "final_summary.json"
        if not summary.is_file():
            raise Failed(last_line(done.stderr))
        return read(json.loads(summary.read_text(encoding="utf-8")))


def read(summary: dict[str, Any]) -> Verdict:
    """Put a final summary into our classes; the one finer cause it can name is the optimizer as the largest phase."""
    primary, step = summary["primary_diagnosis"], summary["step_time"]["diagnosis"]
    kind = str(primary["kind"])
    cause = "optimizer" if kind == "COMPUTE_BOUND" and step.get("phase") == "optimizer" else ""
    blamed = (kind,) if primary["severity"] in BLAMES else ()
    figures = {name: value for name, value in primary["evidence"].items() if name.endswith("_ms")}
    return Verdict(CLASSES.get(kind, NOTHING), cause, blamed=blamed, words=str(primary["summary"]), figures=figures)


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
