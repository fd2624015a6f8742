"""One run of MLflow's file store: a folder with a file for each metric."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from dlcheck.errors import DlcheckError
from dlcheck.runs.assemble import Series, assemble
from dlcheck.runs.intake import bytes_of, files_below
from dlcheck.runs.numerals import number
from dlcheck.runs.readers.reader import Reader, ReadOptions
from dlcheck.runs.run import Event, Run

_METADATA, _METRICS = "meta.yaml", "metrics"
_STATUS = {"1": "running", "2": "scheduled", "3": "finished", "4": "failed", "5": "killed"}
_LARGEST = np.finfo(np.float64).max  # how MLflow keeps infinity
_Point = tuple[float, float, float]


def matches(path: Path) -> bool:
    """Return whether a folder holds ``meta.yaml`` and beside it a folder of metrics."""
    try:
        return (path / _METADATA).is_file() and any(True for _ in _files(path))
    except OSError:
        return False


def read_mlflow(path: Path, options: ReadOptions) -> list[Run]:
    """Read the run in a folder ``mlruns/<experiment>/<run>``.

    Lines of a metric's file are time in ms, value and step. Where all steps are equal the order of time counts.

    Raises:
        DlcheckError: no metric file holds such a line.
        OSError: a file cannot be read.
    """
    events: list[Event] = []
    series = {str(file.relative_to(path / _METRICS)): _points(file, events) for file in _files(path)}
    start_ms = min((point[0] for points in series.values() for point in points), default=None)
    if start_ms is None:
        raise DlcheckError(f"{path}: no MLflow run: no line of its metrics holds time, value and step")
    told = [_series(name, points, start_ms) for name, points in series.items() if points]
    return [assemble(told, options.names, events=events, meta={"mlflow": _metadata(path / _METADATA)})]


def _files(path: Path) -> Iterator[Path]:
    root = path / _METRICS
    if root.is_dir() and not root.is_symlink():
        yield from files_below(root)


def _points(file: Path, events: list[Event]) -> list[_Point]:
    content = bytes_of(file).decode("utf-8", errors="replace")
    *lines, rest = content.split("\n")
    points: list[_Point] = []
    for place, line in enumerate([*lines, rest] if rest.strip() else lines, start=1):
        point = _point(line)
        if point is not None:
            points.append(point)
        elif line.strip():
            kind = "truncated" if place > len(lines) else "bad-record"
            events.append(Event(kind, detail={"file": file.name, "line": place}))
    return points


def _point(line: str) -> _Point | None:
    cells = line.split()
    numbers = [number(cell) for cell in cells]
    if len(cells) not in (2, 3) or any(one is None for one in numbers):
        return None
    time_ms, value, step = (*numbers, None)[:3]
    if time_ms is None or value is None or not np.isfinite(time_ms):
        return None
    return time_ms, (np.copysign(np.inf, value) if abs(value) == _LARGEST else value), 0.0 if step is None else step


def _series(name: str, points: list[_Point], start_ms: float) -> Series:
    times, values, steps = np.array(points, dtype=np.float64).T
    wall_s = (times - start_ms) / 1000
    if len(np.unique(steps)) == 1 and len(steps) > 1:
        order = np.argsort(times, kind="stable")
        return Series(name, values[order], wall_s=wall_s[order])
    order = np.argsort(steps, kind="stable")
    return Series(name, values[order], steps[order], wall_s=wall_s[order])


def _metadata(path: Path) -> dict[str, str]:
    """Return name and status from the flat lines of ``meta.yaml``."""
    lines = bytes_of(path).decode("utf-8", errors="replace").splitlines()
    pairs = {
        key.strip(): value.strip().strip("'\"") for key, found, value in (one.partition(":") for one in lines) if found
    }
    told = {"name": pairs.get("run_name", ""), "status": _STATUS.get(pairs.get("status", ""), pairs.get("status", ""))}
    return {key: value for key, value in told.items() if value}


READER = Reader("mlflow", matches, read_mlflow, rank=20, folder=True)
