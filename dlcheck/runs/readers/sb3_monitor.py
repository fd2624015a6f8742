"""``monitor.csv`` of Stable-Baselines3: a row an episode with its reward, length and time; no loss."""

from pathlib import Path

from dlcheck.runs.content import head_text
from dlcheck.runs.delimited import read_delimited
from dlcheck.runs.readers.reader import Reader, ReadOptions
from dlcheck.runs.run import Run
from dlcheck.runs.tables import table_runs

_NAMES = {"r": "reward", "l": "episode_length", "t": "elapsed_time"}


def _matches(path: Path) -> bool:
    lines = head_text(path).splitlines()[:2]
    return len(lines) == 2 and lines[0].startswith("#{") and lines[1].startswith("r,l,t")


def _read(path: Path, options: ReadOptions) -> list[Run]:
    table = read_delimited(path, rename=lambda names: tuple(_NAMES.get(name, name) for name in names))
    return table_runs(table, options.names)


READER = Reader("sb3-monitor", _matches, _read, rank=10)
