"""Weights whose units all compute the same, and whether training tells them apart."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from dlcheck.checks.exam import Exam, Measured, Skipped
from dlcheck.checks.model.calls import traced
from dlcheck.checks.patient import Patient
from dlcheck.runs.facts import SymmetricLayer, WeightSymmetry

STEPS = 5
"""Steps of Adam after which is looked whether rows still are equal."""
RATE = 1e-3
EQUAL = 1e-6
"""Largest difference between rows, relative to the largest weight, that still counts as none: the order of a sum
may differ from row to row."""


@dataclass(frozen=True, slots=True)
class _Weight:
    name: str
    module: nn.Module
    value: Tensor

    @property
    def rows(self) -> Tensor:
        return self.value.detach().flatten(1)


def measure_symmetry(patient: Patient) -> Measured:
    """Count the distinct rows of every weight; where there is but one, train a few steps and look again."""
    weights = list(_weights(patient.model))
    if not weights:
        raise Skipped("no layer with weights that train")
    same = [weight for weight in weights if _all_equal(weight.rows)]
    expected = "no two alike"
    if not same:
        return Measured((WeightSymmetry(len(weights)),), number=f"0 of {len(weights)}", expected=expected)
    kinds = [_kind(weight.rows) for weight in same]
    last, residual = _roles(patient)
    before = [weight.rows.clone() for weight in same]
    steps = _train(patient)
    layers = tuple(
        SymmetricLayer(
            layer=weight.name,
            kind=kind,
            units=len(weight.rows),
            distinct=1,
            last=weight.module is last,
            residual=weight.module in residual,
            still=_all_equal(weight.rows) or torch.equal(weight.rows, old) if steps else None,
        )
        for weight, kind, old in zip(same, kinds, before, strict=True)
    )
    fact = WeightSymmetry(len(weights), layers, steps)
    still = sum(bool(layer.still) for layer in layers)
    return Measured((fact,), number=f"{len(same)} of {len(weights)}, {still} stay so", expected=expected)


def _weights(model: nn.Module) -> Iterator[_Weight]:
    """Yield the weights of two axes or more that train, of modules with several units."""
    for prefix, module in model.named_modules():
        if isinstance(module, nn.Embedding | nn.EmbeddingBag):
            continue  # codes that are equal at first each get gradients of their own
        for name, value in module.named_parameters(prefix, recurse=False):
            if value.requires_grad and value.ndim > 1 and len(value) > 1 and value[0].numel():
                yield _Weight(name.removesuffix(".weight"), module, value)


def _all_equal(rows: Tensor) -> bool:
    # The size of one row tells nothing of a matrix with a single column, whose rows are numbers.
    tolerance = EQUAL * float(rows.abs().max())
    return float((rows - rows[:1]).abs().max()) <= tolerance


def _kind(rows: Tensor) -> str:
    if not bool(rows.any()):
        return "zero"
    return "constant" if float(rows.max() - rows.min()) == 0 else "equal rows"


def _train(patient: Patient) -> int:
    parameters = [p for p in patient.model.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(parameters, lr=RATE)
    patient.training_mode()
    steps = 0
    for batch in patient.augmented(STEPS):
        optimizer.zero_grad()
        patient.loss_of(batch).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        steps += 1
        if patient.left_s < 0:
            break
    return steps


_CARRIES = ("View", "UnsafeView", "ReshapeAlias", "Mul", "Transpose", "Permute", "T", "Clone", "NativeDropout",
            "Squeeze", "Unsqueeze", "NativeBatchNorm", "CudnnBatchNorm", "NativeLayerNorm", "NativeGroupNorm", "ToCopy",
            "MkldnnBatchNorm", "Alias")  # fmt: skip
"""Operations through which the output of a branch may pass on its way to the sum."""


def _roles(patient: Patient) -> tuple[nn.Module | None, set[nn.Module]]:
    """Return the layer that makes the output, and the layers whose output is added to something else."""
    patient.training_mode()
    batch = next(patient.augmented(1))
    made: list[tuple[nn.Module, Any]] = []

    def note(module: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
        if next(module.parameters(recurse=False), None) is not None and output.grad_fn is not None:
            made.append((module, output.grad_fn))

    with traced(patient.model, note, keep=False) as trace:
        loss = patient.loss_of(batch)
    users = _users(loss.grad_fn)
    added = {module for module, node in made if _is_added(node, users)}
    return trace.last_weighted, added


def _users(root: Any) -> dict[Any, list[Any]]:
    """Return, for each node of a graph, the nodes that use its result."""
    users: dict[Any, list[Any]] = {}
    waiting, seen = [root], {root}
    while waiting:
        node = waiting.pop()
        for before, _ in node.next_functions if node is not None else ():
            if before is None:
                continue
            users.setdefault(before, []).append(node)
            if before not in seen:
                seen.add(before)
                waiting.append(before)
    return users


def _is_added(node: Any, users: dict[Any, list[Any]]) -> bool:
    waiting = [node]
    while waiting:
        for user in users.get(waiting.pop(), ()):
            kind = str(user.name()).split("Backward")[0]
            # A parameter that is added is a bias, and what has no gradient an input.
            if kind == "Add" and all(
                f is not None and "AccumulateGrad" not in f.name() for f, _ in user.next_functions
            ):
                return True
            if kind in _CARRIES:
                waiting.append(user)
    return False


EXAM = Exam("symmetric weights", ("M202",), measure_symmetry, share=1.0)
