"""What lies in a folder of runs leads a reader neither out of it, nor to something that never ends, nor too deep."""

import json
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Command, Done

CURVE = "epoch,train_loss,val_loss\n" + "".join(f"{n},{2 / n},{0.5 + n / 10}\n" for n in range(1, 31))
SECRET = "root:x:0:0:secret-word"


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Return a folder with a good log, beside which a secret lies."""
    folder = tmp_path / "runs"
    folder.mkdir()
    (folder / "good.csv").write_text(CURVE)
    (tmp_path / "secret.csv").write_text(f"{SECRET}\n{CURVE}")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "other.csv").write_text(CURVE)
    return folder


def told(done: Done) -> dict[str, str]:
    """Return what was not read, by name, of a diagnosis that read the good log."""
    assert done.returncode in (0, 1), done.stderr
    content = json.loads(done.stdout)
    assert [run["source"] for run in content["runs"]] == ["runs/good.csv"]
    assert SECRET not in done.stdout
    return {Path(item["source"]).name: item["why"] for item in content.get("refused", [])}


def test_links_out_of_a_folder_are_told_and_not_followed(command: Command, runs: Path) -> None:
    (runs / "file.csv").symlink_to(runs.parent / "secret.csv")
    (runs / "folder").symlink_to(runs.parent / "elsewhere", target_is_directory=True)
    (runs / "passwd.log").symlink_to("/etc/passwd")
    (runs / "up").symlink_to("..", target_is_directory=True)
    why = told(command("diagnose", "runs", "--format", "json"))
    assert set(why) == {"file.csv", "folder", "passwd.log", "up"}
    assert all("a link out of the folder that is searched, to /" in one for one in why.values())


def test_links_within_a_folder_are_followed_and_loops_end(command: Command, runs: Path) -> None:
    (runs / "inner").mkdir()
    (runs / "inner" / "again").symlink_to(runs, target_is_directory=True)
    (runs / "inner" / "same.csv").symlink_to(runs / "good.csv")
    (runs / "one").symlink_to(runs / "two")
    (runs / "two").symlink_to(runs / "one")
    (runs / "nothing").symlink_to(runs / "not-there")
    why = told(command("diagnose", "runs", "--format", "json"))
    assert set(why) == {"one", "two", "nothing"}


def test_a_link_that_is_named_itself_is_read(command: Command, runs: Path) -> None:
    (runs.parent / "link").symlink_to(runs, target_is_directory=True)
    done = command("diagnose", "link", "--format", "json")
    assert [run["source"] for run in json.loads(done.stdout)["runs"]] == ["link/good.csv"]


def _mlflow(folder: Path) -> Path:
    (folder / "metrics").mkdir(parents=True)
    (folder / "meta.yaml").write_text("run_name: x\nartifact_uri: file:///etc/passwd\n")
    (folder / "metrics" / "loss").write_text("".join(f"{1000 * n} {2 / n} {n}\n" for n in range(1, 9)))
    return folder / "metrics" / "val_loss"


def _dvclive(folder: Path) -> Path:
    (folder / "plots" / "metrics").mkdir(parents=True)
    (folder / "plots" / "metrics" / "loss.tsv").write_text(
        "step\tloss\n" + "".join(f"{n}\t{2 / n}\n" for n in range(1, 9))
    )
    return folder / "plots" / "metrics" / "val_loss.tsv"


def _wandb(folder: Path) -> Path:
    (folder / "files").mkdir(parents=True)
    (folder / "files" / "wandb-summary.json").write_text("{}")
    (folder / "wandb-history.jsonl").write_text(
        "".join(json.dumps({"_step": n, "loss": 2 / n}) + "\n" for n in range(1, 9))
    )
    return folder / "files" / "output.log"


def _dlcheck(folder: Path) -> Path:
    from dlcheck.runs import RunFolder

    made = RunFolder.create(folder)
    made.metrics.write_text(CURVE)
    return folder / "steps.csv"


def _ranks(folder: Path) -> Path:
    _dlcheck(folder)
    (folder / "ranks" / "0").mkdir(parents=True)
    return folder / "ranks" / "0" / "rank.json"


FOLDERS: dict[str, Callable[[Path], Path]] = {
    "mlflow": _mlflow,
    "dvclive": _dvclive,
    "wandb": _wandb,
    "dlcheck": _dlcheck,
    "ranks": _ranks,
}


@pytest.mark.parametrize("kind", FOLDERS)
def test_no_file_of_a_log_leads_out_of_it(command: Command, runs: Path, kind: str) -> None:
    place = FOLDERS[kind](runs.parent / "log")
    place.symlink_to(runs.parent / "secret.csv")
    done = command("diagnose", "log", "--format", "json")
    assert SECRET not in done.stdout + done.stderr
    assert done.returncode in (0, 1, 2)
    if done.returncode == 2:
        assert "a link out of this folder" in done.stderr
        assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("kind", FOLDERS)
@pytest.mark.parametrize("what", ["pipe", "device", "socket"])
def test_what_never_ends_is_not_waited_for(command: Command, tmp_path: Path, kind: str, what: str) -> None:
    place = FOLDERS[kind](tmp_path / "log")
    _never_ending(what, place)
    done = command("diagnose", "log")
    assert done.returncode in (0, 1, 2)
    assert done.returncode != 2 or len(done.stderr.splitlines()) == 1


def _never_ending(what: str, place: Path) -> None:
    if what == "pipe":
        os.mkfifo(place)
    elif what == "device":
        place.symlink_to("/dev/zero")
    else:
        here = os.open(place.parent, os.O_RDONLY)  # the path of a socket has room for 108 bytes
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(f"/proc/self/fd/{here}/{place.name}")
        os.close(here)


@pytest.mark.parametrize("what", ["pipe", "device", "socket"])
def test_what_never_ends_beside_a_log(command: Command, runs: Path, what: str) -> None:
    for name in ("x.csv", "metrics.json", "environment.json", "meta.yaml", "train.log", "a.tfevents.1", "run.wandb"):
        _never_ending(what, runs / name)
    told(command("diagnose", "runs", "--format", "json"))


@pytest.mark.parametrize(
    ("what", "words"),
    [("pipe", "a pipe; dlcheck diagnose - reads standard input"), ("socket", "a socket"), ("device", "a device")],
)
def test_what_never_ends_is_named_where_it_is_asked_for(
    command: Command, tmp_path: Path, what: str, words: str
) -> None:
    _never_ending(what, tmp_path / "x.csv")
    for more in ((), ("--reader", "csv"), ("--reader", "tensorboard"), ("--reader", "text")):
        done = command("diagnose", "x.csv", *more)
        assert done.returncode == 2
        assert words in done.stderr
        assert len(done.stderr.splitlines()) == 1


def test_commands_on_recipes_do_not_wait_for_pipes(command: Command, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "r.toml")
    (tmp_path / "z.toml").symlink_to("/dev/zero")
    for words in ("train", "check", "tune", "lr-find", "treat", "profile-gpu"):
        for name in ("r.toml", "z.toml"):
            done = command(words, name)
            assert done.returncode == 2
            assert len(done.stderr.splitlines()) == 1


def test_deep_folders_end(command: Command, runs: Path) -> None:
    deep = runs / "deep"
    here = os.open(runs, os.O_RDONLY)
    try:
        for name in ["deep", *["d"] * 400]:
            os.mkdir(name, dir_fd=here)
            inner = os.open(name, os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = inner
    finally:
        os.close(here)
    why = told(command("diagnose", "runs", "--format", "json"))
    assert list(why.values()) == ["cannot read: more than 64 folders within each other"]
    (runs.parent / "log").mkdir()
    (deep).rename(runs.parent / "log" / "metrics")
    (runs.parent / "log" / "meta.yaml").write_text("run_name: x\n")
    done = command("diagnose", "log")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    # pytest's own removal of old folders would recurse as deep
    import shutil
    import sys

    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(10_000)
    try:
        shutil.rmtree(runs.parent / "log")
    finally:
        sys.setrecursionlimit(limit)


def test_absolute_paths_in_what_a_log_says_are_not_opened(
    command: Command, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _mlflow(runs.parent / "log")
    opened: list[str] = []
    whole = os.open

    def watched(path: str | Path, *args: int, **more: int) -> int:
        opened.append(str(path))
        return whole(path, *args, **more)

    monkeypatch.setattr(os, "open", watched)
    done = command("diagnose", "log", "--reader", "mlflow")
    assert done.returncode in (0, 1), done.stderr
    assert any(path.endswith("meta.yaml") for path in opened)
    assert not any("passwd" in path for path in opened)
