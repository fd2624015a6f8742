"""Tests of the scripts: what stands in them, and that some of them train."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks.stalls.case import Build, Stall
from tests.benchmarks.stalls.machine import Failed, contention, step_ms
from tests.benchmarks.stalls.script import script
from tests.benchmarks.stalls.workloads import TUNED


def test_a_stall_stands_in_its_own_place_once() -> None:
    places = {
        "item": "time.sleep(0.003000)",
        "collate": "gather",
        "between": "measure(output)",
        "after": "report(loss)",
    }
    for place, words in places.items():
        text = script(Build(stall=Stall(place, 3.0)))
        assert words in text
        assert words not in script(Build())


def test_work_is_counted_on_the_threads_own_clock() -> None:
    text = script(Build(stall=Stall("item", 3.0, "burn")))
    assert "burn(0.003000)" in text
    assert "time.thread_time()" in text


def test_peers_get_the_same_training_in_their_own_dress() -> None:
    build = Build(layout="trainer", workers=2, stall=Stall("transform", 1.0, name="Sharpen"))
    assert "with traceml.trace_step(model):" in script(build, "traceml")
    workload = script(build, "loadtune")
    assert "def get_workload():" in workload
    for dressed in (script(build, "traceml"), workload):
        assert "Sharpen()" in dressed


def test_layouts_are_three_ways_of_one_training() -> None:
    texts = [script(Build(layout=layout)) for layout in ("function", "top", "trainer")]
    assert [("class Trainer" in text, "def main" in text) for text in texts] == [
        (False, True),
        (False, False),
        (True, False),
    ]


def test_tuned_workloads_have_names_of_their_own() -> None:
    assert len({one.name for one in TUNED}) == len(TUNED) >= 8


def test_a_script_trains_and_tells_its_own_time(tmp_path: Path) -> None:
    assert step_ms(Build(layout="trainer", epoch=5, compute_ms=1.0, data="batched"), tmp_path, steps=8) > 0


def test_a_script_that_fails_is_told_of(tmp_path: Path) -> None:
    with pytest.raises(Failed, match="no output"):
        step_ms(Build(), tmp_path, python="/bin/false")


def test_burners_are_gone_afterwards() -> None:
    with contention(2) as burners:
        assert len(burners) == 2
        assert all(Path(f"/proc/{one}").exists() for one in burners)
    assert not any(Path(f"/proc/{one}").exists() for one in burners)
