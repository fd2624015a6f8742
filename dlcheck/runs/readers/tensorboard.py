"""One event file of TensorBoard, whoever wrote it."""

from pathlib import Path

from dlcheck.runs.content import head
from dlcheck.runs.readers.reader import Reader, ReadOptions
from dlcheck.runs.readers.tensorboard_files import event_runs, read_event_file
from dlcheck.runs.readers.tensorboard_record import HEADER, has_record
from dlcheck.runs.run import Run

_TIME_FIELD = b"\x09"


def is_event_file(path: Path) -> bool:
    """Return whether a file begins with a sound record of an event."""
    start = head(path)
    return has_record(start) and start[HEADER : HEADER + 1] == _TIME_FIELD


def read_file(path: Path, options: ReadOptions) -> list[Run]:
    """Read one event file; a file without scalars is a run without curves.

    Raises:
        DlcheckError: no event file.
    """
    return event_runs([read_event_file(path)], options.names)


READER = Reader("tensorboard", is_event_file, read_file, rank=10)
