"""The deep pass: on a CPU its passes run and find nothing to tell; on CUDA what was planted."""

from __future__ import annotations

import textwrap
import time
from pathlib import Path

import pytest
import torch
from torch import Tensor

from dlcheck.errors import DlcheckError
from dlcheck.profiling.aside import aside
from dlcheck.profiling.deep import STEPS, deep_pass, recorded
from dlcheck.profiling.deep_table import DeepTable
from dlcheck.profiling.settings import Subject, TrialSettings
from dlcheck.profiling.sync_watch import SyncWatch
from dlcheck.runs.facts import Launches, Syncs, Transfers

SCRIPT = """
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

device = "cuda" if torch.cuda.is_available() else "cpu"
model = nn.Sequential(nn.Linear(12, 32), *[nn.Linear(32, 32) for _ in range({depth})], nn.Linear(32, 4)).to(device)
optimizer = torch.optim.SGD(model.parameters(), 0.01)
data = TensorDataset(torch.randn(640, 12), torch.randint(4, (640,)))
for epoch in range({epochs}):
    for x, y in DataLoader(data, 32):
        loss = nn.functional.cross_entropy(model(x.to(device)), y.to(device))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        {after}
"""


def script(folder: Path, *, depth: int = 1, epochs: int = 50, after: str = "pass") -> TrialSettings:
    path = folder / "train.py"
    path.write_text(textwrap.dedent(SCRIPT).format(depth=depth, epochs=epochs, after=after))
    return TrialSettings(Subject("script", str(path)))


def test_on_a_cpu_there_is_nothing_to_look_at() -> None:
    found = deep_pass(TrialSettings(Subject("recipe", "digits")), "cpu")
    assert (found.facts, found.note) == ((), "")


def test_all_passes_of_a_script_are_made(tmp_path: Path) -> None:
    table: DeepTable = aside(recorded, script(tmp_path), timeout_s=120)
    assert table.steps == STEPS
    assert len(table.computing) == STEPS
    assert table.period_s > 0
    if not torch.cuda.is_available():
        assert (table.activities, table.waits) == ((), ())


@pytest.mark.slow
def test_script_that_is_too_short_says_so(tmp_path: Path) -> None:
    path = tmp_path / "train.py"
    path.write_text("print('done')")
    with pytest.raises(DlcheckError, match="too few steps"):
        aside(recorded, TrialSettings(Subject("script", str(path))), timeout_s=120)


def test_calls_that_wait_are_timed_once_and_put_back() -> None:
    before = Tensor.item, torch.cuda.synchronize
    had = "to" in vars(Tensor)

    def slow(tensor: Tensor) -> bool:
        time.sleep(0.001)
        return tensor.numel() > 0

    original = Tensor.__float__
    with SyncWatch(slow, warn=False) as watch:
        value = torch.ones(1)
        value.item()
        float(value)
        value.tolist()
    assert (Tensor.item, torch.cuda.synchronize) == before
    assert Tensor.__float__ is original
    assert ("to" in vars(Tensor)) == had
    assert all(wait.seconds < 1 for wait in watch.waits)
    assert {wait.what for wait in watch.waits} <= {"Tensor.item", "Tensor.__float__", "Tensor.tolist"}


def test_line_of_a_wait_is_the_callers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dlcheck.profiling.sync_watch.SHORTEST_S", 0.0)
    with SyncWatch(lambda _: True, warn=False) as watch:
        torch.ones(1).item()
    (wait,) = (one for one in watch.waits if one.what == "Tensor.item")
    assert wait.site is not None
    assert wait.site.file.endswith("test_deep.py")


def test_what_a_call_raises_passes_through() -> None:
    with SyncWatch(lambda _: True, warn=False), pytest.raises(RuntimeError):
        torch.ones(2).item()


@pytest.mark.gpu
def test_item_of_every_step_is_found_on_cuda(tmp_path: Path) -> None:
    found = deep_pass(script(tmp_path, after="loss.item()"), "cuda:0")
    waits = next(fact for fact in found.facts if isinstance(fact, Syncs))
    point = next(point for point in waits.points if point.what == "Tensor.item")
    assert point.per_step == pytest.approx(1.0)
    assert point.site is not None
    assert point.site.file.endswith("train.py")


@pytest.mark.gpu
def test_many_small_kernels_leave_a_cuda_device_idle(tmp_path: Path) -> None:
    found = deep_pass(script(tmp_path, depth=200), "cuda:0")
    launched = next(fact for fact in found.facts if isinstance(fact, Launches))
    assert launched.kernels > 400
    assert launched.idle_share > 0.15
    copied = next(fact for fact in found.facts if isinstance(fact, Transfers))
    assert copied.pinned is False
