"""Between the steps that are listened to, nothing that matters is missed."""

import csv
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from dlcheck.monitor.budget import Attention, Budget
from dlcheck.watching.rest import Rest

WatchScript = Callable[..., Any]

SCRIPT = """
import json
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
x = torch.randn(512, 8)
y = (x[:, 0] + x[:, 1] > 0).long()
train = DataLoader(TensorDataset(x[:384], y[:384]), batch_size=16, shuffle=True)
val = DataLoader(TensorDataset(x[384:], y[384:]), batch_size=64)
net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Dropout(0.1), nn.Linear(16, 2))
optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
losses = []
for epoch in range(12):
    net.train()
    for a, b in train:
        # before the step
        optimizer.zero_grad()
        loss = F.cross_entropy(net(a), b)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    net.eval()
    with torch.no_grad():
        for a, b in val:
            F.cross_entropy(net(a), b)
    # after the epoch
with open("out.json", "w") as file:
    json.dump([losses, sum(p.double().sum().item() for p in net.parameters())], file)
"""
STEPS = 12 * 24


@pytest.fixture(params=[True, False], ids=["rest", "thorough"])
def poor(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Leave nothing for steps but those that are always listened to."""
    monkeypatch.setattr(Budget, "affordable", property(lambda self: False))
    monkeypatch.setattr(Budget, "short", property(lambda self: request.param))
    return bool(request.param)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.usefixtures("poor")
def test_every_loss_and_every_evaluation_is_there(watch_script: WatchScript) -> None:
    watched = watch_script(SCRIPT)
    losses, _ = json.loads(Path("out.json").read_text(encoding="utf-8"))
    steps = rows(watched.folder / "steps.csv")
    assert [int(row["step"]) for row in steps] == list(range(1, STEPS + 1))
    assert [float(row["loss"]) for row in steps] == pytest.approx(losses)
    assert [int(row["epoch"]) for row in steps] == [1 + place // 24 for place in range(STEPS)]
    epochs = rows(watched.folder / "metrics.csv")
    assert len(epochs) == 12
    assert all(row["val_loss"] and row["val_accuracy"] and row["train_loss"] for row in epochs)
    assert not [one.code for one in watched.report.outcome.findings if one.severity.label != "info"]


@pytest.mark.usefixtures("poor")
def test_the_training_is_the_same_bits(watch_script: WatchScript) -> None:
    watch_script(SCRIPT)
    watched = json.loads(Path("out.json").read_text(encoding="utf-8"))
    exec(compile(SCRIPT, "plain.py", "exec"), {"__name__": "__main__"})
    assert json.loads(Path("out.json").read_text(encoding="utf-8")) == watched


@pytest.mark.usefixtures("poor")
def test_a_late_nan_is_computed_again_and_named(watch_script: WatchScript) -> None:
    broken = SCRIPT.replace(
        "        # before the step\n",
        "        a = a.clone()\n        if len(losses) == 203:\n            a[5] = math.nan\n",
    )
    watched = watch_script("import math\n" + broken)
    finding = next(
        one for one in watched.report.outcome.findings if one.code in {"D101", "G301", "C401"} and one.primary
    )
    fact = json.loads((watched.folder / "facts.json").read_text(encoding="utf-8"))["nonfinite"]
    assert finding.severity.label == "error"
    assert fact["step"] == 204
    assert fact["kind"] == "input"
    assert fact["rows"] == [5]
    assert fact["replayed"]


@pytest.mark.usefixtures("poor")
def test_a_model_left_in_evaluation_mode_late_is_seen(watch_script: WatchScript) -> None:
    watched = watch_script(SCRIPT.replace("    net.train()\n", "    if epoch < 6:\n        net.train()\n"))
    assert "M213" in {one.code for one in watched.report.outcome.findings}


@pytest.mark.usefixtures("poor")
def test_a_label_out_of_range_late_is_explained(watch_script: WatchScript) -> None:
    broken = SCRIPT.replace("        # before the step\n", "        if len(losses) == 203:\n            b[3] = 7\n")
    watched = watch_script(broken)
    assert isinstance(watched.ending.error, IndexError)
    assert watched.codes == {"D104"}


@pytest.mark.usefixtures("poor")
def test_a_new_optimizer_is_watched_from_its_second_step(watch_script: WatchScript) -> None:
    again = SCRIPT.replace(
        "    # after the epoch\n",
        "    if epoch == 8:\n        optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)\n",
    )
    watched = watch_script(again)
    settings = json.loads((watched.folder / "facts.json").read_text(encoding="utf-8"))["optimizer_settings"]
    assert {group["optimizer"] for group in settings["groups"]} == {"SGD", "Adam"}
    assert int(rows(watched.folder / "steps.csv")[-1]["step"]) >= STEPS - 1


PLAIN_EVALUATION = """    with torch.no_grad():
        F.cross_entropy(net(x[384:]), y[384:])
"""


@pytest.mark.usefixtures("poor")
def test_an_evaluation_without_a_loader_is_heard_from_its_first_call(watch_script: WatchScript) -> None:
    start = SCRIPT.index("    with torch.no_grad():")
    end = SCRIPT.index("    # after the epoch")
    watched = watch_script(SCRIPT[:start] + PLAIN_EVALUATION + SCRIPT[end:])
    epochs = [row for row in rows(watched.folder / "metrics.csv") if row["val_loss"]]
    assert len(epochs) == 12
    assert "M212" not in {one.code for one in watched.report.outcome.findings}


@pytest.mark.usefixtures("poor")
def test_an_evaluation_in_training_mode_is_seen_without_a_loader(watch_script: WatchScript) -> None:
    start = SCRIPT.index("    net.eval()")
    end = SCRIPT.index("    # after the epoch")
    watched = watch_script(SCRIPT[:start] + PLAIN_EVALUATION + SCRIPT[end:])
    assert "M212" in {one.code for one in watched.report.outcome.findings if one.primary}


@pytest.mark.usefixtures("poor")
def test_an_evaluation_that_fails_at_rest_leaves_all_as_it_was(watch_script: WatchScript) -> None:
    start = SCRIPT.index("    with torch.no_grad():")
    end = SCRIPT.index("    # after the epoch")
    failing = PLAIN_EVALUATION.replace("net(x[384:])", "net(x[384:, :3])")
    caught = f"    try:\n{failing.replace('    ', '        ', 1)}    except RuntimeError:\n        pass\n"
    caught = caught.replace("        F.cross", "            F.cross")
    watched = watch_script(SCRIPT[:start] + caught + SCRIPT[end:])
    assert watched.ending.error is None
    assert len(rows(watched.folder / "steps.csv")) == STEPS
    assert not [one for one in watched.report.outcome.findings if one.severity.label != "info"]


def simulated(budget: Budget, *, step_s: float, cost_s: float, steps: int) -> None:
    """Spend on a step whatever the account allows."""
    for _ in range(steps):
        looked = budget.affordable
        own = cost_s if looked else 1e-6
        budget.step(step_s + own, own, how=Attention.SAMPLED if looked else Attention.RESTING)


@pytest.mark.parametrize(("step_s", "cost_s"), [(1e-3, 2e-3), (0.05, 0.02), (0.5, 0.4)])
def test_the_account_is_kept(step_s: float, cost_s: float) -> None:
    budget = Budget(0.02)
    simulated(budget, step_s=step_s, cost_s=cost_s, steps=max(3000, math.ceil(100 / step_s / 10)))
    assert 0.005 < budget.own_s / budget.total_s < 0.02 + 0.11 / budget.total_s


def test_a_pause_earns_no_more_than_a_few_steps() -> None:
    budget = Budget(0.02)
    simulated(budget, step_s=0.01, cost_s=1.0, steps=100)
    before = budget.total_s
    simulated(budget, step_s=60.0, cost_s=1.0, steps=1)
    assert budget.total_s - before == pytest.approx(0.03, rel=0.2)


ADDRESSES = """
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(0)
first, later, other = (np.random.randn(16, 8).astype("float32") for _ in range(3))
net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Dropout(0.5), nn.Linear(16, 2))
optimizer = torch.optim.SGD(net.parameters(), lr=0.05)


def labels(x):
    return (x[:, 0] > 0).long()


for step in range(200):
    rows = first if step < 140 else later
    rows[:] = np.random.randn(16, 8)
    x = torch.from_numpy(rows)
    optimizer.zero_grad()
    F.cross_entropy(net(x), labels(x)).backward()
    optimizer.step()
    if step in (150, 170, 190):
        with torch.no_grad():
            for buffer in (first, other):
                x = torch.from_numpy(buffer)
                F.cross_entropy(net(x), labels(x))
"""


@pytest.mark.usefixtures("poor")
def test_an_address_seen_long_ago_is_no_second_look_at_a_batch(watch_script: WatchScript) -> None:
    watched = watch_script(ADDRESSES)
    assert not watched.report.run.facts["evaluation_mode"]["repeated"]


@pytest.mark.usefixtures("poor")
def test_losses_in_a_list_are_looked_at_in_full_at_rest(watch_script: WatchScript) -> None:
    watched = watch_script(SCRIPT.replace("loss.backward()", "torch.autograd.backward([loss])"))
    assert watched.ending.error is None
    assert len(rows(watched.folder / "steps.csv")) == STEPS


@pytest.mark.parametrize("loss", [torch.tensor(1j), torch.tensor(math.nan), torch.ones(2), [torch.tensor(1.0)], None])
def test_rest_takes_no_loss_that_is_not_one_finite_number(loss: object) -> None:
    rest = Rest()
    assert not rest.heard(loss)
    assert not rest.losses
    assert rest.heard(torch.tensor(1.0))
    assert rest.losses == [1.0]
