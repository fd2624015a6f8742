"""What the loss is given: probabilities where it wants scores, shapes that spread over each other."""

from __future__ import annotations

from dlcheck.checks.exam import Exam, Measured, Skipped
from dlcheck.checks.model.calls import LossSpy
from dlcheck.checks.patient import Patient
from dlcheck.monitor.loss_input import merge_calls
from dlcheck.runs.facts import LossCall, LossCalls

BATCHES = 3
"""Batches looked at."""


def measure_loss_calls(patient: Patient) -> Measured:
    """Look at what goes into the loss of the first training batches."""
    calls = spied_calls(patient, BATCHES)
    if not calls:
        raise Skipped("the loss calls no function of torch.nn.functional")
    first = calls[0]
    kinds = {"probabilities": "probabilities", "log_probabilities": "log-probabilities", "unit_interval": "0 … 1"}
    number = kinds.get(first.input_kind, "raw scores")
    spread = next((call for call in calls if call.broadcast), None)
    if spread is not None:
        number = f"{spread.input_shape} against {spread.target_shape}"
    return Measured((LossCalls(calls),), number=number, expected=WANTED.get(first.loss, "equal shapes"))


WANTED = {
    "cross_entropy": "raw scores",
    "binary_cross_entropy_with_logits": "raw scores",
    "nll_loss": "log-probabilities",
    "binary_cross_entropy": "probabilities",
    "multi_margin_loss": "raw scores",
}


def spied_calls(patient: Patient, batches: int) -> tuple[LossCall, ...]:
    """Return the calls of losses during a few training batches, one entry for each loss."""
    patient.training_mode()
    spy = LossSpy()
    for batch in patient.augmented(batches):
        *inputs, target = batch
        output = patient.predict(tuple(inputs))
        with spy:
            patient.loss(output, target)
    return merge_calls(spy.calls)


EXAM = Exam("input of the loss", ("M206", "M211"), measure_loss_calls, share=0.5)
