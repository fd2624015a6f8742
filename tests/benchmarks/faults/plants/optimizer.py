"""Faults in the optimizer: its settings, and what it is given."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from typing import Any

from torch import nn

from tests.benchmarks.faults.plan import Plan
from tests.benchmarks.faults.plants.fault import INSIDE, Family
from tests.benchmarks.faults.plants.kinds import adam, hidden, leaves, sgd
from tests.benchmarks.faults.plants.surgery import drawn, set_module

fault = Family("optimizer")
TOO_FAST = "C401 C402 C403 C406 C408 G301 G302 G310 M204 M216"
TOO_SLOW = "C406 C407 C412 M216"


@fault("C404 G304", also=TOO_FAST, origin="DeepCrime: change learning rate; AutoTrainer")
def rate_times_300(plan: Plan) -> None:
    """The learning rate is three hundred times too high."""
    plan.lr *= 300


@fault("C404 G304", also=TOO_FAST, origin="DeepCrime: change learning rate")
def rate_times_30(plan: Plan) -> None:
    """The learning rate is thirty times too high."""
    plan.lr *= 30


@fault("C405 G305", also=TOO_SLOW, origin="DeepCrime: change learning rate; AutoTrainer: slow convergence")
def rate_over_3000(plan: Plan) -> None:
    """The learning rate is three thousand times too low."""
    plan.lr /= 3000


@fault("C405 G305", also=TOO_SLOW, origin="DeepCrime: change learning rate")
def rate_over_100(plan: Plan) -> None:
    """The learning rate is a hundred times too low."""
    plan.lr /= 100


@fault("G316 G307", also=f"{TOO_SLOW} C405 G305", exact=True, origin="PyTorch forum: lr=0")
def rate_of_zero(plan: Plan) -> None:
    """The rate came out as zero: an integer division."""
    plan.lr = 0.0


@fault("C404 G304 G316", also=TOO_FAST, fits=sgd, origin="TheDeepChecker: momentum")
def momentum_of_9995(plan: Plan) -> None:
    """A momentum of 0.9995 adds up two thousand gradients."""
    plan.options = plan.options | {"momentum": 0.9995}


@fault("G316", also=f"C404 G304 {TOO_FAST}", fits=sgd, exact=True, seen=INSIDE, origin="TheDeepChecker: momentum")
def momentum_of_1(plan: Plan) -> None:
    """A momentum of 1 never forgets a gradient."""
    plan.options = plan.options | {"momentum": 1.0}


@fault("G316", also=f"C404 G304 {TOO_FAST}", fits=adam, exact=True, seen=INSIDE, origin="Kingma & Ba 2015")
def betas_swapped(plan: Plan) -> None:
    """Adam's two betas stand in the wrong order."""
    plan.options = plan.options | {"betas": (0.999, 0.9)}


@fault("G316 C405 G305", also=TOO_SLOW, fits=adam, origin="torch-audit; Szegedy et al. 2016")
def eps_of_1(plan: Plan) -> None:
    """Adam's eps is 1, far above the gradients."""
    plan.options = plan.options | {"eps": 1.0}


@fault("G316", also="C416 M209", exact=True, origin="PyTorch documentation: maximize")
def maximizes(plan: Plan) -> None:
    """The optimizer was told to make the loss large."""
    plan.options = plan.options | {"maximize": True}


@fault("G313", also="C406 C408 M216 C402", origin="DeepCrime: weights regularisation; UMLAUT")
def weight_decay_of_3(plan: Plan) -> None:
    """A weight decay of 3 pulls every weight to zero."""
    plan.options = plan.options | {"weight_decay": 3.0}


def _only(model: nn.Module, *, last: bool) -> list[nn.Parameter]:
    """Return parameters of the last layer, or of all others."""
    name = leaves(model)[-1][0]
    return [one for key, one in model.named_parameters() if (key.rpartition(".")[0] == name) is last]


@fault("M207", also="C408 G307", fits=hidden, exact=True, seen=INSIDE, origin="TrainCheck; PyTorch forum 84911")
def only_head_in_optimizer(plan: Plan) -> str:
    """The optimizer was given the last layer only; nothing is frozen."""
    plan.parameters = lambda model: _only(model, last=True)
    return leaves(plan.model)[0][0]


@fault("M207", also="C408 G307", fits=hidden, exact=True, seen=INSIDE, origin="TrainCheck; PyTorch forum 84911")
def head_not_in_optimizer(plan: Plan) -> str:
    """The optimizer was not given the last layer."""
    plan.parameters = lambda model: _only(model, last=False)
    return leaves(plan.model)[-1][0]


@fault("M207", exact=True, seen=INSIDE, origin="DeepCrime; PyTorch forum 84911")
def everything_frozen(plan: Plan) -> None:
    """All parameters are frozen, the new last layer too."""
    plan.model.requires_grad_(False)


def _old(parameters: list[Any]) -> Callable[[nn.Module], Iterable[Any]]:
    return lambda model: parameters


@fault("M207", also="C408 G307", fits=hidden, exact=True, seen=INSIDE, origin="PyTorch documentation, torch.optim")
def head_replaced_after_optimizer(plan: Plan) -> str:
    """The last layer was replaced after the optimizer had been built."""
    plan.parameters = _old(list(plan.model.parameters()))
    name, head = leaves(plan.model)[-1]
    new = copy.deepcopy(head)
    with drawn(plan):
        getattr(new, "reset_parameters", lambda: None)()
    set_module(plan.model, name, new)
    return name


@fault("M207 G307", also="C406 M216", exact=True, origin="PyTorch forum: optimizer of another copy")
def optimizer_of_a_copy(plan: Plan) -> None:
    """The optimizer holds the parameters of a copy of the model that trains."""
    plan.parameters = _old(list(copy.deepcopy(plan.model).parameters()))
