"""Tests of what is read from profiles and traces, and of the tables, on recorded values."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks.faults.intervals import Share
from tests.benchmarks.stalls import judged, memory, photos, predict, sweep
from tests.benchmarks.stalls.case import Build
from tests.benchmarks.stalls.doctor import read
from tests.benchmarks.stalls.judged import TRUTH, Asked
from tests.benchmarks.stalls.peak import highest
from tests.benchmarks.stalls.table import table
from tests.benchmarks.stalls.verdict import Row, Store, Verdict
from tests.benchmarks.stalls.workloads import PREDICTED, TUNED, Point


def asked(folder: Path) -> Asked:
    return Asked(Store(folder / "rows.jsonl"), folder, 1)


def test_a_profile_becomes_a_verdict() -> None:
    bound = {"kind": "input", "cause": "decode", "share": 0.4, "confidence": 0.95, "words": "40% of the time …"}
    parts = [{"name": "wait", "share": 0.4, "median_s": 0.01}, {"name": "forward", "share": 0.6, "median_s": 0.02}]
    findings = [{"code": "P501", "severity": "warning"}, {"code": "P507", "severity": "info"}]
    said = read({"bound": bound, "findings": findings, "facts": {"step_times": {"parts": parts}}}, 31.0)
    assert (said.coarse, said.cause, said.confidence, said.blamed) == ("input", "decode", 0.95, ("P501",))
    assert said.figures["codes"] == ["P501", "P507"]
    assert said.figures["parts"] == {"wait": 0.4, "forward": 0.6}


def test_the_peak_is_that_of_the_last_step() -> None:
    def memory_event(ts: float, total: int, kind: int = 0) -> dict[str, Any]:
        return {"name": "[memory]", "ts": ts, "args": {"Total Allocated": total, "Device Type": kind}}

    window = {"name": "last step", "ts": 10.0, "dur": 5.0}
    events = [memory_event(3, 900), memory_event(11, 400), memory_event(14, 500), memory_event(12, 9999, 1), window]
    assert highest(events) == 500
    with pytest.raises(ValueError, match="no last step"):
        highest(events[:-1])


def test_predictions_are_read_by_number_of_workers() -> None:
    trials = [
        {"setting": {"workers": None, "prefetch": None}, "predicted_s": 0.02},
        {"setting": {"workers": 2, "prefetch": None}, "predicted_s": 0.01},
        {"setting": {"workers": 4, "prefetch": None}, "predicted_s": None},
        {"setting": {"workers": 2, "prefetch": 4}, "predicted_s": 0.5},
    ]
    rates = {"now": {"value": 400.0}, "ideal": {"value": 900.0}}
    found = {"facts": {"ceilings": rates, "loader_sweep": {"trials": trials}}}
    assert predict.predictions(found, Build(batch=16)) == {"now": 400.0, "ideal": 900.0, "2": 1600.0, "4": None}
    assert predict.predictions({"facts": {}}, Build()) == {"now": None, "ideal": None}


def test_the_recommended_setting_is_the_present_one_where_nothing_is_better() -> None:
    build = Build(workers=1, prefetch=4, persistent=True)
    trial = {"setting": {"workers": 3, "prefetch": None, "persistent": None}}
    told = {"trials": [{"setting": {}}, trial], "best": 1, "seconds": 40.0, "gain": 1.5, "gain_low": 1.3}
    assert sweep.recommended({"facts": {"loader_sweep": told}}, build)["setting"] == asdict(Point(3, 4, True))
    assert sweep.recommended({"facts": {"loader_sweep": told | {"best": None}}}, build)["setting"] == asdict(
        Point(1, 4, True)
    )
    assert sweep.recommended({"facts": {"loader_sweep": None}}, build)["setting"] == asdict(Point(1, 4, True))


def test_the_grid_has_persistent_workers_both_ways_where_epochs_are_short() -> None:
    short = next(one for one in TUNED if one.build.epoch < 20)
    assert len(sweep.grid(short)) == 17
    assert len(sweep.grid(TUNED[0])) == 9


def test_the_table_of_regrets(tmp_path: Path) -> None:
    run, name = asked(tmp_path), TUNED[0].name
    told = {"setting": asdict(Point(2, 2)), "sweep_s": 10.0, "gain": 1.9, "seconds": 90.0}
    run.store.add(Row("sweep", name, "dlcheck", figures=told))
    times = {"0 workers": 45.0, "2 workers, prefetch 2": 20.8, "4 workers, prefetch 4": 20.0}
    run.store.add(Row("sweep", name, TRUTH, figures={"ms": times, "present": "0 workers", "grid_s": 100.0}))
    text = sweep.report(run)
    assert "1 of 1 within 5%" in text
    assert "4.0 %" in text
    assert "1 of 1 at 20%" in text


def test_errors_of_predictions(tmp_path: Path) -> None:
    run, name = asked(tmp_path), PREDICTED[0].name
    run.store.add(Row("predict", name, "dlcheck", figures={"now": 100.0, "ideal": 210.0, "1": None}))
    run.store.add(Row("predict", name, TRUTH, figures={"now": 101.0, "ideal": 200.0, "1": 150.0}))
    text = predict.report(run)
    assert "within 10%: 1 of 1, median 5.0%" in text
    assert "+5.0 %" in text


def test_the_table_of_memory(tmp_path: Path) -> None:
    run = asked(tmp_path)
    run.store.add(Row("memory", "mlp/adam", "measured", figures={"peak": 1000}))
    run.store.add(Row("memory", "mlp/adam", "predicted", figures={"total": 1010, "seconds": 2.0}))
    run.store.add(Row("memory", "mlp/adam", "peers", figures={"accelerate": 800.0, "torchinfo": 400.0}))
    text = memory.report(run)
    assert "1 of 1 predictions within 2%" in text
    assert "+1.0 %" in text
    assert "-20.0 %" in text


def test_the_table_of_photos(tmp_path: Path) -> None:
    run = asked(tmp_path)
    figures = {"said": "input decode 0.80", "setting": {"in_memory": True}, "naive_ms": 200.0, "ms": 50.0}
    run.store.add(Row("photos", "cats-vs-dogs", "dlcheck", figures=figures | {"ratio": [4.0, 3.5, 4.5]}))
    assert "4.00 [3.50, 4.50]" in photos.report(run)
    assert "in_memory=True" in photos.report(run, markdown=True)


def test_the_tables_of_stalls(tmp_path: Path) -> None:
    run = asked(tmp_path)
    first, second = [case for case in judged.cases_of("stalls", 1) if case.kind == "collate"][:2]
    run.store.add(Row("stalls", first.name, "dlcheck", Verdict("input", "collate", 0.9, ("P501",), "words", 30.0)))
    run.store.add(Row("stalls", second.name, "dlcheck", Verdict("gap", "inside-step", 0.8, (), "between", 30.0)))
    run.store.add(Row("stalls", second.name, "TraceML", Verdict("input", "", None, ("INPUT_BOUND",))))
    text = judged.report("stalls", run)
    assert "1/2 = 50.0 %" in text
    assert "dlcheck was not right on" in text
    assert second.name in text
    assert "TraceML" in text


def test_shares_show_their_interval_and_what_is_not_there_a_dash() -> None:
    text = table("title", ("name", "rate", "time"), [("a", Share(9, 10), None), ("b", Share(0, 0), float("nan"))])
    assert "9/10 = 90.0 % [59.6, 98.2]" in text
    assert text.count("–") == 3
    assert "| a | 9/10" in table("title", ("name", "rate"), [("a", Share(9, 10))], markdown=True)
