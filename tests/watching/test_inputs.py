"""What is told of the numbers that enter a network, where the network itself scales them."""

from collections.abc import Callable
from typing import Any

import pytest

TRAINING = """
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
labels = torch.arange(640) % 4
pixels = (torch.rand(640, 16) * 100 + 30 * labels[:, None]).round().clamp(0, 255)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden, self.out = nn.Linear(16, 32), nn.Linear(32, 4)

    def forward(self, x):
        x = x / DIVISOR
        return self.out(torch.relu(self.hidden(x)))


net = Net()
optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
for epoch in range(3):
    for x, y in DataLoader(TensorDataset(pixels, labels), batch_size=32, shuffle=True):
        optimizer.zero_grad()
        loss = F.cross_entropy(net(x), y)
        loss.backward()
        optimizer.step()
"""


@pytest.mark.parametrize(("divisor", "raw"), [("255.0", False), ("1.0", True)])
def test_pixels_that_the_forward_pass_divides_are_not_raw(
    watch_script: Callable[..., Any], divisor: str, raw: bool
) -> None:
    watched = watch_script(TRAINING.replace("DIVISOR", divisor))
    assert ("D102" in {one.code for one in watched.report.outcome.findings}) is raw
