import json
import math
from pathlib import Path

import pytest

from dlcheck.errors import DlcheckError
from dlcheck.runs import Event, RunFolder, default_run_path, is_run_folder
from dlcheck.runs.folder import read_events


def test_a_new_folder_is_a_run_folder_at_once(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "runs" / "digits")
    assert RunFolder.open(folder.path) == folder
    assert folder.checkpoints.is_dir()
    content = json.loads(folder.environment.read_text())
    assert content["packages"]["numpy"]
    assert content["cpu_cores"] >= 1


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "digits")
    folder.report.write_text("mine")
    with pytest.raises(DlcheckError, match="exists already"):
        RunFolder.create(folder.path)
    assert folder.report.read_text() == "mine"


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DlcheckError, match="cannot write"):
        RunFolder.create(tmp_path / "file" / "digits")


@pytest.mark.parametrize(("name", "said"), [("none", "no such folder"), ("other", "not a dlcheck run folder")])
def test_opening_anything_else_is_refused(tmp_path: Path, name: str, said: str) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "environment.json").write_text("{}")
    with pytest.raises(DlcheckError, match=said):
        RunFolder.open(tmp_path / name)


def test_bytes_in_the_marker_make_no_run_folder(tmp_path: Path) -> None:
    (tmp_path / "environment.json").write_bytes(b"\xff\xfe")
    assert not is_run_folder(tmp_path)


def test_default_names_never_meet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.strftime", lambda _: "20260102-030405")
    names = []
    for _ in range(3):
        path = default_run_path("digits", tmp_path)
        path.mkdir()
        names.append(path.name)
    assert names == ["digits-20260102-030405", "digits-20260102-030405-2", "digits-20260102-030405-3"]


def test_facts_gather(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "digits")
    folder.add_facts({"trivial_loss": 2.3, "classes": 9})
    folder.add_facts({"classes": 10, "initial_loss": math.inf})
    assert json.loads(folder.facts.read_text()) == {
        "trivial_loss": 2.3,
        "classes": 10,
        "initial_loss": None,
        "initial_loss_state": "inf",
    }


def test_events_come_back_without_a_torn_line(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "digits")
    events = (Event("nonfinite", step=7, detail={"value": math.inf}), Event("resume", epoch=2, wall_s=1.5))
    for event in events:
        folder.add_event(event)
    with folder.events.open("a") as file:
        file.write('{"kind": "re')
    assert read_events(folder.events) == events


@pytest.mark.parametrize("line", ["[]", "{", '{"what": 1}'])
def test_a_broken_event_is_named_with_its_line(tmp_path: Path, line: str) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text(f'{{"kind": "resume"}}\n{line}\n')
    with pytest.raises(DlcheckError, match="line 2: not an event"):
        read_events(path)


def test_a_log_of_the_folder_grows(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "digits")
    log = folder.log(folder.steps, ("step", "loss"))
    log.append((1, 0.5))
    log.close()
    assert folder.steps.read_text() == "step,loss\n1,0.5\n"
