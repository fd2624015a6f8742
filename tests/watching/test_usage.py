"""How a script uses its optimizer and its graphs: what only the calls themselves tell."""

from collections.abc import Callable
from typing import Any

import pytest

TRAINING = """
import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(0)
x = torch.randn(256, 8)
y = (x[:, 0] > 0).long()
net = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 2))
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
for step in range(40):
    rows = torch.randint(256, (32,))
    optimizer.zero_grad()
    loss = F.cross_entropy(net(x[rows]), y[rows])
    loss.backward(RETAIN)
    BEFORE
    optimizer.step()
    AFTER
"""
CLIP = "nn.utils.clip_grad_norm_(net.parameters(), 1.0)"
WatchScript = Callable[..., Any]


def facts(watch_script: WatchScript, *, retain: str = "", before: str = "pass", after: str = "pass") -> Any:
    watched = watch_script(TRAINING.replace("RETAIN", retain).replace("BEFORE", before).replace("AFTER", after))
    return watched, watched.report.run.facts


@pytest.mark.parametrize(("before", "after", "late"), [(CLIP, "pass", False), ("pass", CLIP, True)])
def test_clipping_after_the_step_is_told(watch_script: WatchScript, before: str, after: str, late: bool) -> None:
    watched, known = facts(watch_script, before=before, after=after)
    assert known["clipping"]["after_step"] is late
    assert ("G308" in watched.codes) is late


@pytest.mark.parametrize("retain", ["", "retain_graph=True"])
def test_retained_graphs_are_told(watch_script: WatchScript, retain: str) -> None:
    assert facts(watch_script, retain=retain)[1]["graph_growth"]["retained"] is bool(retain)


def test_the_line_that_built_the_optimizer_is_known(watch_script: WatchScript) -> None:
    site = facts(watch_script)[1]["optimizer_settings"]["site"]
    line = next(at for at, text in enumerate(TRAINING.splitlines(), start=1) if text.startswith("optimizer ="))
    assert (site["file"], site["line"]) == ("script.py", line)
