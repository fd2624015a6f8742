"""The rate over a training: each curve's formula, warm-up, groups, and continuing from a state."""

import copy
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter
from torch import nn

from dlcheck.components.schedules import SCHEDULES, RateSchedule, build_schedule
from dlcheck.errors import DlcheckError
from dlcheck.recipe.optimizer import Schedule
from dlcheck.recipe.override import component_models

NAMES = sorted(set(component_models("schedule")) - {"custom"})


def sgd(*rates: float, momentum: float = 0.0) -> torch.optim.Optimizer:
    groups = [{"params": [nn.Parameter(torch.zeros(2))], "lr": rate} for rate in rates]
    return torch.optim.SGD(groups, lr=1.0, momentum=momentum)


def build(
    name: str,
    optimizer: torch.optim.Optimizer,
    *,
    steps_per_epoch: int = 4,
    epochs: int = 6,
    folder: Path | None = None,
    **keys: Any,
) -> RateSchedule:
    section = TypeAdapter(Schedule).validate_python({"name": name, **keys})
    return build_schedule(
        section,
        optimizer,
        steps_per_epoch=steps_per_epoch,
        total_steps=steps_per_epoch * epochs,
        folder=folder or Path(),
    )


def rates(
    schedule: RateSchedule,
    optimizer: torch.optim.Optimizer,
    *,
    steps_per_epoch: int = 4,
    epochs: int = 6,
    monitored: list[float] | None = None,
) -> list[float]:
    """The first group's rate in each step."""
    seen = []
    for epoch in range(epochs):
        for _ in range(steps_per_epoch):
            seen.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            schedule.after_step()
        schedule.after_epoch(monitored[epoch] if monitored else 1.0)
    return seen


def per_epoch(name: str, epochs: int = 6, monitored: list[float] | None = None, **keys: Any) -> list[float]:
    """The rate in each epoch of two steps, which must be equal."""
    optimizer = sgd(1.0)
    schedule = build(name, optimizer, steps_per_epoch=2, epochs=epochs, **keys)
    seen = rates(schedule, optimizer, steps_per_epoch=2, epochs=epochs, monitored=monitored)
    assert seen[::2] == seen[1::2]
    return seen[::2]


def per_step(name: str, steps: int, **keys: Any) -> list[float]:
    optimizer = sgd(1.0)
    schedule = build(name, optimizer, steps_per_epoch=steps, epochs=1, **keys)
    return rates(schedule, optimizer, steps_per_epoch=steps, epochs=1)


def test_every_section_has_a_builder() -> None:
    assert SCHEDULES.sections() == set(component_models("schedule").values())


def test_curves_by_epoch() -> None:
    assert per_epoch("constant") == [1] * 6
    assert per_epoch("step", every=2, gamma=0.5) == [1, 1, 0.5, 0.5, 0.25, 0.25]
    assert per_epoch("multistep", milestones=[1, 4, 99], gamma=0.5) == [1, 0.5, 0.5, 0.5, 0.25, 0.25]
    assert per_epoch("exponential", gamma=0.9) == pytest.approx([0.9**t for t in range(6)])
    assert per_epoch("inverse_time", decay=0.5) == pytest.approx([1 / (1 + 0.5 * t) for t in range(6)])


def test_cosine_falls_from_the_rate_to_its_final_share() -> None:
    expected = [0.1 + 0.9 * (1 + math.cos(math.pi * t / 10)) / 2 for t in range(10)]
    assert per_step("cosine", 10, final=0.1) == pytest.approx(expected)
    optimizer = sgd(1.0)
    schedule = build("cosine", optimizer, final=0.1)
    rates(schedule, optimizer, epochs=9)  # longer than planned: stays at the end
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.1)


def test_one_cycle_starts_low_peaks_at_the_rate_and_ends_far_below() -> None:
    seen = per_step("one_cycle", 100, rise=0.3, start_factor=25.0, final_factor=100.0)
    assert seen[0] == pytest.approx(1 / 25)
    assert max(seen) == pytest.approx(1.0)
    assert seen.index(max(seen)) == 29
    assert seen[-1] == pytest.approx(1 / 2500)


@pytest.mark.parametrize("steps", [1, 2, 3, 10])
def test_one_cycle_fits_trainings_of_a_few_steps(steps: int) -> None:
    """PyTorch divides by zero where the rise is exactly one step, as 0.1 of ten."""
    seen = per_step("one_cycle", steps, rise=0.1)
    assert seen[0] == pytest.approx(1 / 25)
    assert all(0 < rate <= 1 for rate in seen)


def test_one_cycle_stays_at_its_end() -> None:
    optimizer = sgd(1.0)
    schedule = build("one_cycle", optimizer, epochs=2)
    assert rates(schedule, optimizer, epochs=4)[8:] == pytest.approx([1 / 25e4] * 8)


def test_cyclic_is_a_triangle_between_low_and_the_rate() -> None:
    seen = per_step("cyclic", 17, low=0.2, period=8 / 17)
    triangle = [0.2, 0.4, 0.6, 0.8, 1.0, 0.8, 0.6, 0.4]
    assert seen == pytest.approx([*triangle, *triangle, 0.2])
    halved = per_step("cyclic", 16, low=0.2, period=0.5, shape="triangular2")
    assert halved == pytest.approx([*triangle, *(0.2 + (rate - 0.2) / 2 for rate in triangle)])


def test_cyclic_outlasts_a_thousand_cycles() -> None:
    seen = per_step("cyclic", 4000, period=2 / 4000, shape="triangular2", low=0.5)
    assert seen[-2:] == [0.5, 0.5]


def test_plateau_waits_for_patience_and_wants_a_relative_improvement() -> None:
    flat = [1.0, 1.0, 1.0, 1.0, 1.0, 1.0]
    assert per_epoch("plateau", monitored=flat, patience=1, factor=0.5) == [1, 1, 1, 0.5, 0.5, 0.25]
    falling = [1.0, 0.98, 0.96, 0.94, 0.92, 0.9]
    assert per_epoch("plateau", monitored=falling, patience=0, factor=0.5, min_delta=0.01) == [1] * 6
    assert per_epoch("plateau", monitored=falling, patience=0, factor=0.5, min_delta=0.05)[2:4] == [0.5, 0.25]


def test_plateau_sees_that_a_negative_value_stands_still() -> None:
    """Accuracy arrives with its sign turned, so that smaller is better."""
    stuck = per_epoch("plateau", monitored=[-0.9] * 6, patience=1, factor=0.5, min_delta=0.01)
    assert stuck == [1, 1, 1, 0.5, 0.5, 0.25]
    rising = [-0.5, -0.6, -0.7, -0.8, -0.9, -0.95]
    assert per_epoch("plateau", monitored=rising, patience=0, factor=0.5, min_delta=0.01) == [1] * 6


def test_plateau_leaves_unmeasured_epochs_out() -> None:
    optimizer = sgd(1.0)
    schedule = build("plateau", optimizer, patience=0)
    schedule.after_epoch(1.0)
    for _ in range(5):
        schedule.after_epoch(None)
    assert optimizer.param_groups[0]["lr"] == 1.0
    schedule.after_epoch(1.0)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.1)


@pytest.mark.parametrize("name", NAMES)
def test_warmup_is_linear_before_any_schedule(name: str) -> None:
    optimizer = sgd(2.0)
    schedule = build(name, optimizer, warmup=1.5)
    assert rates(schedule, optimizer)[:6] == pytest.approx([2 * (t + 1) / 6 for t in range(6)])


def test_curves_begin_when_warmup_ends() -> None:
    optimizer = sgd(1.0)
    schedule = build("cosine", optimizer, warmup=1.0)
    expected = [(1 + math.cos(math.pi * t / 20)) / 2 for t in range(20)]
    assert rates(schedule, optimizer)[4:] == pytest.approx(expected)

    optimizer = sgd(1.0)
    schedule = build("step", optimizer, warmup=2.0, every=2, gamma=0.5)
    assert rates(schedule, optimizer)[8:] == [1.0] * 8 + [0.5] * 8

    optimizer = sgd(1.0)
    schedule = build("step", optimizer, warmup=1.5, every=1, gamma=0.5)
    assert rates(schedule, optimizer)[6:] == [1.0] * 6 + [0.5] * 4 + [0.25] * 4 + [0.125] * 4


def test_warmup_may_fill_the_training_but_not_exceed_it() -> None:
    optimizer = sgd(1.0)
    schedule = build("one_cycle", optimizer, epochs=2, warmup=2.0)
    assert rates(schedule, optimizer, epochs=2)[-1] == 1.0
    with pytest.raises(DlcheckError, match=r"schedule.warmup = 2.5 epochs .* at most 2 epochs fit"):
        build("constant", sgd(1.0), epochs=2, warmup=2.5)


@pytest.mark.parametrize("name", NAMES)
def test_groups_keep_their_proportions(name: str) -> None:
    optimizer = sgd(1.0, 0.1, 0.0)
    schedule = build(name, optimizer, warmup=0.5)
    for _ in range(5):
        optimizer.step()
        schedule.after_step()
        schedule.after_epoch(1.0)
        first, second, third = (group["lr"] for group in optimizer.param_groups)
        assert second == pytest.approx(first / 10)
        assert third == 0


def test_a_second_schedule_finds_the_base_rates() -> None:
    optimizer = sgd(1.0, 0.1)
    rates(build("exponential", optimizer, gamma=0.5), optimizer)
    build("constant", optimizer)
    assert [group["lr"] for group in optimizer.param_groups] == [1.0, 0.1]


def momentum_range(optimizer: torch.optim.Optimizer) -> tuple[float, float]:
    schedule = build("one_cycle", optimizer, steps_per_epoch=50, epochs=1)
    seen = []
    for _ in range(50):
        group = optimizer.param_groups[0]
        seen.append(group["betas"][0] if "betas" in group else group.get("momentum", 0.0))
        schedule.after_step()
    return min(seen), max(seen)


def test_one_cycle_moves_momentum_only_where_there_is_some() -> None:
    weights = [nn.Parameter(torch.zeros(2))]
    assert momentum_range(sgd(1.0, momentum=0.9)) == pytest.approx((0.85, 0.95))
    assert momentum_range(torch.optim.Adam(weights)) == pytest.approx((0.85, 0.95))
    assert momentum_range(sgd(1.0)) == (0.0, 0.0)
    assert momentum_range(torch.optim.Adagrad(weights)) == (0.0, 0.0)
    assert momentum_range(torch.optim.LBFGS(weights)) == (0.0, 0.0)


def test_skipped_optimizer_steps_raise_no_warning() -> None:
    """A loss scaler may skip the first steps; warnings are errors in these tests."""
    for name in NAMES:
        schedule = build(name, sgd(1.0), steps_per_epoch=1)
        schedule.after_step()
        schedule.after_epoch(1.0)


KEYS: dict[str, Any] = {
    "constant": {},
    "step": {"every": st.integers(1, 9), "gamma": st.floats(0.01, 2)},
    "multistep": {"milestones": st.lists(st.integers(1, 50), max_size=4), "gamma": st.floats(0.01, 2)},
    "exponential": {"gamma": st.floats(0.01, 1.5)},
    "inverse_time": {"decay": st.floats(0.01, 1e6)},
    "cosine": {"final": st.floats(0, 1)},
    "one_cycle": {
        "rise": st.floats(0.001, 0.999),
        "start_factor": st.floats(1, 1e6),
        "final_factor": st.floats(1, 1e6),
    },
    "cyclic": {
        "shape": st.sampled_from(["triangular", "triangular2"]),
        "low": st.floats(0.001, 0.999),
        "period": st.floats(0.01, 20),
    },
    "plateau": {"factor": st.floats(0.01, 0.99), "patience": st.integers(0, 3), "min_delta": st.floats(0, 2)},
}
any_schedule = st.sampled_from(NAMES).flatmap(lambda name: st.fixed_dictionaries({"name": st.just(name), **KEYS[name]}))
trainings = st.fixed_dictionaries({"steps_per_epoch": st.integers(1, 7), "epochs": st.integers(1, 8)})
monitored_values = st.lists(st.floats(-10, 10) | st.just(math.nan), min_size=8, max_size=8)


@settings(max_examples=150, deadline=None)
@given(any_schedule, trainings, st.floats(0, 8), monitored_values, st.integers(0, 55))
def test_rates_are_sane_and_continue_from_any_state(
    keys: dict[str, Any], training: dict[str, Any], warmup: float, monitored: list[float], pause: int
) -> None:
    keys = {**keys, **training, "warmup": min(warmup, training["epochs"])}
    optimizers = [sgd(0.3, 1e-4, momentum=0.9)]
    schedules = [build(optimizer=optimizers[0], **keys)]
    for step in range(training["steps_per_epoch"] * training["epochs"]):
        if step == pause:
            optimizers.append(sgd(0.3, 1e-4, momentum=0.9))
            schedules.append(build(optimizer=optimizers[1], **keys))
            schedules[1].load_state_dict(copy.deepcopy(schedules[0].state_dict()))
        seen = [[group["lr"] for group in optimizer.param_groups] for optimizer in optimizers]
        assert all(math.isfinite(rate) and rate >= 0 for rate in seen[0])
        assert seen[-1] == seen[0]
        for schedule in schedules:
            schedule.after_step()
            if (step + 1) % training["steps_per_epoch"] == 0:
                schedule.after_epoch(monitored[step // training["steps_per_epoch"]])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("pause", [0, 3, 9])
def test_a_saved_schedule_continues_identically(name: str, pause: int, tmp_path: Path) -> None:
    monitored = [1.0, 0.5, 0.5, 0.5, 0.5, 0.5]
    keys: dict[str, Any] = {"warmup": 0.5, **({"patience": 1} if name == "plateau" else {})}

    def run(resume: bool) -> list[float]:
        optimizer, seen = sgd(1.0, momentum=0.9), []
        schedule = build(name, optimizer, **keys)
        for step in range(24):
            if resume and step == pause:
                torch.save((optimizer.state_dict(), schedule.state_dict()), tmp_path / "saved.pt")
                saved = torch.load(tmp_path / "saved.pt", weights_only=True)
                optimizer = sgd(1.0, momentum=0.9)
                optimizer.load_state_dict(saved[0])
                schedule = build(name, optimizer, **keys)
                schedule.load_state_dict(saved[1])
            group = optimizer.param_groups[0]
            seen += [group["lr"], group["momentum"]]
            schedule.after_step()
            if (step + 1) % 4 == 0:
                schedule.after_epoch(monitored[step // 4])
        return seen

    assert run(resume=True) == run(resume=False)


def test_another_schedules_state_is_refused() -> None:
    state = build("step", sgd(1.0)).state_dict()
    with pytest.raises(DlcheckError, match="saved state is of step over 1 parameter groups, this run has cosine"):
        build("cosine", sgd(1.0)).load_state_dict(state)


OWN = """
from torch.optim.lr_scheduler import ReduceLROnPlateau, StepLR

def halve(optimizer, every):
    return StepLR(optimizer, step_size=every, gamma=0.5)

def watch(optimizer):
    return ReduceLROnPlateau(optimizer, patience=0, factor=0.5)

def nothing(optimizer):
    return None
"""


@pytest.fixture
def own_code(tmp_path: Path) -> Path:
    (tmp_path / "own_schedule.py").write_text(OWN)
    return tmp_path


def test_custom_schedule_steps_once_an_epoch_after_warmup(own_code: Path) -> None:
    keys: dict[str, Any] = {"target": "own_schedule.py:halve", "every": 1, "folder": own_code}
    optimizer = sgd(1.0)
    assert rates(build("custom", optimizer, **keys), optimizer, epochs=3)[::4] == [1.0, 0.5, 0.25]
    optimizer = sgd(1.0)
    seen = rates(build("custom", optimizer, warmup=1.0, **keys), optimizer, epochs=4)
    assert seen == [0.25, 0.5, 0.75, 1.0] + [1.0] * 4 + [0.5] * 4 + [0.25] * 4


def test_custom_schedule_continues_from_its_state(own_code: Path) -> None:
    keys: dict[str, Any] = {"target": "own_schedule.py:halve", "every": 2, "folder": own_code}
    optimizer = sgd(1.0)
    schedule = build("custom", optimizer, **keys)
    rates(schedule, optimizer, epochs=3)
    resumed = sgd(1.0)
    again = build("custom", resumed, **keys)
    again.load_state_dict(schedule.state_dict())
    assert rates(again, resumed, epochs=3) == rates(schedule, optimizer, epochs=3)


def test_custom_plateau_gets_what_is_monitored(own_code: Path) -> None:
    optimizer = sgd(1.0)
    schedule = build("custom", optimizer, target="own_schedule.py:watch", folder=own_code)
    for value in (1.0, 1.0, None):
        optimizer.step()
        schedule.after_epoch(value)
    assert optimizer.param_groups[0]["lr"] == 0.5


def test_custom_target_that_is_no_scheduler_is_refused(own_code: Path) -> None:
    with pytest.raises(DlcheckError, match=r"expected a scheduler, but it has no step\(\)"):
        build("custom", sgd(1.0), target="own_schedule.py:nothing", folder=own_code)
