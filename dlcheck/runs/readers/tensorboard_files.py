"""The event files of one TensorBoard run or several, put together in the order in which they were written."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from mmap import ACCESS_READ, mmap
from pathlib import Path

import numpy as np

from dlcheck.errors import DlcheckError
from dlcheck.runs.assemble import Series, assemble
from dlcheck.runs.intake import open_log
from dlcheck.runs.names import SPLITS
from dlcheck.runs.readers.tensorboard_event import TagPoints, read_points
from dlcheck.runs.readers.tensorboard_record import Gap, read_frames
from dlcheck.runs.run import Event, Numbers, Run

Tag = tuple[str, str]
"""The folder below the run's, empty for its own, and the tag."""
_IN_MEMORY_BYTES = 1 << 28


@dataclass(frozen=True, slots=True)
class EventFile:
    """What one event file holds."""

    path: Path
    folder: str
    """Name of the folder below the run's that it lies in; empty for the run's own."""
    points: Mapping[str, TagPoints]
    gaps: tuple[Gap, ...]
    torn_at: int | None
    start_s: float
    """Wall time of its first point, or infinity."""
    purges: int | None = None
    """Step from which on it takes the place of the files before it."""


@dataclass(slots=True)
class _Session:
    """A training from its beginning, through every resume."""

    points: dict[Tag, list[TagPoints]] = field(default_factory=dict)
    files: list[EventFile] = field(default_factory=list)


def read_event_file(path: Path, folder: str = "") -> EventFile:
    """Read one event file.

    Raises:
        DlcheckError: it holds no sound record.
        OSError: it cannot be read.
    """
    content = _content(path)
    frames = read_frames(content)
    found = read_points(content, frames)
    points = found.tags
    if not len(frames.starts) and frames.torn_at != 0:
        raise DlcheckError(f"{path}: no event file of TensorBoard: it holds no sound record")
    start_s = min((float(np.nanmin(one.wall_s)) for one in points.values() if not _all_nan(one)), default=np.inf)
    return EventFile(path, folder, points, (*frames.gaps, *found.foreign), frames.torn_at, start_s, found.purges)


def event_runs(files: Iterable[EventFile], names: Mapping[str, str]) -> list[Run]:
    """Return the runs in event files that lie together, oldest first.

    A file in which a series begins again where the series of an earlier file began starts a run of its own; one that
    begins later goes on with it, and takes the place of the steps that it repeats, or of all from the step that it says
    (``SummaryWriter``'s ``purge_step``), whatever series these belong to.

    Raises:
        DlcheckError: the user named a series that is not there.
    """
    sessions = [_Session()]
    for file in sorted(files, key=lambda one: (one.start_s, one.path.name)):
        if _begins_again(file, sessions[-1]):
            sessions.append(_Session())
        sessions[-1].files.append(file)
        if file.purges is not None and file.points:
            _purge(sessions[-1], file.folder, file.purges)
        for tag, points in file.points.items():
            sessions[-1].points.setdefault((file.folder, tag), []).append(points)
    return [_run(session, names, restarted=number > 0) for number, session in enumerate(sessions)]


def _purge(session: _Session, folder: str, step: int) -> None:
    """Leave out what a folder's earlier files hold from a step on."""
    for tag, parts in list(session.points.items()):
        if tag[0] != folder:
            continue
        kept = [part.where(part.steps < step) for part in parts]
        session.points[tag] = [part for part in kept if len(part.steps)]
        if not session.points[tag]:
            del session.points[tag]


def _content(path: Path) -> bytes | mmap:
    with open_log(path) as file:
        if path.stat().st_size <= _IN_MEMORY_BYTES:
            return file.read()
        return mmap(file.fileno(), 0, access=ACCESS_READ)


def _all_nan(points: TagPoints) -> bool:
    return bool(np.isnan(points.wall_s).all())


def _begins_again(file: EventFile, session: _Session) -> bool:
    common = [
        (points, session.points[file.folder, tag][0])
        for tag, points in file.points.items()
        if (file.folder, tag) in session.points
    ]
    return any(
        min(len(old.steps), len(new.steps)) > 1 and new.steps[0] <= old.steps[0] and _moves(old) for new, old in common
    )


def _moves(points: TagPoints) -> bool:
    return bool(points.steps[-1] != points.steps[0])


def _run(session: _Session, names: Mapping[str, str], *, restarted: bool) -> Run:
    inferred: list[str] = []
    joined = {tag: _joined(parts) for tag, parts in session.points.items()}
    overlaps = [overlap for _, overlap in joined.values() if overlap]
    series = {tag: points for tag, (points, _) in joined.items()}
    start_s = min((float(np.nanmin(one.wall_s)) for one in series.values() if not _all_nan(one)), default=0.0)
    epochs = next((points for (_, tag), points in series.items() if tag == "epoch"), None)
    # Of two tags with one meaning the plainer one is the whole: AllenNLP writes `loss` beside `loss/loss_train`.
    plain_first = sorted(series.items(), key=lambda item: item[0][1].count("/"))
    told = [_series(tag, points, start_s, epochs, inferred) for tag, points in plain_first]
    events = _events(session, overlaps, restarted)
    return assemble(
        told, names, events=events, inferred=inferred, meta={"files": [one.path.name for one in session.files]}
    )


def _joined(parts: list[TagPoints]) -> tuple[TagPoints, tuple[int, int] | None]:
    """Return one series of the parts of several files, and the first and last step that was written twice."""
    joined, overlap = parts[0], None
    for part in parts[1:]:
        kept = joined.steps < part.steps[0]
        if not kept.all() and _moves(part):
            first, last = int(part.steps[0]), int(joined.steps.max())
            overlap = (first, last) if overlap is None else (min(first, overlap[0]), max(last, overlap[1]))
            joined = joined.where(kept)
        joined = TagPoints(*(np.concatenate(pair) for pair in zip(joined.columns, part.columns, strict=True)))
    return joined, overlap


def _series(tag: Tag, points: TagPoints, start_s: float, epochs: TagPoints | None, inferred: list[str]) -> Series:
    folder, name = tag
    split = folder_split(folder)
    told = name if split or not folder else f"{folder}/{name}"
    steps: Numbers | None = points.steps.astype(np.float64)
    backwards = int((np.diff(points.steps) < 0).sum())
    if backwards:
        inferred.append(f"the steps of {told!r} go back {backwards} times: its points stand in the order of writing")
    if backwards or (len(points.steps) > 1 and not _moves(points)):
        steps = None
    return Series(told, points.values, steps, _epochs(points, epochs), points.wall_s - start_s, split)


def _epochs(points: TagPoints, epochs: TagPoints | None) -> Numbers | None:
    """Return the epochs that a series of its own gives to the same steps."""
    if epochs is None or (np.diff(epochs.steps) < 0).any() or not np.isin(points.steps, epochs.steps).all():
        return None
    return epochs.values[np.searchsorted(epochs.steps, points.steps)]


def _events(session: _Session, overlaps: list[tuple[int, int]], restarted: bool) -> list[Event]:
    events = [Event("restart", detail={"file": session.files[0].path.name})] if restarted and session.files else []
    if overlaps:
        first, last = min(first for first, _ in overlaps), max(last for _, last in overlaps)
        events.append(Event("overlap", step=first, detail={"first": first, "last": last}))
    for file in session.files:
        if file.gaps:
            events.append(Event("bad-record", detail=_where(file)))
        if file.torn_at is not None:
            events.append(Event("truncated", detail={"file": file.path.name, "byte": file.torn_at}))
    return events


def _where(file: EventFile) -> dict[str, object]:
    bytes_lost = sum(gap.end - gap.start for gap in file.gaps)
    return {"file": file.path.name, "byte": file.gaps[0].start, "records": len(file.gaps), "bytes_lost": bytes_lost}


def folder_split(name: str) -> str | None:
    """Return the split that the name of a folder says, as Keras' ``train`` and ``validation``."""
    return SPLITS.get(name.lower())
