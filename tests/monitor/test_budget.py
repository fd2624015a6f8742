"""The account of what watching costs: kept in trainings of known times."""

from dataclasses import dataclass

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from dlcheck.monitor.budget import ALLOWANCE_S, HOOK_S, PAUSE, USUAL_SHARE, Attention, Budget, Schedule
from tests.monitor.loop import Loop, noise

TIMES = st.floats(1e-4, 1.0)
SHARES = st.floats(0.002, 0.2)


@dataclass
class Training:
    """Steps of one length, watched by something whose looks and listening take known times."""

    step_s: float
    sample_s: float
    listen_s: float = 0.0
    share: float = USUAL_SHARE

    def run(self, steps: int) -> tuple[Budget, list[int], float]:
        """Return the account, the steps that were looked at because they could be afforded, and what all cost."""
        budget, schedule, chosen, spent = Budget(self.share), Schedule(), list[int](), 0.0
        for step in range(1, steps + 1):
            always, looked = schedule.due(step, affordable=False), schedule.due(step, budget.affordable)
            own = self.sample_s if looked else self.listen_s
            if looked:
                schedule.last = step
                chosen += [] if always else [step]
            budget.step(self.step_s + own, own, how=Attention.SAMPLED if looked else Attention.LISTENING)
            spent += own
        return budget, chosen, spent


@given(TIMES, TIMES, SHARES, st.integers(10, 600))
def test_looks_that_are_a_choice_are_within_the_share(step_s: float, sample_s: float, share: float, steps: int) -> None:
    budget, chosen, spent = Training(step_s, sample_s, share=share).run(steps)
    earned = share * step_s * steps
    once = ALLOWANCE_S * min(share / USUAL_SHARE, 1.0)
    # The cost of a look is known after the first: the very first one is no choice.
    assert len(chosen) * sample_s <= earned + once + 1e-9
    assert budget.total_s == pytest.approx(step_s * steps)
    assert budget.own_s == pytest.approx(spent + HOOK_S * steps)
    assert budget.step_s == pytest.approx(step_s)


def test_cheap_looks_are_many_and_dear_ones_few() -> None:
    _, cheap, _ = Training(step_s=0.1, sample_s=1e-4).run(2000)
    _, dear, _ = Training(step_s=0.1, sample_s=0.1).run(2000)
    _, none, _ = Training(step_s=0.001, sample_s=10.0).run(2000)
    assert len(cheap) > 5 * len(dear) > 0
    assert none == []


def test_a_larger_share_buys_more() -> None:
    counts = [len(Training(0.05, 0.05, share=share).run(2000)[1]) for share in (0.005, 0.02, 0.1)]
    assert counts == sorted(counts)
    assert counts[0] < counts[-1]


def test_a_share_of_nothing_buys_nothing() -> None:
    assert Training(0.1, 1e-4, share=0.0).run(500)[1] == []


def test_a_pause_earns_no_more_than_some_steps() -> None:
    budget = Budget(0.02)
    for _ in range(100):
        budget.step(0.01, 0.0, how=Attention.RESTING)
    budget.step(3600.0, 36.0, how=Attention.LISTENING)
    assert budget.total_s == pytest.approx(0.01 * (100 + PAUSE))
    # What was done in it counts in proportion.
    assert budget.waking_s == pytest.approx(36.0 * PAUSE * 0.01 / 3564.0 + HOOK_S)
    assert budget.step_s == pytest.approx(0.9 * 0.01 + 0.1 * PAUSE * 0.01)


def test_steps_entered_together_count_as_many() -> None:
    one, many = Budget(0.02), Budget(0.02)
    for _ in range(64):
        one.step(0.011, 0.001, how=Attention.RESTING)
    for _ in range(4):
        many.step(16 * 0.011, 16 * 0.001, how=Attention.RESTING, steps=16)
    for name in ("total_s", "resting_s", "step_s", "own_s"):
        assert getattr(many, name) == pytest.approx(getattr(one, name)), name


def test_more_own_time_than_time_is_no_negative_step() -> None:
    budget = Budget(0.02)
    budget.step(0.001, 0.5, how=Attention.SAMPLED)
    assert (budget.total_s, budget.step_s) == (0.0, 0.0)
    assert not budget.affordable


def test_a_monitor_s_account_is_that_of_its_training() -> None:
    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2))
    loop = Loop(model, torch.optim.SGD(model.parameters(), lr=0.01)).run(200, noise(features=64))
    budget, guard = loop.monitor.budget, loop.monitor.guard
    assert budget.step_s > 0
    assert budget.total_s > 0
    # Steps that are not entered yet, and pauses, are missing.
    assert 0 < budget.own_s - HOOK_S * 200 <= guard.spent
