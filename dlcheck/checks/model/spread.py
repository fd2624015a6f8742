"""How activations and gradients change with depth."""

from __future__ import annotations

from dlcheck.checks.exam import Exam, Measured, Skipped
from dlcheck.checks.patient import Patient
from dlcheck.monitor.depth import DepthLook

SAMPLES = 128
"""Samples of the batch that is sent through."""


def measure_spread(patient: Patient) -> Measured:
    """Send one batch forth and back, and measure the output of every layer and the gradient there."""
    batch = patient.samples(SAMPLES)
    patient.training_mode()
    look = DepthLook(patient.model)
    look.samples = len(batch[-1])
    look.attach()
    try:
        loss = patient.loss_of(batch)
    except BaseException:
        look.detach()
        raise
    look.detach(loss)
    if loss.grad_fn is not None:
        loss.backward()  # type: ignore[no-untyped-call]
    fact = look.fact(pretrained=patient.pretrained)
    if fact is None:
        raise Skipped("no layer whose weights train")
    first, last = fact.activation_std[0], fact.activation_std[-1]
    return Measured((fact,), number=f"{first:.2g} to {last:.2g} over {len(fact.layers)}", expected="no steady change")


EXAM = Exam("spread by depth", ("M203",), measure_spread, share=1.0)
