"""The recommended setting of the loader against the best of a grid, each setting of which is measured in whole."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from tests.benchmarks.faults.intervals import Share
from tests.benchmarks.stalls.case import Build
from tests.benchmarks.stalls.doctor import TOOL, profiled
from tests.benchmarks.stalls.judged import TRUTH, Asked
from tests.benchmarks.stalls.machine import Failed, pressure, step_ms
from tests.benchmarks.stalls.table import Cell, table
from tests.benchmarks.stalls.verdict import Row
from tests.benchmarks.stalls.workloads import PREFETCH, TUNED, WORKERS, Point, Workload

SECTION = "sweep"
ROUNDS = 2
"""Of the whole grid, so that a slow minute of the machine meets all settings alike."""
REGRET, COST = 0.05, 0.2
"""Of the best setting's time, and of the grid's."""


def grid(workload: Workload) -> list[Point]:
    """Return the settings of the exhaustive search: persistent workers both ways where epochs are short."""
    keeps = (False, True) if workload.build.epoch < 20 else (workload.build.persistent,)
    return [Point(0), *(Point(w, prefetch, kept) for w in WORKERS if w for prefetch in PREFETCH for kept in keeps)]


def measure(asked: Asked) -> None:
    """Tune and measure each workload that the store lacks; the recommended setting is measured beside the grid."""
    for workload in TUNED:
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
            figures = {**recommended(found, workload.build), "seconds": took}
        else:
            told = asked.store.rows().get(Row(SECTION, workload.name, TOOL).key)
            figures = _exhaustive(workload, told.figures if told is not None else {}, asked)
    except Failed as error:
        figures = {"error": str(error)}
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return Row(SECTION, workload.name, tool, figures=figures, pressure=before)


def recommended(found: Mapping[str, Any], build: Build) -> dict[str, Any]:
    """Return the setting that a profile ends with, the present one where it recommends none, and its figures."""
    sweep = found["facts"].get("loader_sweep")
    if sweep is None:
        return {"setting": asdict(present(build)), "sweep_s": None, "gain": None}
    best = sweep.get("best") or 0
    setting = sweep["trials"][best]["setting"] if best else {}
    named = {name: _or(setting.get(name), getattr(build, name)) for name in Point.__dataclass_fields__}
    point = Point(**named).spelled()
    return {"setting": asdict(point), "sweep_s": sweep["seconds"], "gain": sweep["gain"], "low": sweep["gain_low"]}


def present(build: Build) -> Point:
    """Return the setting that a build has."""
    return Point(build.workers, build.prefetch, build.persistent, build.in_order).spelled()


def _or(value: Any, other: Any) -> Any:
    return other if value is None else value


def _exhaustive(workload: Workload, told: Mapping[str, Any], asked: Asked) -> dict[str, Any]:
    """Measure every setting of the grid, the present one and the recommended one, round by round."""
    build, folder = workload.build, asked.folder / SECTION
    chosen = [Point(**told["setting"])] if "setting" in told else []
    points = dict.fromkeys([*grid(workload), present(build), *chosen])
    times: dict[Point, list[float]] = {point: [] for point in points}
    spent = 0.0
    for _ in range(ROUNDS):
        for point in points:
            began = time.monotonic()
            times[point].append(step_ms(workload.tuned(point), folder))
            spent += time.monotonic() - began
    found = {point.label: sum(taken) / len(taken) for point, taken in times.items()}
    return {"ms": found, "present": present(build).label, "grid_s": spent / ROUNDS}


def report(asked: Asked, *, markdown: bool = False) -> str:
    """Return the table of regrets and costs."""
    rows = {(row.name, row.tool): row.figures for row in asked.store.section(SECTION)}
    body: list[tuple[Cell, ...]] = []
    regrets, costs, slower = [], [], []
    for workload in TUNED:
        said, true = rows.get((workload.name, TOOL), {}), rows.get((workload.name, TRUTH), {})
        if "setting" not in said or "ms" not in true:
            continue
        chosen, best = Point(**said["setting"]).label, min(true["ms"], key=true["ms"].__getitem__)
        regret = true["ms"][chosen] / true["ms"][best] - 1
        gain = true["ms"][true["present"]] / true["ms"][chosen]
        cost = None if said["sweep_s"] is None else said["sweep_s"] / true["grid_s"]
        regrets.append(regret <= REGRET)
        costs += [] if cost is None else [cost <= COST]
        slower.append(gain < 1 and chosen != true["present"])
        body.append((workload.name, chosen, best, f"{100 * regret:.1f} %", gain, said["gain"], cost, said["seconds"]))
    told = (Share.among(regrets), Share.among(costs), sum(slower))
    title = (
        f"Recommended settings: {told[0].count} of {told[0].of} within {REGRET:.0%} of the grid's best, "
        f"{told[1].count} of {told[1].of} at {COST:.0%} of its cost or less, {told[2]} slower than the user's"
    )
    head = (
        "workload",
        "recommended",
        "best of the grid",
        "regret",
        "gain",
        "gain as told",
        "cost over grid",
        "seconds",
    )
    return table(title, head, body, markdown=markdown)
