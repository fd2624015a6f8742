"""Loops that slice their batches themselves: no loader tells where an epoch ends, or what is validation."""

import csv
from collections.abc import Callable
from typing import Any

WatchScript = Callable[..., Any]

SCRIPT = """
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
x = torch.randn(640, 8)
y = (x[:, 0] + x[:, 1] > 0).long()
net = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 2))
optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
val = DataLoader(TensorDataset(x[512:], y[512:]), 64)


def evaluate():
    net.eval()
    with torch.no_grad():
        EVALUATE
    net.train()


for step in range(201):
    if step % 40 == 0:
        evaluate()
    rows = torch.randint(512, (16,))
    loss = F.cross_entropy(net(x[rows]), y[rows])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""
SLICED = "F.cross_entropy(net(x[512:]), y[512:])"
LOADED = "[F.cross_entropy(net(a), b) for a, b in val]"


def curve(watched: Any) -> list[tuple[int, float, str]]:
    """Return step and loss of each validation, and what stands for the training's own evaluation."""
    with (watched.folder / "metrics.csv").open(encoding="utf-8", newline="") as file:
        return [(int(row["step"]), float(row["val_loss"]), row["train_eval_loss"]) for row in csv.DictReader(file)]


def check(watched: Any) -> None:
    found = curve(watched)
    assert [step for step, _, _ in found] == [0, 40, 80, 120, 160, 200]
    losses = [loss for _, loss, _ in found]
    assert losses[0] > 0.5 > 0.3 > losses[-1]
    assert {own for _, _, own in found} == {""}, "what was evaluated before the first step is validation, too"


def test_each_evaluation_has_a_row_of_its_own(watch_script: WatchScript) -> None:
    check(watch_script(SCRIPT.replace("EVALUATE", SLICED)))


def test_a_loader_for_validation_alone_counts_no_epochs(watch_script: WatchScript) -> None:
    check(watch_script(SCRIPT.replace("EVALUATE", LOADED)))
