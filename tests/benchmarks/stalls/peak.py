"""The peak of memory of a training step, as PyTorch's allocator told its profiler: ``python -m ….peak NET OPTIMIZER``.

All tensors are made while the profiler listens, so that it knows each: it counts only what it saw being allocated.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile, record_function

from tests.benchmarks.stalls import nets

STEPS = 3
"""The last one counts: by then the optimizer has its state."""
LAST = "last step"


def peak(net: str, optimizer: str) -> int:
    """Return the bytes in use at most during the last step."""
    torch.manual_seed(0)
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as recorded:
        model, loss = nets.NETS[net](), nn.CrossEntropyLoss()
        updates, (inputs, target) = nets.optimizer(optimizer, model), nets.batch(net)
        for number in range(STEPS):
            with record_function(LAST if number == STEPS - 1 else "step"):
                updates.zero_grad()
                loss(model(inputs), target).backward()
                updates.step()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trace.json"
        recorded.export_chrome_trace(str(path))
        return highest(json.loads(path.read_text(encoding="utf-8"))["traceEvents"])


def highest(events: list[dict[str, Any]]) -> int:
    """Return the largest total of the host's allocator within the last step.

    Raises:
        ValueError: there is no such step, or it allocated nothing.
    """
    window = next((one for one in events if one.get("name") == LAST and "dur" in one), None)
    if window is None:
        raise ValueError("the trace has no last step")
    first, end = window["ts"], window["ts"] + window["dur"]
    totals = [
        int(one["args"]["Total Allocated"])
        for one in events
        if one.get("name") == "[memory]" and first <= one["ts"] <= end and one["args"].get("Device Type") == 0
    ]
    return max(totals)


if __name__ == "__main__":
    print(json.dumps({"peak": peak(*sys.argv[1:3])}))
