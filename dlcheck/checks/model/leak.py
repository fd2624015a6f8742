"""Whether the samples of a batch leak into each other, or what comes later into what comes before."""

from __future__ import annotations

import torch
from torch import Tensor

from dlcheck.checks.exam import Exam, Measured, Skipped
from dlcheck.checks.patient import Patient, answer
from dlcheck.runs.facts import BatchLeak

SAMPLES = 6
"""Samples of the batch that is tried: every pair of them."""
CHANGE = 1e-4
"""Change of an output, relative to the largest output, from which it counts as one when inputs are replaced."""
SHIFTED = 0.95
"""Share of targets that are the next input from which a network counts as one that predicts what comes next."""


def measure_leak(patient: Patient) -> Measured:
    """Take the gradient of each sample's output with respect to every other's input, in evaluation mode.

    Codes have no gradient: there, one sample's input after another is replaced, and the others' outputs compared.
    """
    batch = patient.samples(SAMPLES)
    *inputs, target = batch
    count = len(target)
    if count < 2:
        raise Skipped("a batch of one sample cannot show whether samples mix")
    patient.model.eval()
    floats = [x for x in inputs if x.is_floating_point()]
    pairs, largest = _by_gradient(patient, inputs) if floats else _by_change(patient, inputs)
    ahead = _sees_ahead(patient, inputs, target)
    fact = BatchLeak(count, len(pairs), largest, time_leak=ahead, example=pairs[0] if pairs else ())
    number = "later inputs reach earlier outputs" if ahead else f"{len(pairs)} of {count * (count - 1)} pairs"
    return Measured((fact,), number=number, expected="0")


def _by_gradient(patient: Patient, inputs: list[Tensor]) -> tuple[list[tuple[int, int]], float]:
    varied = [x.detach().clone().requires_grad_() if x.is_floating_point() else x for x in inputs]
    rows = _rows(patient.predict(tuple(varied)), len(inputs[0]))
    if not rows.requires_grad:
        return [], 0.0
    direction = torch.randn(rows.shape[1:], generator=torch.Generator().manual_seed(0)).to(rows)
    values = (rows * direction).flatten(1).sum(1)
    floats = [x for x in varied if x.requires_grad]
    norms = torch.zeros(len(rows), len(rows))
    for i, value in enumerate(values):
        gradients = torch.autograd.grad(value, floats, retain_graph=True, allow_unused=True)
        found = [g.flatten(1).norm(dim=1) for g in gradients if g is not None]
        norms[i] = torch.stack(found).norm(dim=0).cpu() if found else 0.0
    return _leaks(norms)


def _by_change(patient: Patient, inputs: list[Tensor]) -> tuple[list[tuple[int, int]], float]:
    with torch.no_grad():
        before = _rows(patient.predict(tuple(inputs)), len(inputs[0])).clone()
        scale = float(before.abs().max()) or 1.0
        norms = torch.zeros(len(before), len(before))
        for j in range(len(before)):
            changed = [x.clone() for x in inputs]
            for x, original in zip(changed, inputs, strict=True):
                x[j] = original[(j + 1) % len(x)]
            after = _rows(patient.predict(tuple(changed)), len(before))
            change = (after - before).abs().flatten(1).amax(1) / scale
            norms[:, j] = torch.where(change > CHANGE, change, 0.0).cpu()
    return _leaks(norms)


def _leaks(norms: Tensor) -> tuple[list[tuple[int, int]], float]:
    """Return the pairs (i, j) whose output i depends on input j, and the largest share of that."""
    own = norms.diagonal().clamp_min(torch.finfo(torch.float32).tiny)
    relative = norms / own[:, None]
    relative.fill_diagonal_(0.0)
    if not bool(norms.diagonal().any()) and bool(norms.any()):
        return [(int(i), int(j)) for i, j in norms.nonzero()], 1.0
    pairs = [(int(i), int(j)) for i, j in (relative > 0).nonzero()]
    return pairs, min(float(relative.max()), 1e6)


def _rows(output: object, count: int) -> Tensor:
    """Return the output with one row a sample."""
    found = answer(output)
    if found is None or found.ndim == 0 or len(found) % count:
        shape = "no tensor" if found is None else f"of shape {tuple(found.shape)}"
        raise Skipped(f"the output is {shape}: it has no axis of {count} samples")
    return found if len(found) == count and found.ndim > 1 else found.reshape(count, -1)


def _sees_ahead(patient: Patient, inputs: list[Tensor], target: Tensor) -> bool:
    """Return whether outputs of a network that predicts the next code depend on later codes."""
    place = next((i for i, x in enumerate(inputs) if predicts_next(x, target)), None)
    if place is None:
        return False
    codes = inputs[place]
    with torch.no_grad():
        before = answer(patient.predict(tuple(inputs)))
        if before is None or before.shape[:2] != codes.shape:
            return False
        scale = float(before.abs().max()) or 1.0
        for cut in {codes.shape[1] // 2, codes.shape[1] - 1}:
            changed = codes.clone()
            changed[:, cut:] = codes.roll(1, 0)[:, cut:]
            after = answer(patient.predict((*inputs[:place], changed, *inputs[place + 1 :])))
            if after is not None and float((after - before)[:, :cut].abs().max()) > CHANGE * scale:
                return True
    return False


def predicts_next(codes: Tensor, target: Tensor) -> bool:
    """Return whether targets are the inputs one place on, where there is a target at all."""
    if codes.is_floating_point() or codes.ndim != 2 or codes.shape != target.shape or codes.shape[1] < 3:
        return False
    following, wanted = codes[:, 1:], target[:, :-1]
    keep = wanted >= 0
    return bool(keep.any()) and float((following == wanted)[keep].float().mean()) >= SHIFTED


EXAM = Exam("samples that leak", ("M208",), measure_leak, share=0.5)
