"""Runs in the environment of the peers: a script inside gpuprof's ``profile()``, and its insights as JSON."""

from __future__ import annotations

import json
import runpy
import sys
from importlib import import_module
from pathlib import Path


def main(script: str, output: str) -> None:
    """Run the script, whose own arguments stand in ``sys.argv``, and write what gpuprof says of it."""
    gpuprof, insights = import_module("gpuprof"), import_module("gpuprof.insights")
    with gpuprof.profile("case", db_path="gpuprof.db"):
        runpy.run_path(script, run_name="__main__")
    report = insights.analyze("gpuprof.db", 1)
    Path(output).write_text(json.dumps(report, default=str), encoding="utf-8")


if __name__ == "__main__":
    own, made = sys.argv[1:3]
    sys.argv = [own, *sys.argv[3:]]
    main(own, made)
