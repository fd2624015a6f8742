"""What a profile tells of a machine that others use too."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcheck.findings import Severity
from dlcheck.rules import diagnose
from dlcheck.rules.speed.bound import bound
from dlcheck.rules.speed.limits import LIMITS
from dlcheck.runs.facts import (
    Ceilings,
    CpuUse,
)
from tests.rules.examples_speed import (
    BUSY_CPU,
    CALM,
    COMPUTING,
    CROWDED_CPU,
    DECODING,
    SLOW,
    WHOLE,
    loader,
    rate,
    times,
)
from tests.rules.fact_runs import fact_run
from tests.rules.judging import severities, told

# A busy machine.


@given(st.floats(0.02, 0.6), st.floats(0.1, 0.7), st.floats(0.6, 2.0))
def test_on_a_busy_machine_only_what_would_hold_on_a_calm_one_is_blamed(
    share: float, queue: float, others: float
) -> None:
    step = times({"wait": 100 * share, "forward": 40 * (1 - share), "backward": 60 * (1 - share)})
    cpu = replace(BUSY_CPU, main_queue_share=queue, worker_queue_share=queue, others_cores=others)
    found = told(step, loader(fetch_s=0.4, late_share=1.0), cpu)
    if found.kind == "input":
        assert share > queue
    if found.kind == "compute":
        assert share / (1 - queue) < LIMITS["share"].value
    assert found.confidence < 0.95


def test_a_loader_hidden_by_a_slowed_computation_is_not_called_in_order() -> None:
    step = times({"wait": 0.0, "forward": 40.0, "backward": 60.0})
    burners = CpuUse(2.0, 1, 2, 1, 0.5, 0.0, own_cores=0.8, others_cores=1.2)
    sleeping = loader(fetch_s=0.16, fetch_cpu_share=0.05, late_share=0.0)
    assert told(step, sleeping, burners).kind == "inconclusive"
    outcome = diagnose(fact_run(step, sleeping, burners), select=["P501", "P511"])
    assert [item.code for item in outcome.not_checked] == ["P501", "P511"]
    assert "other programs kept 1.2 of 2 cores busy" in outcome.not_checked[0].why


def test_what_a_calm_machine_would_show_decides_on_a_busy_one() -> None:
    def judged(seen: float, calm: float, cpu: CpuUse) -> str:
        rest = 100.0 - seen
        step = times({"wait": seen, "forward": 0.4 * rest, "backward": 0.6 * rest}, calm_wait_share=calm)
        return told(step, loader(fetch_s=0.4, late_share=1.0), cpu).kind

    assert judged(40.0, 0.5, BUSY_CPU) == "input"
    assert judged(40.0, 0.05, BUSY_CPU) == "inconclusive"
    assert judged(2.0, 0.4, BUSY_CPU) == "inconclusive"
    assert judged(2.0, 0.03, BUSY_CPU) == "compute"
    assert judged(40.0, 0.05, CALM) == "input"


def test_a_denial_measured_on_a_busy_machine_acquits_nobody() -> None:
    same = Ceilings(rate(340.0, 0.01), rate(350.0, 0.01))
    step = times(DECODING, calm_wait_share=0.6)
    assert told(step, SLOW, same, BUSY_CPU).kind == "inconclusive"
    assert told(step, SLOW, same, CALM).kind == "compute"


def test_a_hand_over_that_waits_for_a_core_is_no_transport_on_a_busy_machine() -> None:
    step = times(
        {"wait": 35.0, "take": 5.0, "forward": 18.0, "backward": 32.0, "optimizer": 10.0}, calm_wait_share=0.25
    )
    quick = loader(fetch_s=0.003, collate_s=0.001, stuck_s=0.02, late_share=0.0)
    assert (told(step, quick, CALM).kind, told(step, quick, CALM).cause) == ("input", "transport")
    assert told(step, quick, BUSY_CPU).kind == "inconclusive"
    assert severities(fact_run(step, quick, BUSY_CPU)).get("P501", Severity.INFO) == Severity.INFO


def test_a_queue_of_its_own_threads_is_no_busy_machine() -> None:
    found = told(times(COMPUTING), CROWDED_CPU)
    assert (found.kind, found.cause) == ("cpu", "oversubscribed")
    unmeasured = replace(CROWDED_CPU, calm_ratio=None, calm_threads=None)
    assert told(times(COMPUTING), unmeasured).cause == "oversubscribed"
    elsewhere = replace(unmeasured, threads=2, workers=0, others_cores=1.0)
    assert told(times(COMPUTING), elsewhere).kind != "cpu"


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"threads": 8, "workers": 0}, "8 threads compute on 2 cores"),
        ({"threads": 1, "workers": 2, "worker_threads": 4}, "2 workers of 4 threads each share 2 cores"),
        ({"threads": 1, "workers": 12}, "12 workers share 2 cores"),
    ],
)
def test_who_asks_for_too_many_cores_is_named(changed: dict[str, int], words: str) -> None:
    cpu = replace(CROWDED_CPU, calm_ratio=None, calm_threads=None, **changed)  # type: ignore[arg-type]
    assert words in told(times(COMPUTING), cpu).words


def test_fewer_threads_that_are_not_faster_acquit_the_many() -> None:
    cpu = replace(CROWDED_CPU, calm_ratio=0.97, workers=0)
    assert told(times(COMPUTING), cpu).kind == "compute"
    assert severities(fact_run(times(COMPUTING), cpu)) == {"P511": Severity.INFO}


def test_too_many_threads_come_before_the_waiting_they_cause() -> None:
    run = fact_run(times(DECODING), SLOW, CROWDED_CPU)
    assert bound(run).kind == "cpu"
    ranked = {item.code: item.explained_by for item in diagnose(run, select=["P"]).findings}
    assert ranked == {"P506": None, "P501": "P506"}


def test_one_cause_explains_what_follows_from_it() -> None:
    def explained(kind: str) -> dict[str, str]:
        findings = diagnose(fact_run(*WHOLE[kind]), select=["P"]).findings
        return {item.code: item.explained_by for item in findings if item.explained_by}

    assert explained("sync") == {"P508": "P504", "P513": "P504"}
    assert explained("startup") == {"P501": "P505"}
