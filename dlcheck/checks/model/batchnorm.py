"""Batch normalisation, and over how many values it averages."""

from __future__ import annotations

import itertools
from typing import Any

import torch
from torch import Tensor, nn

from dlcheck.checks.exam import Exam, Measured, Skipped
from dlcheck.checks.patient import Patient
from dlcheck.monitor.depth import BATCH_NORMS
from dlcheck.runs.facts import BatchNormBatches

MOST_NAMES = 20
WALK = 200
"""Batches up to which a loader that does not tell its sizes is gone through."""


def measure_batchnorm(patient: Patient) -> Measured:
    """Compare the sizes of training batches with what batch normalisation needs."""
    patient.training_mode()
    names = {m: name for name, m in patient.model.named_modules() if isinstance(m, BATCH_NORMS) and m.training}
    if not names:
        raise Skipped("no batch normalisation")
    usual, smallest = batch_sizes(patient)
    values, crashed = _fewest_values(patient, set(names), usual)
    if not values:
        raise Skipped("no batch normalisation is called")
    fact = BatchNormBatches(
        layers=tuple(list(names.values())[:MOST_NAMES]),
        layer_count=len(names),
        batch=usual,
        smallest=smallest,
        values=values,
        smallest_values=max(1, values * smallest // usual),
        crashed=crashed,
    )
    return Measured((fact,), number=f"{smallest} to {usual} samples", expected="4 and more")


def batch_sizes(patient: Patient) -> tuple[int, int]:
    """Return the samples of a usual training batch and of the smallest one."""
    train = patient.train
    usual = int(getattr(train, "batch_size", 0))
    drop_last = getattr(train, "drop_last", getattr(getattr(train, "loader", None), "drop_last", None))
    if usual and isinstance(drop_last, bool):
        rest = train.samples % usual
        return usual, usual if drop_last or not rest or train.samples < usual else rest
    sizes = [len(batch[-1]) for batch in itertools.islice(train.epoch(0), WALK)]
    return max(sizes), min(sizes)


def _fewest_values(patient: Patient, norms: set[nn.Module], usual: int) -> tuple[int, bool]:
    """Return the fewest values per channel in a usual batch, and whether PyTorch refused it."""
    found: list[int] = []

    def before(module: nn.Module, inputs: tuple[Any, ...]) -> None:
        values: Tensor = inputs[0]
        found.append(values.numel() // values.shape[1] if values.ndim > 1 else 0)

    handles = [norm.register_forward_pre_hook(before) for norm in norms]
    try:
        with torch.no_grad():
            patient.predict(patient.samples(usual)[:-1])
    except ValueError as error:
        if "more than 1 value per channel" not in str(error):
            raise
        return 1, True
    finally:
        for handle in handles:
            handle.remove()
    return min(found, default=0), False


EXAM = Exam("batch normalisation", ("M210",), measure_batchnorm, share=0.3)
