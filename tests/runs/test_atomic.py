import errno
import os
from pathlib import Path

import pytest

from dlcheck.errors import DlcheckError
from dlcheck.runs.atomic import atomic_file, write_atomic


def test_text_and_bytes_replace_the_old_content(tmp_path: Path) -> None:
    path = tmp_path / "facts.json"
    write_atomic(path, "ä")
    assert path.read_bytes() == b"\xc3\xa4"
    write_atomic(path, b"\x00")
    assert path.read_bytes() == b"\x00"


def test_others_may_read_it_as_any_file(tmp_path: Path) -> None:
    path = tmp_path / "facts.json"
    write_atomic(path, "x")
    (tmp_path / "plain").write_text("x")
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize(("number", "said"), [(errno.ENOSPC, "no space left"), (errno.EIO, "cannot write")])
def test_a_refused_write_leaves_the_old_file_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, said: str
) -> None:
    def refuse(_: int) -> None:
        raise OSError(number, "refused")

    path = tmp_path / "last.pt"
    write_atomic(path, "old")
    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(DlcheckError, match=said) as caught:
        write_atomic(path, "new")
    assert "\n" not in str(caught.value)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_folder_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DlcheckError, match="cannot write"):
        write_atomic(tmp_path / "none" / "x", "x")


def test_an_exception_in_the_block_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "last.pt"
    write_atomic(path, "old")

    def stop() -> None:
        with atomic_file(path) as file:
            file.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stop()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
