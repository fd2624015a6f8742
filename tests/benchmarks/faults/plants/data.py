"""Faults in the data: inputs, labels and splits."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from tests.benchmarks.faults.plan import Data, Plan
from tests.benchmarks.faults.plants.fault import INSIDE, Family
from tests.benchmarks.faults.plants.kinds import (
    both,
    classes,
    flat_answers,
    floats,
    labelled,
    numbers,
    one_target,
    table,
)
from tests.benchmarks.faults.plants.surgery import chance

fault = Family("data")
DIVERGED = "C401 C402 C403 C404 G301 G302 G304 G310"


def _set(plan: Plan, **tensors: Any) -> None:
    plan.data = replace(plan.data, **tensors)


def _scaled(data: Data) -> Data:
    return replace(data, x=data.x * 200 + 500, x_val=data.x_val * 200 + 500)


@fault("D102", also=f"{DIVERGED} M201", fits=floats, exact=True, seen=INSIDE, origin="TheDeepChecker", clean=_scaled)
def unscaled_inputs(plan: Plan) -> None:
    """Inputs are left in their own unit: hundreds, far from zero."""
    plan.data = _scaled(plan.data)


def _bytes(data: Data) -> Data:
    low, high = data.x.min(), data.x.max()
    return replace(data, x=_as_bytes(data.x, low, high), x_val=_as_bytes(data.x_val, low, high))


def _as_bytes(x: Tensor, low: Tensor, high: Tensor) -> Tensor:
    return ((x - low) / (high - low) * 255).round().clamp(0, 255)


@fault("D102", also=f"{DIVERGED} M201", fits=floats, exact=True, seen=INSIDE, origin="UMLAUT", clean=_bytes)
def raw_bytes(plan: Plan) -> None:
    """Inputs go in as bytes from 0 to 255: the division by 255 is missing."""
    plan.data = _bytes(plan.data)


def _one_column(data: Data) -> Data:
    factor = torch.ones(data.x.shape[1])
    factor[0] = 1e4
    return replace(data, x=data.x * factor, x_val=data.x_val * factor)


@fault("D102", also=f"{DIVERGED} M201", fits=table, exact=True, seen=INSIDE, origin="LeCun 1998", clean=_one_column)
def column_in_other_unit(plan: Plan) -> None:
    """One column was not standardised with the others: it is ten thousand times as large."""
    plan.data = _one_column(plan.data)


@fault("D102", also=f"{DIVERGED} D101 D103", fits=table, seen=INSIDE, origin="data cleaning: sentinels")
def missing_as_minus_999(plan: Plan) -> None:
    """Missing values were left as −999, a twentieth of all."""
    random = chance(plan)
    x, x_val = (_with_holes(x, random) for x in (plan.data.x, plan.data.x_val))
    _set(plan, x=x, x_val=x_val)


def _with_holes(x: Tensor, random: torch.Generator) -> Tensor:
    return torch.where(torch.rand(x.shape, generator=random) < 0.05, -999.0, x)


@fault("D102 G302 C403", also=DIVERGED, fits=floats, origin="SageMaker Debugger: ExplodingTensor")
def corrupt_rows(plan: Plan) -> None:
    """One training row in a hundred is a thousand times too large: a unit was read wrongly."""
    x = plan.data.x.clone()
    x[_some(plan, 0.01)] *= 1e3
    _set(plan, x=x)


@fault("D101", also="G301 C401 C419 G317", fits=floats, exact=True, origin="DeepLocalize, TheDeepChecker")
def nan_rows(plan: Plan) -> None:
    """One training row in fifty has a missing value that nobody filled in."""
    x = plan.data.x.clone()
    rows = x.flatten(1)
    rows[_some(plan, 0.02), 0] = float("nan")
    _set(plan, x=rows.reshape(x.shape))


@fault("D104", fits=classes, exact=True, seen=INSIDE, origin="PyTorch forum: target out of bounds")
def labels_from_one(plan: Plan) -> None:
    """Classes are counted from 1, so that the last one does not exist."""
    _set(plan, y=plan.data.y + 1, y_val=plan.data.y_val + 1)


@fault("D110", also="D112 C406 C409", fits=flat_answers, exact=True, origin="DeepCrime: change labels")
def shuffled_labels(plan: Plan) -> None:
    """Labels were shuffled apart from their inputs, in both splits."""
    y, y_val = plan.data.y, plan.data.y_val
    random = chance(plan)
    _set(plan, y=y[torch.randperm(len(y), generator=random)], y_val=y_val[torch.randperm(len(y_val), generator=random)])


@fault("D112", also="D110 C406 C409", fits=flat_answers, exact=True, origin="Full Stack Deep Learning: file order")
def labels_off_by_one(plan: Plan) -> None:
    """A header was skipped in one file and not in the other: each row has its neighbour's label."""
    _set(plan, y=plan.data.y.roll(1, 0), y_val=plan.data.y_val.roll(1, 0))


@fault("D112", also="D110", fits=flat_answers, exact=True, seen=INSIDE, origin="DeepCrime: change labels")
def training_labels_in_other_order(plan: Plan) -> None:
    """Training inputs were shuffled without their labels; validation is right."""
    y = plan.data.y
    _set(plan, y=y[torch.randperm(len(y), generator=chance(plan))])


@fault("D112", also="D107", fits=classes, exact=True, seen=INSIDE, origin="scikit-learn: LabelEncoder fitted twice")
def other_codes_in_validation(plan: Plan) -> None:
    """Each split numbered its classes by itself."""
    _set(plan, y_val=(plan.data.y_val + 1) % plan.data.classes)


@fault("D115", also="D110 D112 C409", fits=classes, exact=True, seen=INSIDE, origin="DeepCrime: change labels")
def noisy_labels(plan: Plan) -> None:
    """Three labels in ten are wrong, in both splits."""
    random = chance(plan)
    y, y_val = (_wrong(y, plan.data.classes, random) for y in (plan.data.y, plan.data.y_val))
    _set(plan, y=y, y_val=y_val)


def _wrong(y: Tensor, classes: int, random: torch.Generator) -> Tensor:
    other = (y + torch.randint(1, classes, y.shape, generator=random)) % classes
    return torch.where(torch.rand(y.shape, generator=random) < 0.3, other, y)


@fault("D106", exact=True, seen=INSIDE, origin="DeepCrime: make data overlap; Kapoor & Narayanan 2023")
def training_rows_in_validation(plan: Plan) -> None:
    """Four validation rows in ten are training rows: the split was drawn with replacement."""
    x, y, x_val, y_val = plan.data.x, plan.data.y, plan.data.x_val.clone(), plan.data.y_val.clone()
    count = min(round(0.4 * len(x_val)), len(x))
    rows = torch.randperm(len(x), generator=chance(plan))[:count]
    x_val[:count], y_val[:count] = x[rows], y[rows]
    _set(plan, x_val=x_val, y_val=y_val)


@fault("D106", exact=True, seen=INSIDE, origin="DeepCrime: make data overlap")
def validates_on_training(plan: Plan) -> None:
    """The validation loader was given the training set."""
    _set(plan, x_val=plan.data.x, y_val=plan.data.y)


def _not_rebuilt(plan: Plan) -> bool:
    return not (numbers(plan) and plan.data.y.shape == plan.data.x.shape)


@fault("D113", fits=both(table, one_target, _not_rebuilt), exact=True, seen=INSIDE, origin="Kaufman et al. 2012")
def target_among_features(plan: Plan) -> None:
    """The last column was computed from the target."""
    x, x_val = plan.data.x.clone(), plan.data.x_val.clone()
    x[:, -1], x_val[:, -1] = plan.data.y.flatten().float(), plan.data.y_val.flatten().float()
    _set(plan, x=x, x_val=x_val)


@fault("D109", also="C403 C413", fits=labelled, exact=True, seen=INSIDE, origin="37 reasons; DeepCrime: no shuffle")
def sorted_by_label(plan: Plan) -> None:
    """Training rows come class by class, and the loader does not shuffle."""
    plan.order = lambda data: torch.argsort(data.y.flatten(), stable=True)
    plan.shuffle = False


@fault("D107", also="D102 D112 C410", fits=floats, exact=True, seen=INSIDE, origin="Karpathy 2019: other preprocessing")
def validation_scaled_otherwise(plan: Plan) -> None:
    """Validation inputs were prepared by other code: their scale and centre differ."""
    _set(plan, x_val=plan.data.x_val * 2 + 1)


@fault("D107", also="D105 D110 D112 C409", fits=labelled, exact=True, seen=INSIDE, origin="scikit-learn: shuffle=False")
def split_of_sorted_rows(plan: Plan) -> None:
    """Rows sorted by class were split without shuffling: validation has classes that training never saw."""
    data = plan.data
    x, y = torch.cat([data.x, data.x_val]), torch.cat([data.y, data.y_val])
    order = torch.argsort(y.flatten(), stable=True)
    train, val = order[: len(data.x)], order[len(data.x) :]
    _set(plan, x=x[train], y=y[train], x_val=x[val], y_val=y[val])


@fault("D108", exact=True, seen=INSIDE, origin="Bouthillier et al. 2021")
def tiny_validation(plan: Plan) -> None:
    """Six rows were kept for validation."""
    _set(plan, x_val=plan.data.x_val[:6], y_val=plan.data.y_val[:6])


@fault("D111", fits=floats, exact=True, seen=INSIDE, origin="PyTorch tutorial, transfer learning")
def augmented_validation(plan: Plan) -> None:
    """Training's random transforms are applied to validation too."""
    random = chance(plan)
    spread = float(plan.data.x.std())
    plan.augment = lambda x: x + 0.6 * spread * torch.randn(x.shape, generator=random)
    plan.augment_val = True


def _large_target(data: Data) -> Data:
    return replace(data, y=data.y * 1000 + 5000, y_val=data.y_val * 1000 + 5000)


@fault("D116", also="M216 C406 C408", fits=numbers, seen=INSIDE, origin="LeCun et al. 1998", clean=_large_target)
def unscaled_target(plan: Plan) -> None:
    """The number to predict is left in its own unit: thousands."""
    plan.data = _large_target(plan.data)


@fault("D105", also="M216", fits=labelled, seen=INSIDE, origin="SageMaker Debugger: ClassImbalance; DeepCrime")
def rare_class(plan: Plan) -> None:
    """Of one class hardly any samples were collected."""
    random = chance(plan)
    keep, keep_val = (_thinned(y, random) for y in (plan.data.y, plan.data.y_val))
    data = plan.data
    _set(plan, x=data.x[keep], y=data.y[keep], x_val=data.x_val[keep_val], y_val=data.y_val[keep_val])


def _thinned(y: Tensor, random: torch.Generator) -> Tensor:
    rare = (y.flatten() == 1).nonzero().flatten()
    count = max(round(0.07 * len(rare)), 1)
    kept = rare[torch.randperm(len(rare), generator=random)[:count]]
    return torch.cat([(y.flatten() != 1).nonzero().flatten(), kept]).sort().values


def _some(plan: Plan, share: float) -> Tensor:
    rows = len(plan.data.x)
    return torch.randperm(rows, generator=chance(plan))[: max(round(share * rows), 1)]
