"""The exam: memory by cause and the largest batch."""

from __future__ import annotations

from dlcheck.checks.exam import Exam, Measured
from dlcheck.checks.memory.measured import measured_peak
from dlcheck.checks.memory.need import measured, need_of
from dlcheck.checks.memory.work import work_of
from dlcheck.checks.patient import Patient

GIB = 1 << 30


def measure_memory(patient: Patient) -> Measured:
    """Predict a step's peak by cause, and the batch that would fit; on CUDA make two steps and measure it."""
    whole = next(patient.augmented(1))
    patient.training_mode()
    work = work_of(patient)
    fact = need_of(work, whole, deadline=patient.deadline)
    if patient.device.type == "cuda":
        fact = measured(fact, measured_peak(work, whole))
    fits = "" if fact.largest_batch is None else f"largest batch {_rounded(fact.largest_batch)}"
    return Measured((fact,), number=f"{_told(fact.total)} at {fact.batch_size}", expected=fits)


def _rounded(samples: int) -> str:
    """Return a number of samples without false precision."""
    return str(samples) if samples < 100 else f"{float(f'{samples:.2g}'):,.0f}"


def _told(size: float) -> str:
    for unit, name in ((GIB, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
        if size >= unit:
            return f"{size / unit:.3g} {name}"
    return f"{size:.0f} bytes"


EXAM = Exam("memory", ("P509",), measure_memory, share=0.5)
