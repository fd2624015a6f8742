"""G307."""

from collections.abc import Iterator
from dataclasses import dataclass

from dlcheck.findings import Finding, Remedy, Severity
from dlcheck.rules.remedy import scaled_lr
from dlcheck.rules.rule import Limits, Threshold, measured, rule
from dlcheck.rules.site import at, finite, listed, share, site_where
from dlcheck.runs import Run
from dlcheck.runs.facts import OptimizerSettings, StillLayer, WeightsMoving, fact

ROUNDING = 6e-8
"""Relative rounding of 32-bit numbers: a smaller change of a weight is none."""


@dataclass(frozen=True, slots=True)
class _Still:
    summary: str
    cause: str
    remedies: tuple[Remedy, ...]
    severity: Severity = Severity.ERROR
    confidence: float = 0.95
    layer: StillLayer | None = None


@rule(
    "G307",
    "weights-not-updating",
    Severity.ERROR,
    needs=("weights_moving",),
    thresholds={
        "backwards": Threshold(50, "more than anyone accumulates before a step in a small run"),
        "steps": Threshold(20, "Jiang et al. 2025, TrainCheck: no change in 20 steps in spite of a gradient"),
        "most": Threshold(0.5, "with half of the weights still it is another network than was meant"),
    },
    references=(
        "Jiang et al. 2025, TrainCheck, OSDI",
        "Amazon SageMaker Debugger, rule UnchangedTensor",
        "PyTorch documentation, torch.optim.Optimizer.step",
    ),
)
def weights_not_updating(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find training whose steps are missing, or do not change the weights.

    What it finds:
        Exactly: many backward passes and not one optimizer step; a learning rate of 0 in every step; weights
        that an optimizer holds, that have a gradient, and that not one of the sampled steps changed.
    Why it matters:
        The network stays as it was drawn, while loss and gradients look as they do in training.
    What to do:
        Call optimizer.step() after each backward pass. Build the optimizer from the parameters of the very
        model that runs: after it was moved, copied, or its layers replaced.
    Limits:
        Frozen weights do not count, nor do a group with a rate of 0 beside others that train, the first steps
        of a warm-up, and steps that a gradient scaler skipped. Without an optimizer, backward passes may serve
        attribution or steps by hand: that is told as information.
    Thresholds:
        backwards: Backward passes without a step, at least.
        steps: Steps in a row without any change, at least.
        most: Share of the weights that is an error rather than a warning.
    Sources:
        Jiang et al. 2025, TrainCheck, OSDI; Amazon SageMaker Debugger; PyTorch documentation, torch.optim.
    """
    seen = measured(run, WeightsMoving)
    found = _no_step(seen, limits) or _no_rate(run, seen, limits) or _no_change(run, seen, limits)
    if found is not None:
        yield _finding(seen, found)


def _no_step(seen: WeightsMoving, limits: Limits) -> _Still | None:
    if seen.steps > 0 or seen.backwards < limits["backwards"] or seen.moved:
        return None
    if seen.optimizers > 0:
        return _Still(
            f"{seen.backwards} backward passes and not one optimizer step",
            "optimizer.step() is never called, or that of an optimizer of something else",
            (Remedy("call optimizer.step() after loss.backward()"),),
        )
    if seen.moved is None:
        return None  # weights may be changed by hand
    return _Still(
        f"{seen.backwards} backward passes, no optimizer, and no weight has changed",
        "gradients are computed and not used: rightly for attribution or adversarial inputs, not for training",
        (Remedy("to train, build an optimizer from model.parameters() and call its step()"),),
        Severity.INFO,
        0.6,
    )


def _no_rate(run: Run, seen: WeightsMoving, limits: Limits) -> _Still | None:
    settings = fact(run, OptimizerSettings)
    if settings is None or not settings.groups or seen.steps - seen.skipped_by_scaler < limits["steps"]:
        return None
    if any(group.lr_highest != 0 or group.lr != 0 for group in settings.groups):
        return None
    return _Still(
        f"the learning rate was 0 in all of {seen.steps} steps",
        "the rate is set to 0, or a schedule multiplies it by 0 and never leaves that",
        (
            Remedy("set a rate above 0, such as 0.001 for Adam or 0.1 for SGD on a small network"),
            Remedy("look at the schedule's factor at its first steps, and whether it is stepped at all"),
        ),
    )


def _no_change(run: Run, seen: WeightsMoving, limits: Limits) -> _Still | None:
    pushed = [layer for layer in seen.still if _pushed(layer, limits)]
    if not pushed or seen.steps - seen.skipped_by_scaler < limits["steps"]:
        return None
    rates = {layer.lr for layer in pushed}
    if rates == {0.0} and len(pushed) < seen.layers:
        return None  # a group with a rate of 0 beside others that train is frozen on purpose
    most = share(len(pushed), seen.layers) >= limits["most"]
    rounded = all(_rounded(layer) for layer in pushed)
    return _Still(
        f"{listed([layer.layer for layer in pushed])}: no change in {min(layer.steps for layer in pushed)} steps, "
        f"though {'it has a gradient' if len(pushed) == 1 else 'they have gradients'}",
        _cause(rates, rounded),
        _remedies(run, rounded),
        Severity.ERROR if most else Severity.WARNING,
        0.95 if most else 0.85,
        pushed[0],
    )


def _pushed(layer: StillLayer, limits: Limits) -> bool:
    return layer.gradient is not None and layer.gradient > 0 and layer.steps >= limits["steps"]


def _rounded(layer: StillLayer) -> bool:
    return 0 < layer.lr * (layer.gradient or 0.0) < ROUNDING * layer.weight_norm


def _cause(rates: set[float], rounded: bool) -> str:
    if rates == {0.0}:
        return "the learning rate is 0"
    if rounded:
        return "the steps are smaller than what rounding leaves of the weights"
    return (
        "the optimizer holds other tensors than those that run (a copy, or from before a move), or something sets "
        "the weights back"
    )


def _remedies(run: Run, rounded: bool) -> tuple[Remedy, ...]:
    if rounded:
        return (scaled_lr(run, 1000.0), Remedy("keep the weights in 32 bits, and only compute in fewer"))
    return (
        Remedy("build the optimizer from the parameters of the model that runs, after it is moved and complete"),
        Remedy("set a rate above 0, and look for load_state_dict, copy_ or .data in the loop"),
    )


def _finding(seen: WeightsMoving, found: _Still) -> Finding:
    layer = found.layer
    return weights_not_updating.finding(
        found.summary + at(seen.site),
        severity=found.severity,
        confidence=found.confidence,
        evidence={
            "steps": seen.steps,
            "backwards": seen.backwards,
            "still": len(seen.still),
            "weights": seen.layers,
            "gradient": finite(layer.gradient) if layer else None,
            "lr": finite(layer.lr) if layer else None,
        },
        where=site_where(seen.site, layer=layer.layer if layer else None),
        cause=found.cause,
        remedies=found.remedies,
    )
