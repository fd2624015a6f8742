"""Parameters that are meant to train: whether an optimizer holds them, and whether a gradient reaches them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from dlcheck.checks.exam import Exam, Measured
from dlcheck.checks.model.calls import traced
from dlcheck.checks.patient import Patient
from dlcheck.runs.facts import ParameterCoverage

STEPS = 10
"""Batches whose gradients are looked at: a part that is used now and then has its turn."""
MOST_NAMES = 20


def measure_coverage(patient: Patient) -> Measured:
    """Send a few batches back, and see which parameters got a gradient and which the optimizers hold."""
    called: set[nn.Module] = set()
    recorded: set[nn.Module] = set()

    def note(module: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
        called.add(module)
        if torch.is_grad_enabled():
            recorded.add(module)

    named = list(_named(patient))
    for _, parameter, _ in named:
        parameter.grad = None
    patient.training_mode()
    steps, detached = 0, False
    with traced(patient.model, note, keep=False):
        for batch in patient.augmented(STEPS):
            loss = patient.loss_of(batch)
            detached = not loss.requires_grad
            steps += 1
            if detached:
                break
            loss.backward()  # type: ignore[no-untyped-call]
    fact = _coverage(patient, named, called, recorded, steps, detached)
    return Measured((fact,), number=f"{fact.optimized} of {fact.trainable} tensors", expected="all that train")


def _named(patient: Patient) -> Iterator[tuple[str, nn.Parameter, nn.Module]]:
    """Yield name, parameter and owner; a tied parameter once."""
    seen: set[nn.Parameter] = set()
    roots = [patient.model, *([patient.loss] if isinstance(patient.loss, nn.Module) else [])]
    for root in roots:
        for prefix, module in root.named_modules():
            for name, parameter in module.named_parameters(prefix, recurse=False):
                if parameter not in seen:
                    seen.add(parameter)
                    yield name, parameter, module


def _coverage(
    patient: Patient,
    named: list[tuple[str, nn.Parameter, nn.Module]],
    called: set[nn.Module],
    recorded: set[nn.Module],
    steps: int,
    detached: bool,
) -> ParameterCoverage:
    held = [p for optimizer in patient.optimizers for group in optimizer.param_groups for p in group["params"]]
    holds = set(held)
    trainable = [(name, p, owner) for name, p, owner in named if p.requires_grad]
    outside = [name for name, p, _ in trainable if p not in holds and p.grad is not None]
    silent = [(name, p, owner) for name, p, owner in trainable if p in holds and p.grad is None and steps]
    stale = holds - {p for _, p, _ in named}
    return ParameterCoverage(
        parameters=len(named),
        trainable=len(trainable),
        optimized=sum(p in holds for _, p, _ in trainable),
        outside=tuple(outside[:MOST_NAMES]),
        outside_count=len(outside),
        without_gradient=tuple(name for name, _, _ in silent[:MOST_NAMES]),
        without_gradient_count=len(silent),
        unused=tuple(name for name, _, owner in silent[:MOST_NAMES] if owner not in called),
        without_graph_count=sum(owner in called and owner not in recorded for _, _, owner in silent),
        frozen_count=len(named) - len(trainable),
        stale=tuple(f"a tensor of shape {tuple(p.shape)}" for p in [p for p in held if p in stale][:MOST_NAMES]),
        stale_count=len(stale),
        steps=steps,
        detached=detached,
    )


EXAM = Exam("parameters that train", ("M207",), measure_coverage, share=0.5)
