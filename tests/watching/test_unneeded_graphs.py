"""Evaluations that record graphs, and keep them."""

from collections.abc import Callable
from typing import Any

import pytest

WatchScript = Callable[..., Any]

SCRIPT = """
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
x = torch.randn(480, 8)
y = (x[:, 0] > 0).long()
train = DataLoader(TensorDataset(x[:320], y[:320]), batch_size=16, shuffle=True)
val = DataLoader(TensorDataset(x[320:], y[320:]), batch_size=16)
net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 2))
optimizer = torch.optim.Adam(net.parameters(), 1e-2)
total = 0.0
for epoch in range(6):
    net.train()
    for a, b in train:
        optimizer.zero_grad()
        F.cross_entropy(net(a), b).backward()
        optimizer.step()
    net.eval()
    for a, b in val:
        total += F.cross_entropy(net(a), b)
print(float(total))
"""


def told(watched: Any) -> list[Any]:
    return [finding for finding in watched.report.outcome.findings if finding.code == "G311"]


def test_graphs_of_evaluations_that_are_kept_are_told(watch_script: WatchScript) -> None:
    (finding,) = told(watch_script(SCRIPT))
    assert "of evaluation passes were kept alive" in finding.summary
    assert finding.evidence["alive"] >= 30
    assert "no_grad" in finding.remedies[0].text


@pytest.mark.parametrize(
    "loss",
    ["F.cross_entropy(net(a), b).item()", "F.cross_entropy(net(a), b).detach()"],
    ids=["number", "detached"],
)
def test_graphs_that_go_at_once_are_no_leak(watch_script: WatchScript, loss: str) -> None:
    assert not told(watch_script(SCRIPT.replace("total += F.cross_entropy(net(a), b)", f"total += {loss}")))


def test_a_second_loader_that_trains_is_no_evaluation(watch_script: WatchScript) -> None:
    both = SCRIPT.replace(
        "    net.eval()\n    for a, b in val:\n        total += F.cross_entropy(net(a), b)",
        "    for a, b in val:\n        optimizer.zero_grad()\n        F.cross_entropy(net(a), b).backward()\n"
        "        optimizer.step()",
    )
    assert both != SCRIPT
    assert not told(watch_script(both))
