"""Tests of the figures: from rows to shares, and to the table."""

from __future__ import annotations

import dataclasses
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.benchmarks.treatments.__main__ import main
from tests.benchmarks.treatments.cases import FAULTY, HEALTHY, cases
from tests.benchmarks.treatments.programs import TUNED
from tests.benchmarks.treatments.record import Outcome, Row
from tests.benchmarks.treatments.score import score
from tests.benchmarks.treatments.store import append, lines
from tests.benchmarks.treatments.table import markdown


def _row(key: str, treat: Outcome | None, *, kind: str = FAULTY, before: float = 50.0, why: str = "") -> Row:
    doctors = {} if treat is None else {"treat": treat}
    return Row(key, kind, "wine", "rate x30", TUNED, not why, 95.0, before, doctors, 10.0, why)


ROWS = (
    _row("near", Outcome(True, 93.0, 4.0, costs={"diagnosis": 1.0, "proof": 3.0})),
    _row("too far", Outcome(True, 92.9, 6.0, costs={"diagnosis": 1.0, "proof": 5.0})),
    _row("false", Outcome(True, 50.0, 9.0)),
    _row("left alone", Outcome(False, 50.0, 1.0)),
    _row("no case", None, why="the fault does not hurt"),
    _row("sound", Outcome(False, 95.0, 1.0), kind=HEALTHY, before=95.0),
    _row("meddled with", Outcome(True, 90.0, 5.0), kind=HEALTHY, before=95.0),
)


def test_shares_are_of_faults_that_hurt_claims_of_recipes_that_were_changed() -> None:
    found = score(ROWS, ("treat", "random"))
    (cures,) = found.cures
    assert (cures.near.count, cures.near.of) == (1, 4)
    assert (cures.improved.count, cures.improved.of) == (2, 4)
    assert (cures.false.count, cures.false.of) == (1, 3)
    assert cures.cost == 5.0
    assert cures.costs == {"diagnosis": 0.5, "proof": 2.0}
    assert (found.changed.count, found.changed.of, found.changed_worse) == (1, 2, 1)
    assert (found.planted, found.hurts, found.left_out) == (5, 4, {"the fault does not hurt": 1})


def test_the_table_says_the_shares_with_their_intervals() -> None:
    text = markdown(score(ROWS, ("treat", "random")))
    assert "| `dlcheck treat` | 25.0 % (1 of 4; 4.6 to 69.9) |" in text
    assert "| rate x30 | 4 of 5 | 1 | 5.0 |" in text
    assert "Healthy recipes changed: 50.0 % (1 of 2;" in text


def test_of_nothing_there_is_a_table_too() -> None:
    assert "0 faults planted" in markdown(score([], ("treat",)))


def test_a_row_is_read_back_as_it_was_and_a_torn_line_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    append(path, ROWS[0].as_dict())
    with path.open("a", encoding="utf-8") as file:
        file.write('{"key": "torn')
    append(path, ROWS[1].as_dict())
    assert [Row.of(one) for one in lines(path)] == list(ROWS[:2])


def test_what_is_there_is_reported_without_making_anything(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    case = cases(TUNED, 0)[0]
    made = dataclasses.replace(ROWS[0], key=case.key, kind=case.kind, variant=case.variant)
    append(tmp_path / f"{TUNED}.jsonl", json.loads(json.dumps(made.as_dict())))
    assert main(["--report", "--limit", "5", "--out", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "Half: tuned, 1 of 5 cases" in out
    assert "100.0 % (1 of 1;" in out


@pytest.mark.slow
def test_ctrl_c_ends_at_once_with_the_table_of_what_there_is(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.benchmarks.treatments", "--jobs", "1", "--out", str(tmp_path)]
    with subprocess.Popen(
        [*command, "--without", "random,autotrainer"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as going:
        deadline = time.monotonic() + 120
        while not (tmp_path / f"{TUNED}.jsonl").exists() and time.monotonic() < deadline:
            time.sleep(0.2)
        time.sleep(4)  # into the next case's trainings
        going.send_signal(signal.SIGINT)
        out, told = going.communicate(timeout=30)
    assert going.returncode == 0
    assert "interrupted; the same command goes on" in told
    assert f"Half: {TUNED}, {len(list(lines(tmp_path / f'{TUNED}.jsonl')))} of " in out
