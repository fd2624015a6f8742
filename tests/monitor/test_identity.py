"""The monitor changes nothing: losses, gradients, weights, buffers and random streams are the same bits without it."""

from __future__ import annotations

import copy
import io
import random
from typing import Any

import numpy as np
import pytest
import torch

from dlcheck.monitor.monitor import Monitor
from dlcheck.monitor.record import Record
from tests.monitor.trainings import LOOPS, Cnn, Loop, images, mlp, watched


def run(loop: Loop, monitor: Monitor | None) -> list[Any]:
    torch.manual_seed(1)
    np.random.seed(1)
    random.seed(1)
    seen = loop(monitor)
    return [*seen, torch.get_rng_state(), torch.tensor(random.random()), torch.tensor(np.random.rand())]


@pytest.mark.parametrize("loop", LOOPS, ids=lambda loop: loop.__name__)
@pytest.mark.parametrize("budget", [0.02, 1e6], ids=["usual", "every step"])
@pytest.mark.filterwarnings("ignore:.*lr_scheduler.*", "ignore:.*NumPy global RNG.*", "ignore:dtype.*reentrant.*")
def test_a_training_is_the_same_bits_under_the_monitor(loop: Loop, budget: float) -> None:
    plain = run(loop, None)
    record = Record()
    monitor = Monitor(record, budget=budget)
    monitored = run(loop, monitor)
    monitor.close()
    assert len(plain) == len(monitored)
    for one, other in zip(plain, monitored, strict=True):
        assert torch.equal(one, other) or (one.isnan() == other.isnan()).all()
        assert torch.equal(one.nan_to_num(), other.nan_to_num())
    assert record.run().events == ()
    assert monitor.step > 0


def test_copies_and_files_of_a_hooked_model_hold_nothing_of_the_monitor() -> None:
    model, plain = Cnn(), Cnn()
    plain.load_state_dict(model.state_dict())
    monitor = Monitor(Record())
    monitor.add_model(model)
    optimizer = torch.optim.Adam(model.parameters())
    monitor.add_optimizer(optimizer)
    loss = images(model)
    loss.backward()  # type: ignore[no-untyped-call]
    file, states = io.BytesIO(), io.BytesIO()
    torch.save(model, file)
    torch.save(optimizer, states)
    assert b"dlcheck" not in file.getvalue() + states.getvalue()
    file.seek(0)
    for other in (copy.deepcopy(model), torch.load(file, weights_only=False)):
        other.eval()
        before = len(record_rows(monitor))
        assert torch.equal(other(torch.ones(2, 1, 8, 8)), model.eval()(torch.ones(2, 1, 8, 8)))
        assert len(record_rows(monitor)) == before
    copy.deepcopy(optimizer)
    assert list(model.state_dict()) == list(plain.state_dict())


def record_rows(monitor: Monitor) -> list[Any]:
    return list(monitor.record.run().layers.itertuples())


def test_nothing_is_left_on_a_model_after_the_monitor_is_closed() -> None:
    model = Cnn()
    optimizer = torch.optim.Adam(model.parameters())
    monitor = Monitor(Record(), budget=1e6)
    watched(monitor, model, optimizers=(optimizer,))
    images(model).backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    monitor.close()
    for module in model.modules():
        assert not module._forward_hooks
        assert not module._forward_pre_hooks
    assert not optimizer._optimizer_step_pre_hooks
    assert not optimizer._optimizer_step_post_hooks


def test_between_samples_no_layer_carries_a_hook() -> None:
    model = Cnn()
    optimizer = torch.optim.Adam(model.parameters())
    monitor = Monitor(Record(), budget=1e6)
    watched(monitor, model, optimizers=(optimizer,))
    images(model)
    assert not any(module._forward_hooks for module in model.modules() if module is not model)


def test_a_part_of_the_monitor_that_fails_is_told_of_once_and_the_training_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*args: object) -> None:
        raise RuntimeError("no such operation")

    monkeypatch.setattr(torch, "_foreach_sub", broken)
    record = Record()
    monitor = Monitor(record)
    seen = run(mlp, monitor)
    monkeypatch.undo()
    plain = run(mlp, None)
    assert all(torch.equal(one, other) for one, other in zip(seen, plain, strict=True))
    assert [(event.kind, event.detail["part"]) for event in record.run().events] == [("monitor-failed", "optimizer")]
