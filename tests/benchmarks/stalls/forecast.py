"""What dlcheck predicts for the memory of a step: ``python -m ….forecast NET OPTIMIZER``."""

from __future__ import annotations

import json
import sys
import time

import torch
from torch import nn

from dlcheck.checks.memory import need
from tests.benchmarks.stalls import nets


def forecast(net: str, optimizer: str) -> dict[str, float]:
    """Return the predicted peak in bytes, and the seconds that it took."""
    torch.manual_seed(0)
    model = nets.NETS[net]()
    began = time.perf_counter()
    found = need(model, nn.CrossEntropyLoss(), nets.optimizer(optimizer, model), nets.batch(net))
    return {"total": found.total, "seconds": round(time.perf_counter() - began, 2)}


if __name__ == "__main__":
    print(json.dumps(forecast(*sys.argv[1:3])))
