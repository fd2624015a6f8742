"""One file a log format."""

from dlcheck.runs.readers.reader import Reader, ReadOptions, read_run, read_runs, readers

__all__ = ["ReadOptions", "Reader", "read_run", "read_runs", "readers"]
