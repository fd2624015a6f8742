"""How activations and gradients change with depth."""

from __future__ import annotations

from functools import partial
from typing import Any

from torch import Tensor, nn

from dlcheck.checks.exam import Exam, Measured, Skipped
from dlcheck.checks.model.calls import NORMS, WEIGHTED, traced
from dlcheck.checks.patient import Patient
from dlcheck.runs.facts import DepthSpread

SAMPLES = 128
"""Samples of the batch that is sent through."""


def measure_spread(patient: Patient) -> Measured:
    """Send one batch forth and back, and measure the output of every layer and the gradient there."""
    batch = patient.samples(SAMPLES)
    patient.training_mode()
    layers: list[nn.Module] = []
    stds: list[float] = []
    gradients: dict[nn.Module, Tensor] = {}
    outputs: dict[int, nn.Module] = {}
    normalized: set[nn.Module] = set()

    def look(module: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
        if isinstance(module, NORMS) and inputs and id(inputs[0]) in outputs:
            normalized.add(outputs[id(inputs[0])])
        if not isinstance(module, WEIGHTED) or module in layers or not output.requires_grad:
            return
        layers.append(module)
        stds.append(float(output.detach().float().std(correction=0)))
        outputs[id(output)] = module
        kept.append(output)
        output.register_hook(partial(_keep, gradients, module))  # type: ignore[no-untyped-call]

    kept: list[Tensor] = []  # an output that is gone could lend its id to another
    with traced(patient.model, look, keep=False) as trace:
        loss = patient.loss_of(batch)
    if not layers:
        raise Skipped("no layer whose weights train")
    loss.backward()  # type: ignore[no-untyped-call]
    fact = DepthSpread(
        layers=tuple(trace.names[layer] for layer in layers),
        activation_std=tuple(stds),
        gradient_norm=tuple(_rms(gradients.get(layer)) for layer in layers),
        weight_std=tuple(_weight_std(layer) for layer in layers),
        fan_in=tuple(_fan_in(layer) for layer in layers),
        samples=len(batch[-1]),
        pretrained=patient.pretrained,
        normalized=tuple(layer in normalized for layer in layers),
    )
    return Measured((fact,), number=f"{stds[0]:.2g} to {stds[-1]:.2g} over {len(layers)}", expected="no steady change")


def _keep(gradients: dict[nn.Module, Tensor], module: nn.Module, gradient: Tensor) -> None:
    gradients[module] = gradient.detach()


def _rms(gradient: Tensor | None) -> float:
    return 0.0 if gradient is None else float(gradient.float().square().mean().sqrt())


def _matrix(layer: nn.Module) -> Tensor | None:
    found = [getattr(layer, name, None) for name in ("weight", "weight_ih_l0", "in_proj_weight")]
    return next((weight for weight in found if isinstance(weight, Tensor)), None)


def _weight_std(layer: nn.Module) -> float:
    weight = _matrix(layer)
    return 0.0 if weight is None else float(weight.detach().float().std(correction=0))


def _fan_in(layer: nn.Module) -> int:
    weight = _matrix(layer)
    return 0 if weight is None else int(weight[0].numel())


EXAM = Exam("spread by depth", ("M203",), measure_spread, share=1.0)
