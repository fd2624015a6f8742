"""Memory of a step: predicted without running it, against the measured peak, beside accelerate and torchinfo."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from tests.benchmarks.stalls import nets
from tests.benchmarks.stalls.judged import Asked
from tests.benchmarks.stalls.machine import Failed, run
from tests.benchmarks.stalls.peers.peer import last_line
from tests.benchmarks.stalls.table import Cell, table
from tests.benchmarks.stalls.verdict import Row

SECTION = "memory"
ROOT = Path(__file__).parents[3]
MEMORY_PEERS = Path(__file__).parent / "peers" / "inside" / "ask_memory.py"
MIB = 1 << 20
BAR = 0.02
"""Of the measured peak, on a CPU."""


def names() -> list[str]:
    """Return each network with each optimizer."""
    return [f"{net}/{optimizer}" for net in nets.NETS for optimizer in nets.OPTIMIZERS]


def measure(asked: Asked) -> None:
    """Predict and measure whatever the store lacks."""
    for name in names():
        net, optimizer = name.split("/")
        own = (sys.executable, "-m")
        steps: dict[str, tuple[str, ...]] = {
            "predicted": (*own, f"{__package__}.forecast", net, optimizer),
            "measured": (*own, f"{__package__}.peak", net, optimizer),
        }
        if asked.peers is not None:
            steps["peers"] = (str(asked.peers / "bin" / "python"), str(MEMORY_PEERS), net)
        for tool, command in steps.items():
            if asked.store.missing(SECTION, [name], tool):
                figures = _asked(command)
                asked.store.add(Row(SECTION, name, tool, figures=figures))
                asked.tell(f"{name} {tool}: {figures}")


def _asked(command: tuple[str, ...]) -> dict[str, Any]:
    try:
        done = run(command, folder=ROOT)
    except Failed as error:
        return {"error": str(error)}
    if done.returncode:
        return {"error": last_line(done.stderr)}
    told: dict[str, Any] = json.loads(last_line(done.stdout))
    return told


def report(asked: Asked, *, markdown: bool = False) -> str:
    """Return the table."""
    rows = {(row.name, row.tool): row.figures for row in asked.store.section(SECTION)}
    head = ("network/optimizer", "measured MiB", "dlcheck", "seconds", "accelerate", "torchinfo")
    body, within, known = [], 0, 0
    for name in names():
        peak = rows.get((name, "measured"), {}).get("peak")
        mine = rows.get((name, "predicted"), {})
        others = rows.get((name, "peers"), {})
        known += peak is not None and "total" in mine
        within += peak is not None and "total" in mine and abs(mine["total"] / peak - 1) <= BAR
        told = (off(mine.get("total"), peak), mine.get("seconds"))
        body.append(
            (name, peak and peak / MIB, *told, *(off(others.get(one), peak) for one in ("accelerate", "torchinfo")))
        )
    title = f"Peak of a training step on a CPU; {within} of {known} predictions within {BAR:.0%}"
    return table(title, head, body, markdown=markdown)


def off(said: float | None, peak: float | None) -> Cell:
    """Return by how much a prediction misses the measured value, in words."""
    return None if said is None or not peak else f"{100 * (said / peak - 1):+.1f} %"
