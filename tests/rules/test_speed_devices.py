"""What a profile tells of devices with a clock of their own."""

from dataclasses import replace

from dlcheck.findings import Severity
from dlcheck.rules import diagnose
from dlcheck.runs.facts import (
    DeviceSpeed,
    DeviceUse,
    Launches,
    Syncs,
)
from tests.rules.examples_speed import (
    BUSY,
    CALM,
    COMPUTING,
    CPU,
    GPU,
    IDLE,
    KERNELS,
    ON_GPU,
    SLOW,
    SYNC_BOUND,
    times,
)
from tests.rules.fact_runs import fact_run
from tests.rules.judging import severities, told

# Devices with a clock of their own.


def test_waiting_that_the_device_does_not_notice_costs_nothing() -> None:
    parts = {"wait": 20.0, "take": 2.0, "forward": 4.0, "backward": 6.0, "optimizer": 1.0}
    full = times(parts, device="cuda:0", events={"forward": 10.0, "backward": 20.0, "optimizer": 2.5})
    assert told(full, SLOW, CALM).kind == "compute"
    half = times(parts, device="cuda:0", events={"forward": 5.0, "backward": 9.0, "optimizer": 1.0})
    assert told(half, SLOW, CALM).kind == "input"


def test_an_item_call_behind_a_busy_device_is_no_finding() -> None:
    step = times({**ON_GPU, "inside": 20.0, "forward": 3.0, "backward": 4.0}, device="cuda:0", events=BUSY)
    assert severities(fact_run(step, Syncs((), 0.6))) == {"P511": Severity.INFO}
    assert severities(fact_run(*SYNC_BOUND))["P504"] == Severity.WARNING


def test_launches_need_a_second_signal() -> None:
    step = times(ON_GPU, device="cuda:0", events=BUSY)
    long = Launches(200.0, 2e-4, 0.5)
    assert severities(fact_run(step, long))["P503"] == Severity.INFO
    assert severities(fact_run(step, KERNELS))["P503"] == Severity.WARNING
    assert "P503" not in severities(fact_run(step, replace(KERNELS, doubled_growth=0.9)))


def test_a_cpu_is_not_judged_by_what_it_does_not_have() -> None:
    outcome = diagnose(fact_run(times(COMPUTING)), select=["P502", "P503", "P504"])
    assert {item.why for item in outcome.not_checked} == {"a CPU needs no copies, launches or synchronisation"}
    elsewhere = diagnose(fact_run(times(ON_GPU, device="cuda:0")), select=["P503", "P504"])
    assert [item.try_ for item in elsewhere.not_checked] == ["dlcheck profile-gpu RECIPE"] * 2


def test_an_idle_gpu_is_a_warning_where_counter_and_events_agree() -> None:
    events = times(ON_GPU, device="cuda:0", events=IDLE)
    assert severities(fact_run(events, DeviceUse(GPU, utilization=0.3)))["P508"] == Severity.WARNING
    assert severities(fact_run(events, DeviceUse(GPU, utilization=0.9))) == {}
    outcome = diagnose(fact_run(times(ON_GPU, device="cuda:0"), DeviceUse(GPU, note="no driver")), select=["P508"])
    assert [item.why for item in outcome.not_checked] == ["no driver"]


def test_a_gpu_beside_a_training_on_the_cpu_is_told() -> None:
    use = DeviceUse(CPU, GPU)
    assert severities(fact_run(times(COMPUTING), use))["P508"] == Severity.INFO
    slower = DeviceUse(CPU, replace(GPU, step_s=0.08))
    assert "P508" not in severities(fact_run(times(COMPUTING), slower))
    assert "P508" not in severities(fact_run(times(COMPUTING), DeviceUse(CPU, DeviceSpeed("CPU, 1 core", step_s=0.01))))
