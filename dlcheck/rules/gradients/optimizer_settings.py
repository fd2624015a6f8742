"""What is wrong with the settings of an optimizer, one small function a fault."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from dlcheck.findings import Severity, Value
from dlcheck.rules.loss_state import loss_state
from dlcheck.rules.rule import Limits
from dlcheck.runs import Run
from dlcheck.runs.facts import LossCalls, OptimizerGroup, OptimizerSettings, fact

STATELESS = ("sgd", "asgd", "lbfgs")
"""Optimizers that have nothing to forget, unless they have momentum."""
ADAMS = ("adam", "nadam", "radam", "adamax", "adamw")
FALLING = ("cross_entropy", "nll_loss", "binary_cross_entropy", "mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss")
"""Beginnings of the names of losses that are to be made small."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One setting that cannot be meant, or rarely is."""

    words: str
    severity: Severity
    cause: str
    remedy: str
    evidence: dict[str, Value]


Look = Callable[[Run, OptimizerSettings, Limits], Iterator[Fault]]


def faults(run: Run, settings: OptimizerSettings, limits: Limits) -> list[Fault]:
    """Return every fault, the severest first."""
    found = [fault for look in LOOKS for fault in look(run, settings, limits)]
    return sorted(found, key=lambda fault: -fault.severity)


def _rate(run: Run, settings: OptimizerSettings, limits: Limits) -> Iterator[Fault]:
    still = [group for group in settings.groups if group.lr_highest == 0 and group.parameters > 0]
    holding = [group for group in settings.groups if group.parameters > 0]
    if still and len(still) == len(holding) and settings.steps > 0:
        yield Fault(
            f"the learning rate was 0 in all {settings.steps} steps",
            Severity.ERROR,
            "a rate of 0, or a schedule that begins and stays there",
            "set a learning rate above 0, and check what the schedule multiplies it with",
            {"highest_rate": 0.0, "steps": settings.steps},
        )


def _momentum(run: Run, settings: OptimizerSettings, limits: Limits) -> Iterator[Fault]:
    for group in settings.groups:
        if group.momentum is not None and group.momentum >= 1 and not _named(group, ADAMS):
            yield Fault(
                f"{group.optimizer} has a momentum of {group.momentum:g}: it never forgets a gradient",
                Severity.ERROR,
                "a momentum of 1 or more adds up all gradients",
                "set the momentum to 0.9",
                {"momentum": group.momentum},
            )


def _memory(run: Run, settings: OptimizerSettings, limits: Limits) -> Iterator[Fault]:
    """Find a momentum that adds up more steps than there were: the average never forgets the first ones."""
    for group in settings.groups:
        momentum = group.momentum
        if momentum is None or not limits["momentum"] < momentum < 1 or _named(group, ADAMS):
            continue
        steps = 1 / (1 - momentum)
        if settings.steps >= limits["counted"] and steps > settings.steps:
            yield Fault(
                f"{group.optimizer} has a momentum of {momentum:g}, which adds up some {steps:.0f} gradients: "
                f"more than the {settings.steps} steps that were made",
                Severity.WARNING,
                "a momentum this close to 1 makes the rate as many times larger, and forgets nothing",
                "set the momentum to 0.9",
                {"momentum": momentum, "steps": settings.steps},
            )


def _betas(run: Run, settings: OptimizerSettings, limits: Limits) -> Iterator[Fault]:
    for group in settings.groups:
        if group.momentum is None or group.beta2 is None or not _named(group, ADAMS):
            continue
        if group.beta2 < group.momentum**2:
            yield Fault(
                f"{group.optimizer} has betas ({group.momentum:g}, {group.beta2:g}): the second averages over less "
                "than the first",
                Severity.WARNING,
                "betas in the wrong order: Adam's proof needs the first below the root of the second",
                "set the betas to (0.9, 0.999)",
                {"beta1": group.momentum, "beta2": group.beta2},
            )


def _eps(run: Run, settings: OptimizerSettings, limits: Limits) -> Iterator[Fault]:
    for group in settings.groups:
        if group.eps is None or not _named(group, ADAMS):
            continue
        if group.eps == 0:
            yield Fault(
                f"{group.optimizer} has an eps of 0: a weight whose gradient is 0 gets 0/0",
                Severity.WARNING,
                "an eps of 0",
                "set eps to 1e-8",
                {"eps": 0.0},
            )
        elif group.eps > limits["eps"]:
            yield Fault(
                f"{group.optimizer} has an eps of {group.eps:g}, beside which usual gradients vanish",
                Severity.INFO,
                "an eps larger than the gradients makes Adam plain gradient descent with a tiny rate",
                "set eps to 1e-8, or raise the rate as much",
                {"eps": group.eps},
            )


def _maximize(run: Run, settings: OptimizerSettings, limits: Limits) -> Iterator[Fault]:
    if not settings.groups or not all(group.maximize for group in settings.groups):
        return
    calls, loss = fact(run, LossCalls), loss_state(run)
    named = [call.loss for call in calls.calls if call.trains] if calls else []
    falling = next((name for name in named if name.startswith(FALLING)), "")
    climbs = loss is not None and (loss.rises or loss.nonfinite)
    if falling or climbs:
        sure = bool(falling) and climbs
        yield Fault(
            f"the optimizer maximizes {falling or 'the loss'}" + (", which climbs" if climbs else ""),
            Severity.ERROR if sure else Severity.WARNING,
            "maximize=True with a loss that is to be made small",
            "leave out maximize=True, or negate what is to be made large",
            {"maximize": True, "end_loss": loss.end if loss else None},
        )


def _rebuilt(run: Run, settings: OptimizerSettings, limits: Limits) -> Iterator[Fault]:
    forgetful = any(not _named(group, STATELESS) or (group.momentum or 0) > 0 for group in settings.groups)
    every_step = settings.steps > 0 and settings.rebuilt >= limits["rebuilt_share"] * settings.steps
    often = settings.rebuilt_per_epoch and settings.rebuilt >= limits["rebuilt"]
    if forgetful and (often or (every_step and settings.rebuilt >= limits["rebuilt"])):
        when = "at nearly every step" if every_step else "at every epoch"
        yield Fault(
            f"the optimizer was built anew {when} ({settings.rebuilt} times in {settings.steps} steps)",
            Severity.WARNING,
            "an optimizer built inside the loop forgets its averages of the gradient each time",
            "build the optimizer once, before the loop",
            {"rebuilt": settings.rebuilt, "steps": settings.steps},
        )


def _duplicates(run: Run, settings: OptimizerSettings, limits: Limits) -> Iterator[Fault]:
    if settings.duplicates > 0:
        loss = loss_state(run)
        bad = loss.bad(limits["gained"]) if loss else ""
        yield Fault(
            f"{settings.duplicates} parameters are held twice" + (f", and {bad}" if bad else ""),
            Severity.WARNING if bad else Severity.INFO,
            "each of their steps is made twice",
            "give every parameter to one group of one optimizer",
            {"duplicates": settings.duplicates},
        )


def _coupled(run: Run, settings: OptimizerSettings, limits: Limits) -> Iterator[Fault]:
    for group in settings.groups:
        if _named(group, ADAMS) and not group.decoupled and group.weight_decay > limits["added_decay"]:
            yield Fault(
                f"{group.optimizer} has a weight decay of {group.weight_decay:g} added to its gradient",
                Severity.INFO,
                "Adam divides such a decay by the gradient's size: weights with large gradients hardly decay",
                "use AdamW, whose decay acts on the weights themselves",
                {"weight_decay": group.weight_decay},
            )


def _named(group: OptimizerGroup, names: tuple[str, ...]) -> bool:
    return group.optimizer.lower() in names


LOOKS: tuple[Look, ...] = (_rate, _momentum, _memory, _betas, _eps, _maximize, _rebuilt, _duplicates, _coupled)
