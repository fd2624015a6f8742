"""Units that say nothing at initialisation: dead rectifiers, saturated sigmoids."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from dlcheck.checks.exam import Exam, Measured, Skipped
from dlcheck.checks.model.calls import CONVOLUTIONS, ActivationSpy, traced
from dlcheck.checks.patient import Patient
from dlcheck.runs.facts import DeadUnits, QuietLayer, SaturatedUnits

SAMPLES = 512
BENDS = {"tanh": 3.0, "sigmoid": 6.0}
"""Pre-activation beyond which the slope is under 1 % (tanh) and 0.25 % (sigmoid) of its largest."""
MOSTLY = 0.9
"""Share of samples in which a saturated unit is beyond the bend."""


@dataclass(slots=True)
class _Count:
    activation: str
    loud: Tensor
    """(units,): how often a unit was positive, or within the bend."""
    seen: int
    positions: bool


def measure_quiet_units(patient: Patient) -> Measured:
    """Count the units that are positive for none of 512 samples, or beyond the bend for nearly all."""
    counts: dict[str, _Count] = {}
    samples = 0
    patient.training_mode()
    with torch.no_grad(), traced(patient.model, keep=False) as trace:

        def seen(kind: str, values: Tensor) -> None:
            place = trace.running[-1] if trace.running else None
            own = place is not None and next(place.children(), None) is None and not list(place.parameters())
            layer = place if own else trace.last_weighted
            if layer is None or values.ndim < 2:
                return
            channels = values.ndim > 2 and isinstance(trace.last_weighted, CONVOLUTIONS)
            _add(counts, f"{trace.names[layer]}\0{kind}", kind, values.movedim(1, -1) if channels else values)

        with ActivationSpy(seen):
            for batch in patient.augmented():
                patient.predict(batch[:-1])
                samples += len(batch[-1])
                if samples >= SAMPLES or patient.left_s < 0:
                    break
    if not counts:
        raise Skipped("no relu, tanh or sigmoid")
    layers = {
        key.split("\0")[0] + "\0" + count.activation: _layer(key, count, samples) for key, count in counts.items()
    }
    dead = tuple(layer for layer in layers.values() if layer.activation == "relu")
    saturated = tuple(layer for layer in layers.values() if layer.activation != "relu")
    return Measured(
        (DeadUnits(dead, dead), SaturatedUnits(saturated, saturated)),
        number=", ".join(_told(found, word) for found, word in ((dead, "dead"), (saturated, "saturated")) if found),
        expected="few",
    )


def _add(counts: dict[str, _Count], key: str, kind: str, values: Tensor) -> None:
    flat = values.reshape(-1, values.shape[-1])
    loud = (flat > 0 if kind == "relu" else flat.abs() <= BENDS[kind]).sum(0)
    known = counts.get(key)
    if known is None or len(known.loud) != len(loud):
        counts[key] = _Count(kind, loud, len(flat), values.ndim > 2)
    else:
        known.loud += loud
        known.seen += len(flat)


def _layer(key: str, count: _Count, samples: int) -> QuietLayer:
    most_loud = 0 if count.activation == "relu" else (1 - MOSTLY) * count.seen
    quiet = int((count.loud <= most_loud).sum()) if count.activation == "relu" else int((count.loud < most_loud).sum())
    return QuietLayer(
        layer=key.split("\0")[0],
        activation=count.activation,
        units=len(count.loud),
        quiet=quiet,
        samples=samples,
        step=0,
        positions=count.positions,
        beyond=None if count.activation == "relu" else 1 - int(count.loud.sum()) / (len(count.loud) * count.seen),
    )


def _told(layers: tuple[QuietLayer, ...], word: str) -> str:
    return f"{sum(layer.quiet for layer in layers)} of {sum(layer.units for layer in layers)} {word}"


EXAM = Exam("dead, saturated units", ("M204", "M205"), measure_quiet_units, share=1.0)
