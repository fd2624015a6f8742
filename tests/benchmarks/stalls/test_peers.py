"""Tests of how the words of other profilers are put into our classes; the answers were written down from real runs."""

from __future__ import annotations

from typing import Any

import pytest

from tests.benchmarks.stalls.case import INCONCLUSIVE
from tests.benchmarks.stalls.machine import Failed
from tests.benchmarks.stalls.peers import gpuprof, loadtune, traceml


def summary(kind: str, severity: str, phase: str = "input") -> dict[str, Any]:
    words = "Input wait is 17.8% of the typical CPU Step Time."
    evidence = {"type": "phase_share", "step_time_ms": 25.1, "input_wait_ms": 4.5}
    primary = {"kind": kind, "severity": severity, "summary": words, "evidence": evidence}
    return {"primary_diagnosis": primary, "step_time": {"diagnosis": {"kind": kind, "phase": phase}}}


@pytest.mark.parametrize(
    ("kind", "severity", "phase", "coarse", "cause", "blamed"),
    [
        ("INPUT_BOUND", "warn", "input", "input", "", ("INPUT_BOUND",)),
        ("RESIDUAL_HEAVY", "crit", "residual", "gap", "", ("RESIDUAL_HEAVY",)),
        ("COMPUTE_BOUND", "info", "backward", "compute", "", ()),
        ("COMPUTE_BOUND", "info", "optimizer", "compute", "optimizer", ()),
        ("NO_CLEAR_PERFORMANCE_BOTTLENECK", "info", "", "none", "", ()),
        ("INSUFFICIENT_STEP_TIME_DATA", "info", "", INCONCLUSIVE, "", ()),
    ],
)
def test_traceml(kind: str, severity: str, phase: str, coarse: str, cause: str, blamed: tuple[str, ...]) -> None:
    said = traceml.read(summary(kind, severity, phase))
    assert (said.coarse, said.cause, said.blamed) == (coarse, cause, blamed)
    assert said.figures == {"step_time_ms": 25.1, "input_wait_ms": 4.5}


def insights(*titles: tuple[str, str]) -> dict[str, Any]:
    told = [{"severity": severity, "title": title, "recommendation": ""} for severity, title in titles]
    return {"summary": {"avg_step_s": 0.02, "inter_step_gap_s": 0.006}, "insights": told}


def test_gpuprof_names_the_finer_of_two_causes() -> None:
    waits = ("high", "44% of step time waiting on the loader (inter-step gap)")
    pegged = ("high", "Dataloader stall + CPU pegged (83% avg across 2 cores) — workers are CPU-bound")
    said = gpuprof.read(insights(waits, pegged))
    assert (said.coarse, said.cause, len(said.blamed)) == ("input", "decode", 2)
    assert gpuprof.read(insights(waits)).cause == ""


def test_gpuprof_takes_the_graver_insight_first() -> None:
    gap = ("low", "31% of step unaccounted (kernel-launch / Python overhead)")
    waits = ("medium", "27% of step time waiting on the loader (inter-step gap)")
    assert gpuprof.read(insights(gap, waits)).coarse == "input"
    assert (gpuprof.read(insights(gap)).coarse, gpuprof.read(insights(gap)).blamed) == ("gap", ())


def test_gpuprof_without_a_place_names_no_bottleneck() -> None:
    said = gpuprof.read(insights(("low", "Step-time p99/p50 = 2.1× — high tail latency")))
    assert (said.coarse, said.blamed) == ("none", ())


def explained(words: str, **result: Any) -> dict[str, Any]:
    known = {"data_wait_frac": 0.21, "step_time_p50_ms": 24.0, "cpu_util_mean": 99.0, **result}
    return {"result": known, "narrative": words}


@pytest.mark.parametrize(
    ("words", "coarse", "cause"),
    [
        ("The workload is **input-bound** (21% data wait) with **CPU already saturated** (100%): …", "input", "decode"),
        ("The workload is **input-bound**: 44% of step time is spent waiting for the DataLoader.", "input", ""),
        ("The workload is **compute-bound** (data wait 2%); extra DataLoader workers add …", "compute", ""),
        ("The input pipeline is mildly contended (data wait 7%).", INCONCLUSIVE, ""),
    ],
)
def test_loadtune(words: str, coarse: str, cause: str) -> None:
    said = loadtune.read(explained(words))
    assert (said.coarse, said.cause, bool(said.blamed)) == (coarse, cause, coarse == "input")


def test_a_trial_of_loadtune_that_failed_is_no_verdict() -> None:
    with pytest.raises(Failed, match="shuffle"):
        loadtune.read({"result": {"error": "no result", "stderr_tail": "ValueError: shuffle\n"}, "narrative": ""})
