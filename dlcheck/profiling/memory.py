"""Memory of a subject's training step: predicted, then measured, then the largest batch tried on CUDA."""

from __future__ import annotations

import contextlib
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from dlcheck.errors import DlcheckError, one_line
from dlcheck.profiling.aside import Aside, Died, aside
from dlcheck.profiling.fitting import largest_fitting
from dlcheck.profiling.memory_script import script_memory
from dlcheck.profiling.settings import Subject, TrialSettings
from dlcheck.profiling.subject import patient_of
from dlcheck.runs.facts import MemoryNeed

if TYPE_CHECKING:
    from dlcheck.checks.patient import Patient

LIMIT_S = 25.0
"""Seconds for the prediction, after which its rest is guessed."""
TRY_S = 30.0
"""Seconds for one size of a batch to be tried."""


def memory_need(subject: Subject, *, timeout_s: float = 60.0, child: Aside | None = None) -> MemoryNeed | None:
    """Predict a training step's memory by cause, and measure its peak, in a process of its own.

    Of scripts and modules, out of which no step can be taken, one of their own steps is followed instead.

    Args:
        subject: What is trained.
        timeout_s: Longest wait.
        child: The process; None: one is made for it, and ended.

    Raises:
        DlcheckError: it cannot be built, or the process died of it; one line.
    """
    if subject.kind not in ("recipe", "factory"):
        followed: MemoryNeed = aside(script_memory, TrialSettings(subject), timeout_s=timeout_s)
        return followed
    until = time.monotonic() + timeout_s
    with contextlib.nullcontext(child) if child is not None else Aside() as child:
        found: MemoryNeed = child.call(predicted_here, subject, min(LIMIT_S, timeout_s / 2), timeout_s=timeout_s)
        try:
            peak = child.call(measured_here, timeout_s=max(1.0, until - time.monotonic()))
        except DlcheckError as error:  # out of memory, or of time: the prediction stands
            note = f"the peak was not measured: {one_line(error)}"
            return replace(found, note="; ".join(one for one in (found.note, note) if one))
    return replace(found, measured_peak=peak)


_predicted: list[Patient] = []
"""Whom this process predicted last, to be measured."""


def predicted_here(subject: Subject, limit_s: float = LIMIT_S) -> MemoryNeed:
    """Predict the memory of a recipe's or factory's step in this process."""
    from dlcheck.checks.memory import need_of, work_of
    from dlcheck.checks.state import untouched

    patient = patient_of(subject)
    assert patient is not None  # nothing else is asked for
    _predicted[:] = [patient]
    batch = next(patient.augmented(1))
    with untouched(patient):
        patient.training_mode()
        return need_of(work_of(patient), batch, deadline=time.monotonic() + limit_s)


def measured_here() -> int:
    """Return the peak of a step of whom this process predicted last."""
    from dlcheck.checks.memory import measured_peak, work_of
    from dlcheck.checks.state import untouched

    (patient,) = _predicted
    batch = next(patient.augmented(1))
    with untouched(patient):
        patient.training_mode()
        return measured_peak(work_of(patient), batch)


def largest_batch(subject: Subject, need: MemoryNeed, *, budget_s: float = 60.0) -> MemoryNeed:
    """Return the need with the largest batch that a CUDA device was seen to take; elsewhere as it is.

    Each size is tried by two steps in a process of its own, so that running out of memory costs that process only.
    The prediction is where it begins; once the budget is spent the largest that fitted so far is taken.
    """
    if not need.device.startswith("cuda") or subject.kind not in ("recipe", "factory"):
        return need
    until = time.monotonic() + budget_s
    with _Tries(subject, until) as tries:
        largest = largest_fitting(tries.fits, need.largest_batch or need.batch_size)
    if tries.note or largest is None:
        return replace(need, note="; ".join(note for note in (need.note, tries.note) if note))
    return replace(need, largest_batch=largest)


class _Tries:
    """Tries sizes in a child; a new one after each death."""

    def __init__(self, subject: Subject, until: float) -> None:
        self._subject, self._until = subject, until
        self._child: Aside | None = None
        self.note = ""

    def fits(self, size: int) -> bool:
        """Return whether two steps of this size fit; past the budget nothing does."""
        left = self._until - time.monotonic()
        if left <= 0 or self.note:
            return False
        self._child = self._child or Aside()
        try:
            return bool(self._child.call(step_fits, self._subject, size, timeout_s=min(TRY_S, left)))
        except Died:
            self._end()
            return False
        except DlcheckError as error:
            self.note = f"larger batches could not be tried: {one_line(error)}"
            return False

    def _end(self) -> None:
        if self._child is not None:
            self._child.__exit__()
            self._child = None

    def __enter__(self) -> _Tries:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()


def step_fits(subject: Subject, size: int) -> bool:
    """Return whether two steps with so many samples fit into the device's memory, in this process."""
    import torch

    from dlcheck.checks.memory import measured_peak, work_of
    from dlcheck.checks.patient import joined

    patient = patient_of(subject)
    if patient is None:
        raise DlcheckError(f"{subject.name}: batches of another size cannot be made for a {subject.kind}")
    first = joined(patient.augmented(), min(size, patient.train.samples))
    times = -(-size // len(first[-1]))
    try:
        patient.training_mode()
        measured_peak(work_of(patient), tuple(torch.cat([one] * times)[:size] for one in first))
    except torch.OutOfMemoryError:
        return False
    finally:
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
    return True
