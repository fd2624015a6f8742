"""The cats-vs-dogs recipe with a naive loader against the setting that is recommended for it, measured in turns."""

from __future__ import annotations

import math
import tarfile
from collections.abc import Mapping
from statistics import fmean, stdev
from typing import Any

from dlcheck.profiling.settings import Subject, Trial, TrialSettings
from dlcheck.profiling.trial import start_trial
from dlcheck.runs.facts import LoaderSetting
from tests.benchmarks.stalls.doctor import TOOL, command
from tests.benchmarks.stalls.judged import Asked
from tests.benchmarks.stalls.machine import Failed
from tests.benchmarks.stalls.table import Cell, table
from tests.benchmarks.stalls.verdict import Row
from tests.conftest import SHARED_DATA

SECTION = "photos"
RECIPE = "cats-vs-dogs"
NAIVE = ("data.workers=0", "data.in_memory=false")
"""Photos are decoded in every step, by the process that trains."""
ROUNDS, STEPS, SKIP = 10, 6, 6
"""Blocks of each setting in turns, steps of a block, and steps before each that do not count."""
BUDGET_S = 180
TAR = SHARED_DATA / "cats-vs-dogs-photos.tar"


def measure(asked: Asked) -> None:
    """Let dlcheck recommend a setting, and measure it against the naive one; nothing where the photos are absent."""
    if not TAR.is_file() or not asked.store.missing(SECTION, [RECIPE], TOOL):
        return
    root = asked.folder / "photos"
    if not root.is_dir():
        with tarfile.open(TAR) as archive:
            archive.extractall(root, filter="data")
    sets = [*NAIVE, f"data.root={root.resolve()}"]
    arguments = [word for one in sets for word in ("--set", one)]
    try:
        found, took = command(["--budget", str(BUDGET_S), *arguments, RECIPE], asked.folder / SECTION)
        figures = {**_advice(found), "seconds": took}
        if figures["setting"]:
            figures |= _in_turns(sets, figures["setting"])
    except Failed as error:
        figures = {"error": str(error)}
    asked.store.add(Row(SECTION, RECIPE, TOOL, figures=figures))
    asked.tell(f"{RECIPE}: {figures}")


def _advice(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is said of the naive setting, and the loader's setting that is recommended instead; empty: none."""
    sweep, bound = found["facts"].get("loader_sweep") or {}, found["bound"]
    best = sweep.get("best") or 0
    setting = sweep["trials"][best]["setting"] if best else {}
    return {
        "said": f"{bound['kind']} {bound['cause']} {bound['share']:.2f}",
        "setting": {name: value for name, value in setting.items() if value is not None},
        "told": [sweep.get("gain"), sweep.get("gain_low"), sweep.get("gain_high")],
    }


def _in_turns(sets: list[str], setting: Mapping[str, Any]) -> dict[str, Any]:
    """Measure both settings in blocks, in turns, and return the ratio of their times with a 95 % interval."""
    subject = Subject("recipe", RECIPE, overrides=tuple(sets), device="cpu", seed=0)
    naive = start_trial(TrialSettings(subject))
    try:
        other = start_trial(TrialSettings(subject, loader=LoaderSetting(**setting)))
        try:
            pairs = [(_step_s(naive), _step_s(other)) for _ in range(ROUNDS)]
        finally:
            other.close()
    finally:
        naive.close()
    logs = [math.log(slow / fast) for slow, fast in pairs]
    middle, half = fmean(logs), T_95 * stdev(logs) / math.sqrt(len(logs))
    naive_s, other_s = (fmean(pair[side] for pair in pairs) for side in (0, 1))
    ratio = [math.exp(middle + sign * half) for sign in (0, -1, 1)]
    return {"naive_ms": 1000 * naive_s, "ms": 1000 * other_s, "ratio": ratio}


T_95 = 2.262
"""Student's t for nine degrees of freedom, two-sided."""


def _step_s(trial: Trial) -> float:
    """Return the mean seconds of the steps of a block, the beginning of epochs included."""
    return fmean(row.period for row in trial.run(STEPS, skip=SKIP).rows)


def report(asked: Asked, *, markdown: bool = False) -> str:
    """Return the table."""
    rows = asked.store.section(SECTION)
    body: list[tuple[Cell, ...]] = []
    for row in rows:
        told = row.figures
        if "error" in told:
            body.append((row.name, told["error"], None, None, None, None))
            continue
        better = " ".join(f"{name}={value}" for name, value in told["setting"].items()) or "as it is"
        ratio = "{:.2f} [{:.2f}, {:.2f}]".format(*told["ratio"]) if "ratio" in told else None
        body.append((row.name, told["said"], better, told.get("naive_ms"), told.get("ms"), ratio))
    head = ("recipe", "naive is", "recommended", "naive ms", "ms", "times faster")
    return table("Photos decoded in the training process, against what is recommended", head, body, markdown=markdown)
