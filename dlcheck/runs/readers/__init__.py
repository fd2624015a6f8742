"""One file a log format."""

from dlcheck.runs.readers.reader import Reader, read_run, readers

__all__ = ["Reader", "read_run", "readers"]
