"""A full disk and a read-only one, real ones: one clear line, and nothing that was there or was written is lost."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dlcheck.runs.folder import read_object
from tests.crash.killing import readable, whole
from tests.crash.test_kills_tune import finished, study
from tests.crash.test_kills_watch import SCRIPT
from tests.crash.test_signals_searches import SEARCH, SMALL

LONG_SCRIPT = SCRIPT.replace("WORKERS", "0").replace("EPOCHS", "30")
COMMANDS = {
    "train": ["train", "{disk}/r.toml", "--quiet", "--device", "cpu", "--run-dir", "{disk}/out"],
    "tune": ["tune", "{disk}/t.toml", "--quiet", "--device", "cpu", "--trials", "40", "--study-dir", "{disk}/out"],
    "treat": ["treat", "{disk}/r.toml", "--yes", "--quiet", "--device", "cpu", "--run-dir", "{disk}/out"],
    "watch": ["watch", "--run-dir", "{disk}/out", "{disk}/script.py"],
    "profile-gpu": ["profile-gpu", "{disk}/r.toml", "--device", "cpu", "--budget", "10", "--run-dir", "{disk}/out"],
}
pytestmark = pytest.mark.slow


@contextmanager
def mounted(path: Path, size: str) -> Iterator[Path]:
    path.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(path)], capture_output=True)
    if made.returncode:
        pytest.skip(f"may not mount: {made.stderr.decode().strip()}")
    try:
        yield path
    finally:
        subprocess.run(["umount", "-l", str(path)], check=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """Return a disk of its own with recipes and a script on it."""
    with mounted(tmp_path / "disk", "64m") as path:
        (path / "r.toml").write_text(SMALL, encoding="utf-8")
        (path / "t.toml").write_text(SMALL.replace("lr = 1e-6  # far too low", "lr = 0.01") + SEARCH, encoding="utf-8")
        (path / "script.py").write_text(LONG_SCRIPT, encoding="utf-8")
        yield path


def users(disk: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in disk.iterdir() if path.is_file() and path.name != "filler"}


def fill(disk: Path, left_kib: int) -> Path:
    """Leave so much room, and return the file that takes the rest."""
    free = os.statvfs(disk)
    filler = disk / "filler"
    filler.write_bytes(bytes(free.f_bavail * free.f_frsize - left_kib * 1024))
    return filler


def run(name: str, disk: Path, tmp_path: Path, *more: str) -> tuple[int, list[str]]:
    """Return a command's status, and the lines it says in its own name; a traceback is always one too many."""
    place = tmp_path / "place"
    place.mkdir(exist_ok=True)
    (place / "output.txt").unlink(missing_ok=True)
    status, _ = whole([word.format(disk=disk) for word in [*COMMANDS[name], *more]], place)
    words = (place / "output.txt").read_text(encoding="utf-8")
    assert "Traceback" not in words, words
    assert "internal error" not in words, words
    return status, [line for line in words.splitlines() if line.startswith("dlcheck: ")]


@pytest.mark.parametrize("name", COMMANDS)
def test_a_read_only_disk_is_one_line(name: str, disk: Path, tmp_path: Path) -> None:
    before = users(disk)
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    status, lines = run(name, disk, tmp_path)
    assert status == 2, lines
    assert [line for line in lines if "read-only" in line.lower()], lines
    assert users(disk) == before
    assert not (disk / "out").exists()


@pytest.mark.parametrize("left_kib", [0, 40, 160, 400])
@pytest.mark.parametrize("name", COMMANDS)
def test_a_full_disk_is_one_line_and_there_is_no_loss(name: str, left_kib: int, disk: Path, tmp_path: Path) -> None:
    before = users(disk)
    filler = fill(disk, left_kib)
    status, lines = run(name, disk, tmp_path)
    print(name, left_kib, status, lines)
    told = [line for line in lines if "no space left" in line]
    assert len(told) == 1, lines
    assert status == 2
    assert users(disk) == before
    out = disk / "out"
    for run_folder in [out, *out.glob("runs/*"), *out.glob("trials/*")]:
        assert not (run_folder / "environment.json").exists() or readable(run_folder)
    kept = finished(study(out)) if name == "tune" else {}
    filler.unlink()
    if name == "train" and read_object(out / "facts.json").get("finished"):
        return  # only the report found no room
    if name == "train" and out.exists():
        again = whole(["train", "--resume", str(out), "--quiet"], tmp_path / "place")[0]
    elif name in ("watch", "profile-gpu"):
        return
    else:
        again, lines = run(name, disk, tmp_path, *(["--trials", "6"] if name == "tune" else []))
    assert again in (0, 1), lines
    if name == "tune":
        rows = finished(study(out))
        assert {number: rows.get(number) for number in kept} == kept
    assert users(disk) == before
