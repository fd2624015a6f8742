"""``with dlcheck.watch(model, optimizer) as run:`` changes nothing, and leaves nothing behind."""

import copy
import io
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset
from torch.utils.hooks import RemovableHandle

import dlcheck
from dlcheck.watching.taps import LOSSES


def train(watched: Path | None, *, clear: bool = True) -> tuple[list[float], list[Tensor], Tensor, object]:
    """Train a small network with dropout and batch norm, watched into a folder or not at all."""
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)
    x = torch.randn(256, 8)
    loader = DataLoader(TensorDataset(x, (x[:, 0] > 0).long()), 32, shuffle=True)
    model = nn.Sequential(nn.Linear(8, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Dropout(0.1), nn.Linear(32, 2))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    losses = []

    def loop() -> None:
        for _ in range(6):
            for inputs, labels in loader:
                if clear:
                    optimizer.zero_grad()
                loss = nn.functional.cross_entropy(model(inputs), labels)
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                losses.append(loss.item())

    run = None
    if watched is None:
        loop()
    else:
        with dlcheck.watch(model, optimizer, run_dir=watched) as run:
            loop()
    state = [value.clone() for value in model.state_dict().values()]
    gradients = [p.grad.clone() for p in model.parameters() if p.grad is not None]
    return losses, [*state, *gradients], torch.get_rng_state(), run


def test_results_are_bit_for_bit_those_without(tmp_path: Path) -> None:
    losses, tensors, stream, _ = train(None)
    watched_losses, watched_tensors, watched_stream, run = train(tmp_path / "run")
    assert losses == watched_losses
    assert all(torch.equal(a, b) for a, b in zip(tensors, watched_tensors, strict=True))
    assert torch.equal(stream, watched_stream)
    assert isinstance(run, dlcheck.Watched)
    assert run.verdict != "sick"
    assert not [one for one in run.findings if one.severity.label != "info"]


def test_a_fault_is_found_at_its_line(tmp_path: Path) -> None:
    *_, run = train(tmp_path / "run", clear=False)
    assert isinstance(run, dlcheck.Watched)
    first = run.findings[0]
    assert first.code == "G306"
    assert first.where.file is not None
    assert first.where.file.endswith("test_context.py")


def test_nothing_stays_in_pytorch(tmp_path: Path) -> None:
    before = [vars(nn.functional)[name] for name in LOSSES]
    calls = [nn.Module.__call__, nn.Module.__getstate__, torch.autograd.backward, DataLoader.__iter__]
    train(tmp_path / "run")
    assert before == [vars(nn.functional)[name] for name in LOSSES]
    assert calls == [nn.Module.__call__, nn.Module.__getstate__, torch.autograd.backward, DataLoader.__iter__]


def note(module: nn.Module, inputs: object, output: Tensor) -> None:
    """A hook of the script's own, which goes along with its model."""


def saved(watched: Path | None) -> tuple[bytes, nn.Sequential, nn.Sequential]:
    """Train a little and save the whole model in the midst of it."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 2))
    RemovableHandle.next_id = 1000  # hooks are saved with their numbers
    model[0].register_forward_hook(note)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)

    def loop() -> tuple[bytes, nn.Sequential, nn.Sequential]:
        for _ in range(60):
            x = torch.randn(32, 8)
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x), (x[:, 0] > 0).long()).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        file = io.BytesIO()
        torch.save(model, file)
        return file.getvalue(), copy.deepcopy(model), model

    if watched is None:
        return loop()
    with dlcheck.watch(model, optimizer, run_dir=watched):
        return loop()


def test_a_model_is_saved_and_copied_as_it_is_without(tmp_path: Path) -> None:
    plain, *_ = saved(None)
    watched, twin, model = saved(tmp_path / "run")
    assert watched == plain
    kinds: list[Any] = [nn.Sequential, nn.Linear, nn.ReLU, note]
    with torch.serialization.safe_globals(kinds):
        loaded = torch.load(io.BytesIO(watched), weights_only=True)
    for one in (twin, loaded):
        assert [list(module._forward_hooks.values()) for module in one.modules()] == [[], [note], [], []]
    assert list(model[0]._forward_hooks.values()) == [note]


def test_an_existing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(dlcheck.DlcheckError, match="exists already"):
        dlcheck.watch(run_dir=tmp_path)
