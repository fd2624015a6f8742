"""An exam leaves no trace: what it changed is put back bit for bit."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dlcheck.checks.patient import Patient


@contextmanager
def untouched(patient: Patient) -> Iterator[None]:
    """Put back weights, buffers, gradients, modes, optimizer state and random streams at the end.

    Attributes of modules are put back too (a recurrent model may carry its state in one), as far as they
    were replaced; what was changed inside an object that is no tensor is not seen.
    """
    models = [patient.model, *([patient.loss] if isinstance(patient.loss, nn.Module) else [])]
    modules = [_module_state(module) for model in models for module in model.modules()]
    values = [(t, t.detach().clone()) for model in models for t in (*model.parameters(), *model.buffers())]
    flags = [(p, p.requires_grad, p.grad, _copy(p.grad)) for model in models for p in model.parameters()]
    steps = [(optimizer, copy.deepcopy(optimizer.state_dict())) for optimizer in patient.optimizers]
    streams = _streams(patient)
    try:
        yield
    finally:
        for module, attributes, tables in modules:
            module.__dict__.clear()
            module.__dict__.update(attributes)
            for name, table in tables.items():
                attributes[name].clear()
                attributes[name].update(table)
        with torch.no_grad():
            for tensor, value in values:
                tensor.copy_(value)
        for parameter, requires, gradient, before in flags:
            parameter.requires_grad_(requires)
            parameter.grad = gradient
            if gradient is not None and before is not None:
                gradient.detach().copy_(before)
        for optimizer, state in steps:
            optimizer.load_state_dict(state)
        _restore_streams(streams)


def _copy(tensor: Tensor | None) -> Tensor | None:
    return None if tensor is None else tensor.detach().clone()


_TABLES = ("_parameters", "_buffers", "_modules")


def _module_state(module: nn.Module) -> tuple[nn.Module, dict[str, Any], dict[str, dict[str, Any]]]:
    return module, dict(module.__dict__), {name: dict(module.__dict__[name]) for name in _TABLES}


def _streams(patient: Patient) -> list[tuple[Any, Any]]:
    own = [(generator, generator.get_state()) for generator in _generators(patient)]
    gpu = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else None
    return [("python", random.getstate()), ("numpy", np.random.get_state()), ("cuda", gpu), *own,
            ("torch", torch.get_rng_state())]  # fmt: skip


def _restore_streams(streams: list[tuple[Any, Any]]) -> None:
    for place, state in streams:
        if isinstance(place, torch.Generator):
            place.set_state(state)
        elif place == "python":
            random.setstate(state)
        elif place == "numpy":
            np.random.set_state(state)
        elif place == "torch":
            torch.set_rng_state(state)
        elif state is not None:
            torch.cuda.set_rng_state_all(state)


def _generators(patient: Patient) -> Iterator[torch.Generator]:
    """Yield the generators that a factory's loaders draw their order from."""
    for batches in (patient.train, patient.val, patient.test):
        loader = getattr(batches, "loader", None)
        for owner in (loader, getattr(loader, "sampler", None)):
            generator = getattr(owner, "generator", None)
            if isinstance(generator, torch.Generator):
                yield generator
