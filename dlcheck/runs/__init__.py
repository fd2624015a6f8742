"""Runs: what was measured, where it is kept, how it is read. Imports no torch."""

from dlcheck.runs.atomic import atomic_file, write_atomic
from dlcheck.runs.csv_log import CsvLog
from dlcheck.runs.environment import environment
from dlcheck.runs.folder import RunFolder, default_run_path, is_run_folder
from dlcheck.runs.readers.reader import read_run
from dlcheck.runs.run import Curve, Event, Part, Run, layer_frame, phase_frame, scalar_frame

__all__ = [
    "CsvLog",
    "Curve",
    "Event",
    "Part",
    "Run",
    "RunFolder",
    "atomic_file",
    "default_run_path",
    "environment",
    "is_run_folder",
    "layer_frame",
    "phase_frame",
    "read_run",
    "scalar_frame",
    "write_atomic",
]
