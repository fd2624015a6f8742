"""Steps as a trace: events that a viewer nests, joins and adds up."""

import json
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dlcheck.errors import DlcheckError
from dlcheck.profiling.found import Found
from dlcheck.profiling.rows import StepRow
from dlcheck.profiling.trace import trace, write_trace
from tests.profiling.played import Played

Events = list[dict[str, Any]]


def drawn(rows: list[StepRow], found: Found) -> Events:
    written = json.loads(json.dumps(trace(rows, found, title="train.py"), allow_nan=False))
    assert set(written) == {"traceEvents", "displayTimeUnit", "otherData"}
    assert written["otherData"]["title"] == "train.py"
    events: Events = written["traceEvents"]
    return events


def of(events: Events, phase: str) -> Events:
    return [event for event in events if event["ph"] == phase]


def example(workers: int) -> tuple[list[StepRow], Found]:
    played = Played(workers=workers, fetch=0.03, copy=0.001, epoch_steps=12, epoch_start=0.1)
    rows = played.steps(30)
    rows = [replace(row, batch=row.batch and replace(row.batch, augment=0.0002)) for row in rows]
    return rows, replace(played.found, main_pid=42)


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_slices_of_a_row_are_nested_or_apart(workers: int) -> None:
    events = drawn(*example(workers))
    tracks: dict[tuple[int, int], Events] = defaultdict(list)
    for event in of(events, "X"):
        assert event["ts"] >= 0
        assert event["dur"] >= 0
        tracks[event["pid"], event["tid"]].append(event)
    assert len(tracks) == (3 if workers == 0 else 2 + workers)
    for track in tracks.values():
        under: list[float] = []
        for event in sorted(track, key=lambda one: (one["ts"], -one["dur"])):
            end = event["ts"] + event["dur"]
            while under and under[-1] <= event["ts"] + 1e-6:
                under.pop()
            assert not under or end <= under[-1] + 2e-3, event
            under.append(end)


@pytest.mark.parametrize("workers", [0, 2])
def test_parts_fill_their_steps(workers: int) -> None:
    rows, found = example(workers)
    slices = of(drawn(rows, found), "X")
    steps = [event for event in slices if event["name"].startswith("step ")]
    assert len(steps) == len(rows)
    assert sum(event["dur"] for event in steps) == pytest.approx(1e6 * sum(row.period for row in rows), abs=1)
    parts = [event for event in slices if event["pid"] == 42 and event["tid"] == 2]
    assert {event["name"] for event in parts} >= {"take", "copy", "forward", "backward", "optimizer", "outside"}
    assert sum(event["dur"] for event in parts) == pytest.approx(sum(event["dur"] for event in steps), abs=1)


def test_every_row_has_a_name_and_the_training_comes_first() -> None:
    events = drawn(*example(2))
    names = {event["pid"]: event["args"]["name"] for event in of(events, "M") if event["name"] == "process_name"}
    assert names == {42: "training", 100: "worker 0", 101: "worker 1"}
    order = {event["pid"]: event["args"]["sort_index"] for event in of(events, "M") if "sort_index" in event["args"]}
    assert sorted(order, key=order.__getitem__) == [42, 100, 101]
    rows = {(event["pid"], event["tid"]) for event in of(events, "M") if event["name"] == "thread_name"}
    assert rows == {(event["pid"], event["tid"]) for event in of(events, "X")}


def test_an_arrow_leads_from_each_batch_to_its_step() -> None:
    events = drawn(*example(2))
    begins, ends = {one["id"]: one for one in of(events, "s")}, {one["id"]: one for one in of(events, "f")}
    assert set(begins) == set(ends) == set(range(30))
    steps = {event["name"]: event for event in of(events, "X")}
    for number, end in ends.items():
        assert begins[number]["ts"] < end["ts"]
        step = steps[f"step {number}"]
        assert step["ts"] <= end["ts"] <= step["ts"] + step["dur"]
        made = [one for one in of(events, "X") if one["pid"] == begins[number]["pid"]]
        assert any(one["ts"] <= begins[number]["ts"] <= one["ts"] + one["dur"] for one in made)


def test_ready_batches_are_counted() -> None:
    rows, found = example(2)
    counts = [event["args"]["batches"] for event in of(drawn(rows, found), "C")]
    assert len(counts) == 2 * len(rows)
    assert min(counts) >= 0
    assert max(counts) <= 5
    assert counts[-1] == 0
    assert not of(drawn(*example(0)), "C")


def test_epochs_and_times_of_the_device_are_told() -> None:
    rows, found = example(1)
    events = drawn([replace(row, device=(0.001, 0.002, 0.003, 0.004)) for row in rows], found)
    assert [event["name"] for event in of(events, "i")] == ["epoch 0", "epoch 1", "epoch 2"]
    step = next(event for event in of(events, "X") if event["name"] == "step 3")
    assert step["args"]["device_ms"] == {"copy": 1.0, "forward": 2.0, "backward": 3.0, "optimizer": 4.0}
    assert of(drawn([], found), "X") == []


def test_a_file_is_small_and_never_overwritten(tmp_path: Path) -> None:
    played = Played(workers=2)
    path = tmp_path / "trace.json"
    rows = played.steps(300)
    kept = write_trace(path, rows, played.found, most_bytes=100_000)
    assert 0 < kept < 300
    assert 80_000 < path.stat().st_size <= 100_000
    assert json.loads(path.read_text())["otherData"]["steps"] == kept
    with pytest.raises(DlcheckError, match="exists already"):
        write_trace(path, rows[:3], played.found)
    assert write_trace(tmp_path / "small.json", rows[:3], played.found) == 3
    with pytest.raises(DlcheckError):
        write_trace(tmp_path / "no" / "folder.json", rows[:3], played.found)
