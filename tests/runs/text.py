"""Reads a text as a log."""

from pathlib import Path

from dlcheck.runs import Run
from dlcheck.runs.readers import read_run
from dlcheck.runs.readers.reader import ReadOptions

OPTIONS = ReadOptions()


def read(tmp_path: Path, text: str) -> Run:
    path = tmp_path / "train.log"
    path.write_text(text)
    return read_run(path)
