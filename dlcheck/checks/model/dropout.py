"""Dropout in force."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from dlcheck.checks.exam import Exam, Measured, Skipped
from dlcheck.checks.model.calls import traced
from dlcheck.checks.model.modes import DROPOUTS
from dlcheck.checks.patient import Patient, answer
from dlcheck.runs.facts import Dropouts


def measure_dropout(patient: Patient) -> Measured:
    """List every dropout with its rate, and see whether one acts on the output itself."""
    rates = {name: rate for name, module in patient.model.named_modules() if (rate := dropout_rate(module)) > 0}
    if not rates:
        raise Skipped("no dropout")
    fact = Dropouts(tuple(rates), tuple(rates.values()), on_output=_on_output(patient))
    return Measured((fact,), number=f"{len(rates)}, at most {max(rates.values()):g}", expected="0.5 or less")


def dropout_rate(module: nn.Module) -> float:
    """Return the probability with which a module drops; 0 for one that does not."""
    if isinstance(module, DROPOUTS):
        return float(module.p)
    if isinstance(module, nn.RNNBase):
        return float(module.dropout) if module.num_layers > 1 else 0.0
    return float(module.dropout) if isinstance(module, nn.MultiheadAttention) else 0.0


def _on_output(patient: Patient) -> bool:
    made: list[Tensor] = []

    def note(module: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
        if isinstance(module, DROPOUTS) and module.p > 0:
            made.append(output)

    patient.training_mode()
    with torch.no_grad(), traced(patient.model, note, keep=False):
        output = answer(patient.predict(next(patient.batches(1))[:-1]))
    return any(tensor is output for tensor in made)


EXAM = Exam("dropout", ("M215",), measure_dropout, share=0.3)
