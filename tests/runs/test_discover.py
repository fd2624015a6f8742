import os
from pathlib import Path

import pytest

from dlcheck.errors import DlcheckError
from dlcheck.runs import RunFolder
from dlcheck.runs.discover import Found, Refused, discover

CSV = "epoch,loss,val_loss\n0,1.0,1.1\n1,0.5,0.7\n"
STATE = '{"log_history": [{"loss": 1.0, "step": 1, "epoch": 1.0}, {"loss": 0.5, "step": 2, "epoch": 2.0}]}'


def write(path: Path, text: str = CSV) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def found(*paths: str | Path) -> list[tuple[Path, str]]:
    return [(item.path, item.reader_name) for item in discover(paths) if isinstance(item, Found)]


def refused(*paths: str | Path) -> list[Path]:
    return [item.path for item in discover(paths) if isinstance(item, Refused)]


def test_files_folders_and_globs_name_each_log_once(tmp_path: Path) -> None:
    one, two = write(tmp_path / "a/x.csv"), write(tmp_path / "b/c/y.log")
    write(tmp_path / "b/notes.md", "# nothing to see\n")
    every = [(one, "keras-csv"), (two, "keras-csv")]
    assert found(tmp_path) == every
    assert found(one, tmp_path, tmp_path / "b") == every
    assert found(str(tmp_path / "**/*.csv")) == every[:1]
    assert refused(tmp_path) == []


def test_a_run_folder_is_one_log(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "runs/digits")
    write(folder.metrics, "epoch,step,train_loss\n1,1,2.0\n2,2,1.0\n")
    assert found(tmp_path) == [(folder.path, "dlcheck-run")]


def test_what_is_named_and_no_log_is_refused_with_a_reason(tmp_path: Path) -> None:
    text = write(tmp_path / "notes.txt", "buy milk\n")
    pickle = tmp_path / "history.pkl"
    pickle.write_bytes(b"\x80\x04\x95\x10\x00")
    items = list(discover([text, pickle, tmp_path / "none", str(tmp_path / "*.tsv")]))
    assert all(isinstance(item, Refused) for item in items)
    reasons = [item.why for item in items if isinstance(item, Refused)]
    assert "no known format" in reasons[0]
    assert "pickle" in reasons[1]
    assert "no such file" in reasons[2]
    assert "nothing matches" in reasons[3]


def test_a_script_is_refused_with_the_command_that_is_for_scripts(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text("for epoch in range(3):\n    print(f'loss {epoch}')\n", encoding="utf-8")
    (item,) = discover([script])
    assert isinstance(item, Refused)
    assert f"dlcheck watch {script}" in item.why


def test_a_folder_without_a_log_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "empty/readme.md", "hello\n")
    assert refused(tmp_path / "empty") == [tmp_path / "empty"]


def test_a_loop_of_links_ends(tmp_path: Path) -> None:
    log = write(tmp_path / "runs/a.csv")
    (tmp_path / "runs/again").symlink_to(tmp_path / "runs", target_is_directory=True)
    (tmp_path / "runs/self").symlink_to(tmp_path / "runs/self")
    assert found(tmp_path) == [(log, "keras-csv")]


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_folder_does_not_end_the_search(tmp_path: Path) -> None:
    log = write(tmp_path / "b.csv")
    (tmp_path / "a").mkdir(mode=0o000)
    assert found(tmp_path) == [(log, "keras-csv")]
    assert refused(tmp_path) == [tmp_path / "a"]


def test_checkpoints_are_copies_of_one_history(tmp_path: Path) -> None:
    for step in (9, 10, 100):
        write(tmp_path / f"out/checkpoint-{step}/trainer_state.json", STATE)
    last = tmp_path / "out/checkpoint-100/trainer_state.json"
    assert found(tmp_path) == [(last, "hf-trainer-state")]
    whole = write(tmp_path / "out/trainer_state.json", STATE)
    assert found(tmp_path) == [(whole, "hf-trainer-state")]


def test_a_forced_reader_has_to_exist(tmp_path: Path) -> None:
    log = write(tmp_path / "a.csv")
    assert list(discover([log], reader="csv")) == [Found(log, "csv")]
    with pytest.raises(DlcheckError, match="did you mean 'keras-csv'"):
        list(discover([log], reader="keras_csv"))
