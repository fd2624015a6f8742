"""Whatever ends a watch, PyTorch is afterwards, object by object, what it was before."""

import copy
import pickle
import signal
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import optimizer as optimizing
from torch.utils.data import DataLoader, TensorDataset

import dlcheck
from dlcheck.monitor.budget import Budget
from dlcheck.runs.facts import Clipping, GradientClearing, WeightsMoving, fact
from dlcheck.watching.calls import COMPILED
from dlcheck.watching.taps import LOSSES
from tests.watching.conftest import WatchScript

PACKAGES = ("torch.nn", "torch.optim", "torch.utils.data", "torch.autograd", "torch.amp", "torch.jit", "torch.cuda.amp")

Snapshot = dict[tuple[str, str], object]


def snapshot() -> Snapshot:
    """Return every attribute of PyTorch's modules, and of the classes in them."""
    found: Snapshot = {}
    for place, module in list(sys.modules.items()):
        if not isinstance(module, ModuleType) or not (place == "torch" or place.startswith(PACKAGES)):
            continue
        for name, value in list(vars(module).items()):
            found[place, name] = value
            if isinstance(value, type) and value.__module__ == place:
                found |= {(f"{place}.{name}", own): inner for own, inner in vars(value).items()}
    return found


def replaced(before: Snapshot) -> set[str]:
    """Return what is another object now."""
    now = snapshot()
    return {f"{place}.{name}" for (place, name), value in before.items() if now.get((place, name)) is not value}


def process() -> tuple[object, ...]:
    """Return what else of a process somebody might have hooked."""
    return (
        list(sys.meta_path),
        sys.excepthook,
        sys.gettrace(),
        sys.getprofile(),
        signal.getsignal(signal.SIGINT),
        signal.getsignal(signal.SIGTERM),
        dict(optimizing._global_optimizer_pre_hooks),
        dict(optimizing._global_optimizer_post_hooks),
        dict(nn.modules.module._global_forward_hooks),
        dict(nn.modules.module._global_forward_pre_hooks),
        dict(nn.modules.module._global_backward_hooks),
        torch.get_num_threads(),
        torch.is_grad_enabled(),
    )


def test_a_snapshot_sees_what_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    before = snapshot()
    monkeypatch.setattr(nn.Module, "__call__", lambda self: None)
    monkeypatch.setattr(nn.functional, "mse_loss", None)
    assert replaced(before) == {"torch.nn.modules.module.Module.__call__", "torch.nn.functional.mse_loss"}


class Own(RuntimeError):
    """What a training raises."""


def train(model: nn.Module, optimizer: torch.optim.Optimizer, *, steps: int = 40, fails: bool = False) -> None:
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 10)
    x = torch.randn(64, 8)
    loader = DataLoader(TensorDataset(x, (x[:, 0] > 0).long()), 16)
    for _ in range(steps // 4):
        for inputs, labels in loader:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(inputs), labels)
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
        scheduler.step()
        if fails:
            raise Own


def network() -> nn.Sequential:
    return nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Dropout(0.1), nn.Linear(8, 2))


def hooks(model: nn.Module, optimizer: torch.optim.Optimizer) -> int:
    """Count the hooks of a training's own objects."""
    tables: list[Any] = [optimizer._optimizer_step_pre_hooks, optimizer._optimizer_step_post_hooks]
    for module in model.modules():
        tables += [module._forward_hooks, module._forward_pre_hooks, module._backward_hooks]
    tables += [parameter._backward_hooks or {} for parameter in model.parameters()]
    return sum(map(len, tables))


@pytest.mark.parametrize("fails", [False, True])
def test_a_watch_in_a_loop_of_one_s_own(tmp_path: Path, fails: bool) -> None:
    model = network()
    optimizer = torch.optim.Adam(model.parameters())
    train(model, optimizer, steps=4)  # what PyTorch imports and caches at its first use
    before, around = snapshot(), process()
    run = dlcheck.watch(model, optimizer, run_dir=tmp_path / "run")
    assert not replaced(before)
    try:
        with run:
            assert "torch.nn.modules.module.Module.__call__" in replaced(before)
            train(model, optimizer, fails=fails)
    except Own:
        assert fails
    assert not replaced(before)
    assert process() == around
    assert hooks(model, optimizer) == 0
    assert run.run.facts["finished"] is not fails


SCRIPT = """
import torch
from torch import nn

model = nn.Linear(8, 2)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(40):
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(torch.randn(16, 8)), torch.randint(2, (16,))).backward()
    optimizer.step()
{end}
"""


@pytest.mark.parametrize("end", ["", "raise SystemExit(3)", "1 / 0", "raise KeyboardInterrupt"])
def test_a_watched_script(watch_script: WatchScript, end: str) -> None:
    model = network()
    train(model, torch.optim.SGD(model.parameters(), lr=0.1), steps=4)
    before, around = snapshot(), process()
    done = watch_script(SCRIPT.format(end=end))
    assert not replaced(before)
    assert process() == around
    expected = {"": 0, "raise SystemExit(3)": 3, "1 / 0": 1, "raise KeyboardInterrupt": 130}
    assert done.ending.status == expected[end]


def test_one_watch_after_another(tmp_path: Path) -> None:
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for turn in range(2):
        with dlcheck.watch(model, optimizer, run_dir=tmp_path / f"run{turn}") as run:
            train(model, optimizer)
        clearing = fact(run.run, GradientClearing)
        assert clearing is not None
        assert clearing.cleared_by == "zero_grad"


def test_one_watch_within_another(tmp_path: Path) -> None:
    before, seen = snapshot(), []
    with dlcheck.watch(run_dir=tmp_path / "outer") as outer:
        for name in ("first", "second"):
            model = network()
            optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
            with dlcheck.watch(model, optimizer, run_dir=tmp_path / name) as inner:
                train(model, optimizer)
            seen.append(fact(inner.run, WeightsMoving))
    assert [one and one.steps for one in seen] == [40, 40]
    assert outer.verdict != "sick"
    assert not replaced(before)


def test_functions_that_are_listened_to_can_be_pickled(tmp_path: Path) -> None:
    clip, names = nn.utils.clip_grad, [*LOSSES]
    with dlcheck.watch(run_dir=tmp_path / "run"):
        found = [getattr(nn.functional, name) for name in names]
        found += [nn.utils.clip_grad_norm_, clip.clip_grad_norm_, torch.autograd.backward]
        packed = pickle.dumps(found)
        assert all(a is b for a, b in zip(pickle.loads(packed), found, strict=True))
    # A process that nobody watches finds PyTorch's own under these names.
    assert pickle.loads(packed) == [
        *(getattr(nn.functional, name) for name in names),
        nn.utils.clip_grad_norm_,
        nn.utils.clip_grad_norm_,
        torch.autograd.backward,
    ]


@pytest.mark.parametrize("place", [nn.utils, nn.utils.clip_grad])
def test_clipping_is_heard_under_both_of_its_names(tmp_path: Path, place: Any) -> None:
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with dlcheck.watch(model, optimizer, run_dir=tmp_path / "run") as run:
        for _ in range(8):
            optimizer.zero_grad()
            model(torch.randn(16, 8)).square().mean().backward()
            place.clip_grad_norm_(model.parameters(), 0.01)
            optimizer.step()
    clipping = fact(run.run, Clipping)
    assert clipping is not None
    assert (clipping.calls, clipping.clipped, clipping.limit) == (8, 8, 0.01)


class Stateful(nn.Sequential):
    """A model that says itself what is pickled of it, and thinks of no one else."""

    def __getstate__(self) -> dict[str, Any]:
        return dict(self.__dict__)


@pytest.mark.parametrize("kind", [nn.Sequential, Stateful])
def test_copies_made_at_rest_are_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: type[nn.Module]) -> None:
    monkeypatch.setattr(Budget, "affordable", property(lambda self: False))
    monkeypatch.setattr(Budget, "short", property(lambda self: True))
    model = kind(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2))
    optimizer = torch.optim.Adam(model.parameters())
    with dlcheck.watch(model, optimizer, run_dir=tmp_path / "run"):
        train(model, optimizer, steps=100)
        assert COMPILED in vars(model), "it rests"
        copies = [copy.deepcopy(model), pickle.loads(pickle.dumps(model))]
        train(model, optimizer, steps=4)
    x = torch.randn(5, 8)
    assert COMPILED not in vars(model)
    for one in copies:
        assert vars(one).get(COMPILED) is None
        assert "dlcheck" not in repr(vars(one))
        fresh = kind(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2))
        fresh.load_state_dict(one.state_dict())
        assert torch.equal(one(x), fresh(x))
        assert not torch.equal(one(x), model(x))


def test_a_model_that_is_compiled_at_rest_stays_compiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Budget, "affordable", property(lambda self: False))
    monkeypatch.setattr(Budget, "short", property(lambda self: True))
    model = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2))
    optimizer = torch.optim.Adam(model.parameters())
    with dlcheck.watch(model, optimizer, run_dir=tmp_path / "run"):
        train(model, optimizer, steps=100)
        model.compile(backend="eager")
        compiled = vars(model)[COMPILED]
        train(model, optimizer, steps=8)
    assert vars(model)[COMPILED] is compiled
