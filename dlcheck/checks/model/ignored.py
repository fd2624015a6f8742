"""Whether the answer depends on the input at all."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from dlcheck.checks.exam import Exam, Measured, Skipped
from dlcheck.checks.model.calls import traced
from dlcheck.checks.patient import Patient, answer
from dlcheck.checks.state import untouched
from dlcheck.components.batches import Batch
from dlcheck.runs.facts import InputIgnored

SAMPLES = 64
STEPS = 40
"""Steps of training on real and on zeroed inputs."""
RATE = 2e-3
LEAST = 8
"""Fewer steps are no training; the second half of them is compared."""
ROOM = 1 << 28
"""Bytes of batches that are kept for it."""


def measure_ignored(patient: Patient) -> Measured:
    """Swap inputs between samples, take the gradient, and train a few steps on real inputs and on zeros."""
    batch = patient.samples(SAMPLES)
    *inputs, target = batch
    if len(target) < 2:
        raise Skipped("one sample has no other to swap its input with")
    patient.model.eval()
    untrained, each = _sensitivity(patient, inputs)
    gradient = _gradient(patient, inputs)
    ignored = tuple(f"input {i}" for i, share in enumerate(each, start=1) if share == 0) if len(each) > 1 else ()
    batches = _some(patient)
    with untouched(patient):
        zeroed = _losses(patient, batches, zeroed=True)
    real = _losses(patient, batches, zeroed=False)
    patient.model.eval()
    trained = _sensitivity(patient, inputs)[0] if real else untrained
    real_loss, zeroed_loss, p = _compare(real, zeroed)
    fact = InputIgnored(trained, gradient, real_loss, zeroed_loss, p, ignored)
    known = real_loss is not None and zeroed_loss is not None
    number = f"{real_loss:.3g}, zeros {zeroed_loss:.3g}" if known else f"sensitivity {trained:.2g}"
    return Measured((fact,), number=number, expected="below zeros" if known else "above 0")


def _sensitivity(patient: Patient, inputs: list[Tensor]) -> tuple[float, list[float]]:
    """Return how much answers change when inputs are swapped, relative to their spread; of all and of each input."""
    with torch.no_grad():
        before = answer(patient.predict(tuple(inputs)))
        if before is None:
            raise Skipped("the output is no tensor")
        before = before.float()
        spread = float((before - before.mean(0)).square().mean().sqrt())
        size = float(before.square().mean().sqrt())

        def change(swapped: list[Tensor]) -> float:
            after = answer(patient.predict(tuple(swapped)))
            moved = 0.0 if after is None else float((after.float() - before).square().mean().sqrt())
            return 0.0 if moved <= 1e-6 * size else moved / max(spread, 1e-6 * size)

        rolled = [x.roll(1, 0) for x in inputs]
        each = [change([*inputs[:i], rolled[i], *inputs[i + 1 :]]) for i in range(len(inputs))]
        return (each[0] if len(each) == 1 else change(rolled)), each


def _gradient(patient: Patient, inputs: list[Tensor]) -> float:
    """Return the norm of the gradient of the output with respect to the input, or to what codes are embedded as."""
    reached: list[Tensor] = []

    def note(module: nn.Module, given: tuple[Any, ...], output: Tensor) -> None:
        if isinstance(module, nn.Embedding) and output.requires_grad:
            reached.append(output)

    varied = [x.detach().clone().requires_grad_() if x.is_floating_point() else x for x in inputs]
    with traced(patient.model, note, keep=False):
        output = answer(patient.predict(tuple(varied)))
    sources = [x for x in varied if x.requires_grad] or reached
    if output is None or not output.requires_grad or not sources:
        return 0.0
    direction = torch.randn(output.shape, generator=torch.Generator().manual_seed(0)).to(output)
    found = torch.autograd.grad((output * direction).sum(), sources, allow_unused=True)
    return float(sum(float(g.square().sum()) for g in found if g is not None) ** 0.5)


def _losses(patient: Patient, batches: list[Batch], *, zeroed: bool) -> list[float]:
    """Train the model, and return the loss before each step."""
    parameters = [p for p in patient.model.parameters() if p.requires_grad]
    if not parameters:
        return []
    optimizer = torch.optim.Adam(parameters, lr=RATE)
    torch.manual_seed(patient.seed)  # dropout draws the same for both
    patient.training_mode()
    losses: list[float] = []
    for *inputs, target in batches:
        given = [torch.zeros_like(x) for x in inputs] if zeroed else inputs
        loss = patient.loss(patient.predict(tuple(given)), target)
        if patient.left_s < 0 or not loss.requires_grad:
            break
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(float(loss.detach()))
    return losses


def _some(patient: Patient) -> list[Batch]:
    """Return the batches to train on, as many as fit into ``ROOM``."""
    batches: list[Batch] = []
    for batch in patient.augmented(STEPS):
        batches.append(batch)
        if sum(tensor.nbytes for tensor in batch) * (len(batches) + 1) > ROOM:
            break
    return batches


def _compare(real: list[float], zeroed: list[float]) -> tuple[float | None, float | None, float | None]:
    """Return mean losses at the end of both trainings, and p of a paired one-sided test that real ones are no lower."""
    count = min(len(real), len(zeroed))
    if count < LEAST:
        return None, None, None
    from scipy.stats import ttest_rel

    last = slice(count // 2, count)
    first, second = real[last], zeroed[last]
    same = all(a == b for a, b in zip(first, second, strict=True))
    p = 1.0 if same else float(ttest_rel(first, second, alternative="less").pvalue)
    return sum(first) / len(first), sum(second) / len(second), p


EXAM = Exam("input ignored", ("M214",), measure_ignored, share=2.0)
