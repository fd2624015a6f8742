"""All exams, in the order in which they are made."""

from dlcheck.checks import data, memory
from dlcheck.checks.exam import Exam
from dlcheck.checks.model import (
    batchnorm,
    coverage,
    dropout,
    first_loss,
    ignored,
    leak,
    loss_calls,
    modes,
    predictions,
    quiet_units,
    spread,
    symmetry,
)
from dlcheck.checks.overfit import exam as overfit

MODEL_EXAMS: tuple[Exam, ...] = (
    first_loss.EXAM,
    symmetry.EXAM,
    spread.EXAM,
    quiet_units.EXAM,
    loss_calls.EXAM,
    coverage.EXAM,
    leak.EXAM,
    ignored.EXAM,
    batchnorm.EXAM,
    modes.EXAM,
    dropout.EXAM,
    predictions.EXAM,
    memory.EXAM,
    overfit.EXAM,
)
EXAMS: tuple[Exam, ...] = (*data.EXAMS, *MODEL_EXAMS)
