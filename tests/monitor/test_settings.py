"""Clipping and loss scales, against what PyTorch itself says of them."""

import math
import statistics

import pytest
import torch
from torch import Tensor, nn

from dlcheck.monitor.monitor import Monitor
from dlcheck.monitor.settings import EARLY, Scales
from dlcheck.monitor.transfer import Transfer
from dlcheck.runs.facts import Clipping, LossScale
from tests.monitor.loop import FEW, Loop


def scalars(loop: Loop, metric: str) -> dict[int, float]:
    """Return the values of a metric by step."""
    rows = loop.record.run().scalars
    assert rows is not None
    chosen = rows[rows["metric"] == metric]
    return dict(zip(chosen["step"].astype(int), chosen["value"], strict=True))


@pytest.mark.parametrize(("optimizer", "rescales"), [(torch.optim.SGD, False), (torch.optim.Adam, True)])
def test_norms_before_clipping_and_after(optimizer: type[torch.optim.Optimizer], rescales: bool) -> None:
    model = nn.Linear(8, 3)
    norms: list[float] = []

    def clip(monitor: Monitor) -> None:
        norm = nn.utils.clip_grad_norm_(model.parameters(), 0.2)
        norms.append(float(norm))
        monitor.clipped(norm, 0.2)

    loop = Loop(model, optimizer(model.parameters(), lr=0.1), before_step=clip).run()  # type: ignore[call-arg]
    fact = loop.known(Clipping)
    assert (fact.calls, fact.clipped, fact.limit) == (FEW, sum(norm > 0.2 for norm in norms), 0.2)
    assert fact.median_norm == pytest.approx(statistics.median(norms))
    assert fact.p90_norm == pytest.approx(sorted(norms)[36])
    assert (fact.optimizer, fact.rescales) == (optimizer.__name__, rescales)
    before, after = scalars(loop, "grad_norm"), scalars(loop, "grad_norm_clipped")
    assert before.keys() == after.keys() >= {1, 2, 4, 8, 16, 32}
    for step, norm in before.items():
        assert norm == pytest.approx(norms[step - 1], rel=1e-5)
        assert after[step] == pytest.approx(min(norm, 0.2), rel=1e-4)


def test_norms_that_are_not_finite_are_left_out_of_the_middle() -> None:
    model = nn.Linear(8, 3)
    given = iter([1.0, math.inf, 3.0, math.nan, 5.0])
    loop = Loop(model, torch.optim.SGD(model.parameters(), lr=0.1))
    loop.before_step = lambda monitor: monitor.clipped(next(given), 2.0)
    fact = loop.run(5).known(Clipping)
    assert (fact.calls, fact.clipped, fact.median_norm, fact.p90_norm) == (5, 3, 3.0, 5.0)


def test_without_clipping_there_is_no_fact() -> None:
    model = nn.Linear(8, 3)
    loop = Loop(model, torch.optim.SGD(model.parameters(), lr=0.1)).run()
    assert loop.fact(Clipping) is None
    assert loop.fact(LossScale) is None
    assert not scalars(loop, "grad_norm_clipped")


def test_a_scale_that_falls_when_a_step_is_skipped() -> None:
    model = nn.Linear(8, 3)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0, growth_interval=8)
    loop = Loop(model, optimizer)
    loop.monitor.add_scaler(scaler)
    monitor, values = loop.monitor, []
    for step in range(1, FEW + 1):
        optimizer.zero_grad()
        loss: Tensor = model(torch.randn(32, 8)).square().mean()
        values.append(loss.item())
        scaled = scaler.scale(loss * math.inf if step in (3, 20) else loss)
        monitor.loss(scaled)
        scaled.backward()  # type: ignore[no-untyped-call]
        monitor.backward_ended()
        scaler.step(optimizer)
        scaler.update()
    monitor.close()
    fact = loop.known(LossScale)
    # Doubled after 8 good steps; halved after each of the 2 bad ones.
    good = [2, 16, FEW - 20]
    assert (fact.first, fact.lowest) == (1024.0, 512.0)
    assert fact.last == 1024.0 * 2.0 ** (good[1] // 8 + (good[2] - 1) // 8 - 2)
    assert (fact.skipped, fact.skipped_late, fact.late_steps, fact.steps) == (2, 0, 0, FEW)
    losses = scalars(loop, "batch_loss")
    for step, value in losses.items():
        if math.isfinite(value):
            assert any(value == pytest.approx(known, rel=1e-5) for known in values), step


class Scaler:
    """Stands for a gradient scaler whose scale is as it is set."""

    def __init__(self) -> None:
        self._scale = torch.tensor(8.0)

    def is_enabled(self) -> bool:
        return True


def test_steps_skipped_late() -> None:
    scaler = Scaler()
    scales = Scales(Transfer(), scaler)  # type: ignore[arg-type]
    made = 0
    for step in range(1, EARLY + 101):
        scales.look(made)
        if step in (10, EARLY + 50):
            scaler._scale = scaler._scale / 2
        else:
            made += 1
    fact = scales.fact(made)
    assert fact is not None
    assert (fact.steps, fact.skipped, fact.skipped_late, fact.late_steps) == (EARLY + 100, 2, 1, 100)
    assert (fact.first, fact.last, fact.lowest) == (8.0, 2.0, 2.0)


def test_a_scaler_that_is_off_says_nothing() -> None:
    scaler = torch.amp.GradScaler("cpu", enabled=False)
    scales = Scales(Transfer(), scaler)
    scaler.scale(torch.ones(()))
    scales.look(0)
    assert scales.tensor is None
    assert scales.fact(10) is None
