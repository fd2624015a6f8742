"""A folder of TensorBoard's event files: resumed runs, and splits or curves in folders of their own."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from dlcheck.errors import DlcheckError
from dlcheck.runs.readers.reader import Reader, ReadOptions
from dlcheck.runs.readers.tensorboard import is_event_file
from dlcheck.runs.readers.tensorboard_files import EventFile, event_runs, folder_split, read_event_file
from dlcheck.runs.run import Event, Run

_MARK = "tfevents"


def is_event_folder(path: Path) -> bool:
    """Return whether a folder holds event files, or holds them in folders named after splits."""
    try:
        return any(True for _ in _event_files(path))
    except OSError:
        return False


def read_folder(path: Path, options: ReadOptions) -> list[Run]:
    """Read the event files of one folder as its runs, oldest first.

    Files in folders named after a split, as Keras and AllenNLP write, belong to the same run, as do those that
    ``SummaryWriter.add_scalars`` writes for single curves. A broken file is named in an event, the others are read.

    Raises:
        DlcheckError: no file can be read.
        OSError: the folder cannot be read.
    """
    files: list[EventFile] = []
    broken: list[str] = []
    for file in _event_files(path):
        folder = "" if file.parent == path else file.parent.name
        try:
            files.append(read_event_file(file, folder))
        except (DlcheckError, OSError):
            broken.append(file.name)
    files = [file for file in files if not file.folder or _belongs(file)]
    if not files:
        raise DlcheckError(f"{path}: none of its {len(broken)} event files holds a sound record")
    runs = event_runs(files, options.names)
    events = tuple(Event("bad-record", detail={"file": name}) for name in broken)
    return [replace(run, events=run.events + events, meta={**run.meta, "format": "tensorboard"}) for run in runs]


def _event_files(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        return
    entries = sorted(path.iterdir())
    own = [entry for entry in entries if _is_named_so(entry)]
    yield from own
    for entry in entries:
        if (own or folder_split(entry.name)) and entry.is_dir() and not entry.is_symlink():
            yield from (file for file in sorted(entry.iterdir()) if _is_named_so(file))


def _is_named_so(path: Path) -> bool:
    return _MARK in path.name and path.is_file() and is_event_file(path)


def _belongs(file: EventFile) -> bool:
    """Return whether a file in a folder below is part of the run: one split of it, or one curve."""
    if folder_split(file.folder):
        return True
    return bool(file.points) and all(file.folder.startswith(tag.replace("/", "_") + "_") for tag in file.points)


READER = Reader("tensorboard-folder", is_event_folder, read_folder, rank=10, folder=True)
