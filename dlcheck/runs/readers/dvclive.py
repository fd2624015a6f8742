"""A folder that DVCLive wrote: a file of tab-separated values for each metric."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from dlcheck.errors import DlcheckError
from dlcheck.runs.assemble import Series, assemble
from dlcheck.runs.intake import bytes_of, files_below, open_log
from dlcheck.runs.numerals import is_absent, number
from dlcheck.runs.readers.reader import Reader, ReadOptions
from dlcheck.runs.run import Event, Numbers, Run

_PLOTS = Path("plots", "metrics")
_MS = 1e11  # seconds since 1970 are smaller than this, milliseconds are larger
_FIRST_BYTES = 4096


def matches(path: Path) -> bool:
    """Return whether a folder holds ``plots/metrics``, or files of tab-separated values as older releases wrote."""
    try:
        return any(_is_metric(file) for file in _files(path))
    except OSError:
        return False


def read_dvclive(path: Path, options: ReadOptions) -> list[Run]:
    """Read the run of a folder.

    Raises:
        DlcheckError: no file holds steps and values.
        OSError: a file cannot be read.
    """
    root = _root(path)
    events: list[Event] = []
    series: list[Series] = []
    for file in _files(path):
        if _is_metric(file):
            name = file.relative_to(root).with_suffix("").as_posix()
            series.extend(_series(file, name, events))
    if not series:
        raise DlcheckError(f"{path}: no DVCLive folder: no file below it holds steps and values")
    kept = sorted(series, key=lambda one: len(one.values) <= 1)  # single values are averages over the run
    return [assemble(kept, options.names, events=events)]


def _root(path: Path) -> Path:
    return path / _PLOTS if (path / _PLOTS).is_dir() else path


def _files(path: Path) -> Iterator[Path]:
    root = _root(path)
    if path.is_dir():
        found = sorted(root.glob("*.tsv")) if root == path else files_below(root, ".tsv")
        yield from (file for file in found if file.is_file() and not file.is_symlink())


def _is_metric(file: Path) -> bool:
    with open_log(file, whole=False) as opened:
        header = opened.read(_FIRST_BYTES).decode("utf-8", errors="replace").partition("\n")[0]
    cells = header.strip("\r").split("\t")
    return "step" in cells[:2] and len(cells) in (2, 3) and number(cells[-1]) is None


def _series(file: Path, name: str, events: list[Event]) -> list[Series]:
    lines = bytes_of(file).decode("utf-8", errors="replace").splitlines()
    header, *rows = [line.split("\t") for line in lines if line.strip()]
    step_at, time_at = header.index("step"), header.index("timestamp") if "timestamp" in header else None
    points: list[tuple[float, float, float]] = []
    for place, row in enumerate(rows, start=2):
        if row == header:
            events.append(Event("repeated-header", detail={"file": file.name, "line": place}))
            continue
        point = _point(row, len(header), step_at, time_at)
        if point is not None:
            points.append(point)
        elif not is_absent(row[-1]) or len(row) != len(header):
            kind = "truncated" if place == len(rows) + 1 else "bad-record"
            events.append(Event(kind, detail={"file": file.name, "line": place}))
    if not points:
        return []
    steps, values, times = np.array(points, dtype=np.float64).T
    return [Series(name, values, steps, wall_s=_wall_s(times))]


def _point(row: list[str], width: int, step_at: int, time_at: int | None) -> tuple[float, float, float] | None:
    if len(row) != width:
        return None
    step, value = number(row[step_at]), number(row[-1])
    time = None if time_at is None else number(row[time_at])
    return None if step is None or value is None else (step, value, np.nan if time is None else time)


def _wall_s(times: Numbers) -> Numbers | None:
    if not np.isfinite(times).all():
        return None
    scale = 1000.0 if times[0] > _MS else 1.0
    return np.asarray((times - times[0]) / scale)


READER = Reader("dvclive", matches, read_dvclive, rank=25, folder=True)
