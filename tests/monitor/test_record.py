"""The record of a run: what comes out is what was put in, in memory and in the folder."""

import math
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from dlcheck.monitor.record import Record
from dlcheck.runs import Event, Run, RunFolder, read_run
from dlcheck.runs.facts import GraphGrowth, Replicas, fact

NAMES = st.sampled_from(["loss", "accuracy", "lr"])
SPLITS = st.sampled_from(["train", "val"])
VALUES = st.floats(allow_nan=False, width=32)
ROWS = st.lists(st.tuples(NAMES, VALUES, st.none() | st.integers(1, 5), SPLITS), max_size=30)


def fill(record: Record) -> None:
    record.scalar("loss", 1.5, step=1, epoch=1)
    record.scalar("loss", math.inf, step=2, epoch=1)
    record.scalar("accuracy", 0.5, step=2, split="val")
    record.layer(1, "body.0", "grad_norm", 0.25)
    record.phase(2, "forward", 0.125)


def table(run: Run, kind: str) -> list[tuple[str, ...]]:
    """Return the rows of a table, spelled out: NaN equals nothing."""
    frame = getattr(run, kind)
    return [tuple(map(str, row)) for row in frame[sorted(frame)].itertuples(index=False)]


def test_facts_are_known_as_they_were_put_in() -> None:
    record, growth = Record(), GraphGrowth(8, 2, 1, highest=3)
    assert record.known(GraphGrowth) is None
    record.put(growth)
    assert record.known(GraphGrowth) == growth
    record.put(GraphGrowth(9, 0, 0))
    assert record.known(GraphGrowth) == GraphGrowth(9, 0, 0)
    assert record.known(Replicas) is None
    record.fact("replicas", {"ranks": "many"})
    assert record.known(Replicas) is None


def test_a_folder_tells_what_the_memory_does(tmp_path: Path) -> None:
    record = Record(RunFolder.create(tmp_path / "run"))
    fill(record)
    record.put(Replicas(ranks=2, checks=1, different=0, largest=0.0))
    record.event(Event("resumed", 2, detail={"why": "a test"}))
    record.flush()
    kept, there = record.run(), read_run(tmp_path / "run")
    for kind in ("scalars", "layers", "phases"):
        assert table(there, kind) == table(kept, kind), kind
        assert table(kept, kind)
    assert fact(there, Replicas) == record.known(Replicas)
    assert record.known(Replicas) is not None
    assert [event.kind for event in there.events] == ["resumed"] == [event.kind for event in kept.events]


def test_only_what_is_new_is_written(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "run")
    record = Record(folder)
    for _ in range(3):
        record.flush()
        fill(record)
        record.flush()
    assert len(table(read_run(tmp_path / "run"), "layers")) == len(table(record.run(), "layers"))
    written = folder.signals.read_bytes()
    facts = folder.facts.stat().st_mtime_ns if folder.facts.exists() else None
    record.flush()
    assert folder.signals.read_bytes() == written
    assert facts == (folder.facts.stat().st_mtime_ns if folder.facts.exists() else None)


def test_a_fact_that_does_not_change_is_not_written_again(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "run")
    record = Record(folder)
    record.fact("task", "regression")
    record.flush()
    folder.facts.unlink()
    record.fact("task", "regression")
    record.flush()
    assert not folder.facts.exists()
    record.fact("task", "classification")
    record.flush()
    assert folder.facts.exists()


def test_rows_of_later_steps_go_for_a_resume(tmp_path: Path) -> None:
    record = Record(RunFolder.create(tmp_path / "run"))
    fill(record)
    record.flush()
    Record(RunFolder.open(tmp_path / "run")).truncate_after(1)
    there = read_run(tmp_path / "run")
    assert table(there, "phases") == []
    assert len(table(there, "layers")) == 1


def test_without_a_folder_nothing_is_written_and_an_empty_record_is_a_run() -> None:
    record = Record()
    record.flush()
    run = record.run()
    assert (table(run, "scalars"), table(run, "layers"), run.facts, run.events) == ([], [], {}, ())


@given(ROWS)
def test_every_value_comes_out_once(rows: list[tuple[str, float, int | None, str]]) -> None:
    record = Record()
    for step, (metric, value, epoch, split) in enumerate(rows, start=1):
        record.scalar(metric, value, step=step, epoch=epoch, split=split)
    frame = record.run().scalars
    found = (
        set()
        if frame is None
        else set(zip(frame["step"], frame["split"], frame["metric"], frame["value"], strict=True))
    )
    assert found == {(step, split, metric, value) for step, (metric, value, _, split) in enumerate(rows, start=1)}
    assert len(frame) == len(rows)
