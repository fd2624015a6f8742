"""Runs in the environment of the peers: one trial of loadtune's, and what its rules say of it, as JSON."""

from __future__ import annotations

import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Any


def main(workload: str, knobs: str, steps: str, warmup: str) -> dict[str, Any]:
    """Return the result of the trial, and the explanation of it."""
    experiment, rules = import_module("loadtune.experiment"), import_module("loadtune.heuristic")
    profiler, settings = import_module("loadtune.profiler"), import_module("loadtune.knobs")
    result = experiment.run_trial(workload, settings.Knobs(**json.loads(knobs)), int(steps), int(warmup), timeout_s=100)
    if result.get("error"):
        return {"result": result, "narrative": ""}
    return {"result": result, "narrative": rules.HeuristicBrain().explain(profiler.ProfileResult(**result), [])}


if __name__ == "__main__":
    Path(sys.argv[5]).write_text(json.dumps(main(*sys.argv[1:5])), encoding="utf-8")
