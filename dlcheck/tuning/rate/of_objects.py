"""Somebody's own model, optimizer, loader and loss."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from pydantic import TypeAdapter, ValidationError
from torch import Tensor, nn

from dlcheck.checks.foreign import ForeignBatches
from dlcheck.checks.patient import Patient
from dlcheck.components.batches import Batch
from dlcheck.errors import DlcheckError, nearest, one_line
from dlcheck.recipe.optimizer import Schedule, ScheduleSection
from dlcheck.recipe.override import component_models
from dlcheck.recipe.train import Train
from dlcheck.tuning.rate.batches import Steps
from dlcheck.tuning.rate.shape import read_shape
from dlcheck.tuning.rate.subject import Subject

EPOCHS = 10
"""Length of a training that nobody has said the length of."""


def patient_of(
    model: nn.Module, optimizer: torch.optim.Optimizer, loader: object, loss: Callable[[Any, Tensor], Tensor]
) -> Patient:
    """Return somebody's own objects in the form that measurements expect.

    Raises:
        DlcheckError: one of them is of another kind.
    """
    if not isinstance(model, nn.Module):
        raise DlcheckError(f"model is {type(model).__name__}, expected a torch.nn.Module")
    if not isinstance(optimizer, torch.optim.Optimizer):
        raise DlcheckError(f"optimizer is {type(optimizer).__name__}, expected a torch.optim.Optimizer")
    if not callable(loss):
        raise DlcheckError(f"loss is {type(loss).__name__}, expected something to call with output and target")
    place = next((tensor.device for tensor in model.parameters()), torch.device("cpu"))
    with _order_kept(loader):
        batches = ForeignBatches(loader, "loader")
    return Patient(type(model).__name__, model, loss, (optimizer,), batches, device=place)


@contextmanager
def _order_kept(loader: object) -> Iterator[None]:
    """Put back the streams that PyTorch's loaders draw from whenever they are asked for an iterator."""
    owners = (loader, getattr(loader, "sampler", None))
    own = [made for owner in owners if isinstance(made := getattr(owner, "generator", None), torch.Generator)]
    states = [generator.get_state() for generator in own]
    with torch.random.fork_rng(devices=[]):
        yield
    for generator, state in zip(own, states, strict=True):
        generator.set_state(state)


def objects_subject(
    patient: Patient,
    *,
    schedule: str | Mapping[str, object] = "constant",
    total_steps: int | None = None,
    train: Train | None = None,
) -> Subject:
    """Take a patient of somebody's own as what a rate is looked for.

    Args:
        patient: Model, loss, loader and optimizer.
        schedule: Name of a schedule of recipes, or its whole table.
        total_steps: Optimizer steps of the whole training; None: ten epochs.
        train: Accumulation, clipping and precision.

    Raises:
        DlcheckError: the optimizer is L-BFGS or has no rate, or the schedule does not exist.
    """
    train = train or Train()
    base = _base_rates(patient.optimizer)
    steps_per_epoch = max(1, -(-len(patient.train) // train.accumulate))
    total = total_steps or EPOCHS * steps_per_epoch
    shape = read_shape(_section(schedule), steps=total, steps_per_epoch=steps_per_epoch, folder=Path.cwd())
    return Subject(
        name=patient.name,
        patient=patient,
        steps=Steps(patient.train, accumulate=train.accumulate, place=patient.place),
        optimizer=lambda rate: _at(patient.optimizer, base, rate),
        shape=shape,
        rate=base[0],
        train=train,
        hooks=(),
        model=_LossOfModel(patient),
        loss=_as_it_is,
        prepare=_with_target,
    )


class _LossOfModel(nn.Module):
    """Computes the loss as if it were the model's output, so that outputs of any kind will do."""

    def __init__(self, patient: Patient) -> None:
        super().__init__()
        self.model = patient.model
        self.patient = patient

    def forward(self, *batch: Tensor) -> Tensor:
        """Return the loss of a batch, inputs first and the target last."""
        loss = self.patient.loss_of(batch)
        if not isinstance(loss, Tensor) or loss.numel() != 1:
            found = f"shape {tuple(loss.shape)}" if isinstance(loss, Tensor) else type(loss).__name__
            raise DlcheckError(f"the loss returned {found}, expected one number, the mean over the batch")
        return loss.reshape(())


def _as_it_is(loss: Tensor, target: Tensor) -> Tensor:
    return loss


def _with_target(batch: Batch) -> Batch:
    return (*batch, batch[-1])


def _base_rates(optimizer: torch.optim.Optimizer) -> list[float]:
    if isinstance(optimizer, torch.optim.LBFGS):
        raise DlcheckError("optimizer: the line search of LBFGS finds the length of each step by itself")
    # Where a scheduler is attached already, the rate that stands there may be that of a warm-up's first step.
    rates = [float(group.get("initial_lr", group.get("lr", 0.0))) for group in optimizer.param_groups]
    if not rates or rates[0] <= 0:
        raise DlcheckError("optimizer: the first parameter group needs a rate (lr) above 0, which others relate to")
    return rates


def _at(optimizer: torch.optim.Optimizer, base: list[float], rate: float) -> torch.optim.Optimizer:
    for group, own in zip(optimizer.param_groups, base, strict=True):
        group["lr"] = own * rate / base[0]
    return optimizer


def _section(schedule: str | Mapping[str, object]) -> ScheduleSection:
    table = {"name": schedule} if isinstance(schedule, str) else dict(schedule)
    names = component_models("schedule")
    if table.get("name") not in names:
        raise DlcheckError(f"schedule: no {table.get('name')!r}; {nearest(str(table.get('name')), names)}")
    try:
        section: ScheduleSection = TypeAdapter[ScheduleSection](Schedule).validate_python(table)
    except ValidationError as error:
        first = error.errors()[0]
        raise DlcheckError(
            f"schedule: {'.'.join(map(str, first['loc'][1:]))}: {one_line(Exception(first['msg']))}"
        ) from None
    return section
