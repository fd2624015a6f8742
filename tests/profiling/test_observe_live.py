"""Observing real trainings in processes of their own: orders and sums, never durations."""

from __future__ import annotations

import pytest

from dlcheck.profiling.environment import Environment
from dlcheck.profiling.observe import observe
from dlcheck.profiling.parts import parts
from dlcheck.profiling.settings import Subject, TrialSettings
from dlcheck.profiling.trial import start_trial
from dlcheck.runs.facts import CpuUse, LoaderTimes, MemoryGrowth, StepTimes

PATIENT_S = 240.0
"""A busy machine starts PyTorch slowly."""


def test_a_recipe_is_observed_where_it_trains() -> None:
    with start_trial(TrialSettings(Subject("recipe", "digits", device="cpu")), timeout_s=PATIENT_S) as trial:
        rows, facts = observe(trial, Environment(), budget_s=2)
    known = {type(one): one for one in facts}
    assert known.keys() >= {StepTimes, LoaderTimes, CpuUse}
    for row in rows:
        assert sum(parts(row)) == pytest.approx(row.period, rel=0.01)
    times = known[StepTimes]
    assert isinstance(times, StepTimes)
    assert times.steps > 0
    assert times.optimizer == "Adam"
    computing = [part for part in times.parts if part.name in ("forward", "backward", "optimizer")]
    assert all(part.median_s > 0 for part in computing)
    use = known[CpuUse]
    assert isinstance(use, CpuUse)
    assert use.own_cores is None or use.own_cores > 0


@pytest.mark.gpu
def test_memory_of_a_gpu_does_not_grow_in_a_healthy_training() -> None:
    with start_trial(TrialSettings(Subject("recipe", "digits", device="cuda")), timeout_s=PATIENT_S) as trial:
        rows, facts = observe(trial, Environment(), budget_s=5)
        assert (trial.run(1).device_bytes or 0) > 0
    growth = next(one for one in facts if isinstance(one, MemoryGrowth))
    assert growth.kind == "device"
    assert not growth.certain
    times = next(one for one in facts if isinstance(one, StepTimes))
    assert times.device.startswith("cuda")
    on_device = [part.device_s for part in times.parts if part.name in ("forward", "backward", "optimizer")]
    assert all(seconds is not None and seconds > 0 for seconds in on_device)
    assert all(row.device is not None for row in rows)
