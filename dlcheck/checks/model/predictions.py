"""What the network answers before it has learned anything."""

from __future__ import annotations

import torch
from torch import Tensor

from dlcheck.checks.exam import Exam, Measured, Skipped
from dlcheck.checks.model.yardstick import Yardstick, yardstick
from dlcheck.checks.patient import Patient, answer, joined
from dlcheck.runs.facts import Predictions

SAMPLES = 256


def measure_predictions(patient: Patient) -> Measured:
    """Count the answers over validation samples, or training samples where there is no validation."""
    source = patient.val or patient.train
    batch = patient.place(joined(source.epoch(0), SAMPLES))
    patient.model.eval()
    with torch.no_grad():
        output = answer(patient.predict(batch[:-1]))
    if output is None:
        raise Skipped("the output is no tensor")
    fact = _predictions(output, batch[-1], yardstick(patient, output, batch[-1]))
    if fact.counts:
        number = f"{sum(count > 0 for count in fact.counts)} of {len(fact.counts)} classes"
    else:
        number = f"spread {fact.output_std:.3g}, of targets {fact.target_std:.3g}"
    return Measured((fact,), number=number, expected="anything")


def _predictions(output: Tensor, target: Tensor, kind: Yardstick) -> Predictions:
    flat = output.float().reshape(len(output), -1)
    difference = float((flat.amax(0) - flat.amin(0)).max())
    if kind.kind == "classes":
        scores, codes = kind.scores(output, target)
        answers, labels = (torch.bincount(x, minlength=kind.classes).tolist() for x in (scores.argmax(-1), codes))
        return Predictions(len(target), tuple(answers), tuple(labels), largest_difference=difference)
    return Predictions(
        len(target),
        output_std=float(flat.std(0, correction=0).mean()),
        target_std=float(target.float().reshape(len(target), -1).std(0, correction=0).mean()),
        largest_difference=difference,
    )


EXAM = Exam("answers at the start", (), measure_predictions, share=0.3)
