"""Runs in the environment of the peers: what accelerate and torchinfo estimate for a network, as JSON."""

from __future__ import annotations

import importlib.util
import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

NETS = Path(__file__).parents[2] / "nets.py"


def main(name: str) -> dict[str, float]:
    """Return both estimates in bytes.

    accelerate's is that of ``accelerate estimate-memory``: the largest of its stages of training, in float32; it
    knows neither batch nor optimizer other than Adam. torchinfo's is what its summary calls the estimated total size.
    """
    nets = _nets()
    model = nets.NETS[name]()
    sizes = import_module("accelerate.utils").calculate_maximum_sizes(model)
    stages = import_module("accelerate.commands.estimate").estimate_training_usage(sizes[0], "float32")
    summary = import_module("torchinfo").summary(model, input_data=[nets.batch(name)[0]], mode="train", verbose=0)
    whole = summary.total_input + summary.total_output_bytes + summary.total_param_bytes
    return {"accelerate": float(max(stages.values())), "torchinfo": float(whole)}


def _nets() -> Any:
    spec = importlib.util.spec_from_file_location("nets", NETS)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1])))
