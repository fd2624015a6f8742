"""Memory of a training step by cause: predicted without running it, and measured."""

from dlcheck.checks.memory.exam import EXAM, measure_memory
from dlcheck.checks.memory.measured import measured_peak
from dlcheck.checks.memory.need import need, need_of
from dlcheck.checks.memory.work import Work, work_of

__all__ = ["EXAM", "Work", "measure_memory", "measured_peak", "need", "need_of", "work_of"]
