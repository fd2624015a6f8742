"""The loss before the first step, against what an untrained network should have."""

from __future__ import annotations

import math
import statistics

import torch

from dlcheck.checks.exam import Exam, Measured, Skipped
from dlcheck.checks.model.calls import LossSpy
from dlcheck.checks.model.yardstick import constant_loss, yardstick, zero_loss
from dlcheck.checks.patient import Patient, answer
from dlcheck.components.losses import Loss, expected_first_loss, trivial_loss
from dlcheck.monitor.settings import rescales
from dlcheck.runs.facts import FirstLoss

SAMPLES = 512
BATCHES = 64
BY_NAME = {"nll_loss": "classes", "cross_entropy": "classes", "binary_cross_entropy": "binary",
           "binary_cross_entropy_with_logits": "binary"}  # fmt: skip
"""Losses whose value for an answer of equal probabilities is known."""


def measure_first_loss(patient: Patient) -> Measured:
    """Measure the loss over some 512 training samples, as the first steps will see them, without any step."""
    patient.training_mode()
    losses: list[float] = []
    sizes: list[int] = []
    largest = 0.0
    spy = LossSpy()
    with torch.no_grad():
        for batch in patient.augmented(BATCHES):
            *inputs, target = batch
            output = patient.predict(tuple(inputs))
            with spy:
                losses.append(float(patient.loss(output, target)))
            sizes.append(len(target))
            found = answer(output)
            largest = largest if found is None else max(largest, float(found.abs().max()))
            if sum(sizes) >= SAMPLES or patient.left_s < 0:
                break
    if not losses:
        raise Skipped("no training batches")
    mean = sum(x * n for x, n in zip(losses, sizes, strict=True)) / sum(sizes)
    kind = spy.calls[0].loss if spy.calls else getattr(patient.loss, "name", "")
    expected, best = _expected(patient, found, target, kind)
    if expected is None or not math.isfinite(expected):
        return Measured(plain={"initial_loss": mean}, number=f"{mean:.4g}", expected="not known for this loss")
    fact = FirstLoss(
        loss=mean,
        expected=expected,
        best_constant=best,
        spread=statistics.stdev(losses) / math.sqrt(len(losses)) if len(losses) > 1 else 0.0,
        samples=sum(sizes),
        kind=getattr(patient.loss, "name", "") if isinstance(patient.loss, Loss) and kind == "" else kind,
        pretrained=patient.pretrained,
        largest_logit=largest,
        rows=patient.train.samples or 0,
        rescaled=all(rescales(optimizer) for optimizer in patient.optimizers),
    )
    plain = {"initial_loss": mean, "expected_first_loss": expected, "trivial_loss": best}
    return Measured((fact,), plain, number=f"{mean:.4g} ± {fact.spread:.1g}", expected=f"{expected:.4g}")


def _expected(
    patient: Patient, output: torch.Tensor | None, target: torch.Tensor, kind: str
) -> tuple[float | None, float | None]:
    """Return the loss to expect and that of the best constant answer."""
    own = patient.loss
    if isinstance(own, Loss) and patient.info is not None and own.name != "custom":
        expected, best = expected_first_loss(own, patient.info), trivial_loss(own, patient.info)
        if expected is not None:
            return expected, best
    if output is None:
        return None, None
    stick = yardstick(patient, output, target)
    best = constant_loss(own, output, target, stick)
    if BY_NAME.get(kind) == "classes" and stick.classes:
        return math.log(stick.classes), best if kind == "cross_entropy" else None
    if BY_NAME.get(kind) == "binary":
        return math.log(2), best if kind.endswith("logits") else None
    return zero_loss(own, output, target), best


EXAM = Exam("first loss", ("M201",), measure_first_loss, share=1.0)
