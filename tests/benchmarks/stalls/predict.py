"""Predicted throughput against measured: the ceiling without loading, and other numbers of workers."""

from __future__ import annotations

import math
import shutil
from collections.abc import Mapping
from statistics import median
from typing import Any

from tests.benchmarks.faults.intervals import Share
from tests.benchmarks.stalls.case import Build
from tests.benchmarks.stalls.doctor import TOOL, profiled
from tests.benchmarks.stalls.judged import TRUTH, Asked
from tests.benchmarks.stalls.machine import Failed, pressure, step_ms
from tests.benchmarks.stalls.table import Cell, table
from tests.benchmarks.stalls.verdict import Row
from tests.benchmarks.stalls.workloads import PREDICTED, WORKERS, Workload

SECTION = "predict"
BAR = 0.1
"""Of the measured throughput."""


def measure(asked: Asked) -> None:
    """Profile and measure each workload that the store lacks."""
    for workload in PREDICTED:
        if asked.words and not any(word in workload.name for word in asked.words):
            continue
        for tool in (TOOL, TRUTH):
            if asked.store.missing(SECTION, [workload.name], tool):
                row = _row(workload, tool, asked)
                asked.store.add(row)
                asked.tell(f"{workload.name} {tool}: {row.figures}")


def _row(workload: Workload, tool: str, asked: Asked) -> Row:
    folder, before = asked.folder / SECTION, pressure()
    shutil.rmtree(folder, ignore_errors=True)
    try:
        if tool == TOOL:
            found, took = profiled(workload.build, folder, sweep=True)
            figures: dict[str, Any] = {**predictions(found, workload.build), "seconds": took}
        else:
            steps = {"now": workload.build, "ideal": workload.free, **{str(n): workload.at(n) for n in WORKERS}}
            figures = {name: rate(build, step_ms(build, folder)) for name, build in steps.items()}
    except Failed as error:
        figures = {"error": str(error)}
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return Row(SECTION, workload.name, tool, figures=figures, pressure=before)


def rate(build: Build, ms: float) -> float:
    """Return samples a second."""
    return 1000 * build.batch / ms


def predictions(found: Mapping[str, Any], build: Build) -> dict[str, float | None]:
    """Return what a profile predicts, in samples a second: now, the ceiling, and by number of workers.

    None: it does not say. A setting of the sweep counts by its workers alone, where nothing else differs.
    """
    ceilings = found["facts"].get("ceilings") or {}
    told = {name: (ceilings.get(name) or {}).get("value") for name in ("now", "ideal")}
    sweep = found["facts"].get("loader_sweep") or {}
    for trial in sweep.get("trials", ()):
        setting = {name: value for name, value in trial["setting"].items() if value is not None}
        if set(setting) <= {"workers", "persistent"} and "workers" in setting:
            seconds = trial.get("predicted_s")
            told.setdefault(str(setting["workers"]), None if seconds is None else build.batch / seconds)
    return told


def report(asked: Asked, *, markdown: bool = False) -> str:
    """Return the table of errors, and how many are within the bar."""
    rows = {(row.name, row.tool): row.figures for row in asked.store.section(SECTION)}
    body: list[tuple[Cell, ...]] = []
    errors: list[float] = []
    for workload in PREDICTED:
        said, true = rows.get((workload.name, TOOL), {}), rows.get((workload.name, TRUTH), {})
        known = {name: error(said.get(name), true.get(name)) for name in ("now", "ideal", *map(str, WORKERS))}
        told = [value for name, value in known.items() if value is not None and name != "now"]
        errors += [] if workload.shared and not told else told
        body.append((workload.name, "yes" if workload.shared else "", *(_percent(value) for value in known.values())))
    within = Share.among(abs(one) <= BAR for one in errors)
    middle = median(abs(one) for one in errors) if errors else math.nan
    title = f"Predicted over measured throughput; within {BAR:.0%}: {within.count} of {within.of}, median {middle:.1%}"
    head = ("workload", "shared cores", "now", "ceiling", *(f"{number} workers" for number in WORKERS))
    return table(title, head, body, markdown=markdown)


def error(said: float | None, true: float | None) -> float | None:
    """Return by which part a prediction misses; None: one of both is missing."""
    return None if said is None or true is None else said / true - 1


def _percent(value: float | None) -> Cell:
    return None if value is None else f"{100 * value:+.1f} %"
