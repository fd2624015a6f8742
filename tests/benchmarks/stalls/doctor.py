"""Asks dlcheck about a case, through its command: what a person who types it gets."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks.stalls.case import Build, Case
from tests.benchmarks.stalls.machine import Failed, run, write
from tests.benchmarks.stalls.peers.peer import last_line
from tests.benchmarks.stalls.verdict import Verdict

TOOL = "dlcheck"
LIMIT_S = 240.0
"""For the command; its own budget is far below."""
VERDICT_S = 30
"""Seconds that the command is given for a verdict."""
SWEEP_S = 180
"""And for a verdict with a sweep."""
BLAMES = ("warning", "error")


def diagnose_case(case: Case, folder: Path) -> Verdict:
    """Ask about a case; with a sweep where only trials can tell that fewer workers or threads are faster.

    Raises:
        Failed: the command did not end well.
    """
    return read(*profiled(case.build, folder, sweep=case.kind in ("workers", "threads")))


def profiled(build: Build, folder: Path, *, sweep: bool) -> tuple[dict[str, Any], float]:
    """Run the command on a build, and return what it wrote with the seconds that it took.

    Raises:
        Failed: the command did not end well.
    """
    path = write(build, folder)
    budget = ["--budget", str(SWEEP_S)] if sweep else ["--budget", str(VERDICT_S), "--no-sweep"]
    return command([*budget, "--", path.name], folder)


def command(arguments: Sequence[str], folder: Path) -> tuple[dict[str, Any], float]:
    """Run ``dlcheck profile-gpu`` in a folder, and return its JSON with the seconds that it took.

    Raises:
        Failed: it did not end well: neither 0 nor 1, or nothing written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    output = folder / "profile.json"
    output.unlink(missing_ok=True)
    own = ["profile-gpu", "--quiet", "--format", "json", "--output", output.name, "--device", "cpu"]
    began = time.monotonic()
    done = run([sys.executable, "-m", "dlcheck", *own, *arguments], folder=folder, limit_s=LIMIT_S)
    took = time.monotonic() - began
    if done.returncode not in (0, 1) or not output.is_file():
        raise Failed(last_line(done.stderr))
    return json.loads(output.read_text(encoding="utf-8")), took


def read(found: Mapping[str, Any], seconds: float) -> Verdict:
    """Put the JSON of the command into a verdict."""
    bound, findings = found["bound"], found["findings"]
    if bound is None:
        raise Failed("it says nothing of what the training is bound by")
    codes = [one["code"] for one in findings]
    return Verdict(
        str(bound["kind"]),
        str(bound["cause"]),
        float(bound["confidence"]),
        tuple(one["code"] for one in findings if one["severity"] in BLAMES),
        str(bound["words"]),
        round(seconds, 2),
        {"share": bound["share"], "codes": codes, "parts": shares(found)},
    )


def shares(found: Mapping[str, Any]) -> dict[str, float]:
    """Return the share of each part of a step."""
    parts = found["facts"]["step_times"]["parts"]
    return {part["name"]: round(part["share"], 4) for part in parts}
