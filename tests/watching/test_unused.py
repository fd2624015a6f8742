"""What a script builds and does not use: a schedule that is never stepped, layers that no model registers."""

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
x = torch.randn(512, 8)
y = (x[:, 0] + x[:, 1] > 0).long()
train = DataLoader(TensorDataset(x, y), batch_size=32, shuffle=True)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = BODY
        self.head = nn.Linear(16, 2)

    def forward(self, x):
        for layer in self.body:
            x = layer(x)
        return self.head(x)


net = Net()
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
SCHEDULE
for epoch in range(5):
    for a, b in train:
        optimizer.zero_grad()
        F.cross_entropy(net(a), b).backward()
        optimizer.step()
    # after the epoch
"""
LAYERS = "[nn.Linear(8, 16), nn.ReLU()]"
REGISTERED = SCRIPT.replace("BODY", f"nn.ModuleList({LAYERS})")
MADE = "schedule = torch.optim.lr_scheduler.StepLR(optimizer, 2)"
CHAINED = """schedule = torch.optim.lr_scheduler.SequentialLR(
    optimizer,
    [torch.optim.lr_scheduler.LinearLR(optimizer), torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)],
    milestones=[2],
)"""


@pytest.mark.parametrize("schedule", [MADE, CHAINED], ids=["one", "chained"])
def test_a_schedule_that_is_never_stepped_is_named_with_its_line(watch_script: WatchScript, schedule: str) -> None:
    watched = watch_script(REGISTERED.replace("SCHEDULE", schedule))
    finding = next(one for one in watched.report.outcome.findings if one.code == "G312")
    assert "was not stepped in 5 epochs" in finding.summary
    assert finding.primary
    assert finding.where.line is not None


@pytest.mark.parametrize("schedule", [MADE, CHAINED], ids=["one", "chained"])
def test_one_that_is_stepped_is_fine(watch_script: WatchScript, schedule: str) -> None:
    script = REGISTERED.replace("SCHEDULE", schedule).replace("    # after the epoch", "    schedule.step()")
    assert "G312" not in watch_script(script).codes


def test_layers_in_a_plain_list_are_no_part_of_the_model(watch_script: WatchScript) -> None:
    watched = watch_script(SCRIPT.replace("BODY", LAYERS).replace("SCHEDULE", ""))
    finding = next(one for one in watched.report.outcome.findings if one.code == "M207")
    assert finding.primary
    assert finding.severity.label == "error"
    assert "Linear.weight (of a module that the model lacks)" in finding.summary


def test_registered_layers_are_fine(watch_script: WatchScript) -> None:
    watched = watch_script(REGISTERED.replace("SCHEDULE", ""))
    assert "M207" not in watched.codes


def test_steps_without_any_backward_pass_train_nothing(watch_script: WatchScript) -> None:
    script = REGISTERED.replace("SCHEDULE", "").replace("(net(a), b).backward()", "(net(a), b)")
    watched = watch_script(script)
    finding = next(one for one in watched.report.outcome.findings if one.code == "M207")
    assert finding.primary
    assert finding.severity.label == "error"
    assert "body.0.weight" in finding.summary


def test_gradients_that_are_set_by_hand_train(watch_script: WatchScript) -> None:
    by_hand = """parameters = list(net.parameters())
        for p, g in zip(parameters, torch.autograd.grad(F.cross_entropy(net(a), b), parameters)):
            p.grad = g"""
    script = REGISTERED.replace("SCHEDULE", "").replace("F.cross_entropy(net(a), b).backward()", by_hand)
    assert "M207" not in watch_script(script).codes


def test_a_frozen_judge_in_a_list_is_a_choice(watch_script: WatchScript) -> None:
    frozen = "[nn.Linear(8, 16).requires_grad_(False), nn.ReLU()]"
    assert "M207" not in watch_script(SCRIPT.replace("BODY", frozen).replace("SCHEDULE", "")).codes
