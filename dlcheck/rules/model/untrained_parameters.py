"""M207."""

from collections.abc import Iterator
from dataclasses import dataclass

from dlcheck.findings import Finding, Remedy, Severity
from dlcheck.rules.rule import Limits, Threshold, measured, rule
from dlcheck.rules.site import at, listed, share, site_where
from dlcheck.runs import Run
from dlcheck.runs.facts import FirstLoss, ParameterCoverage, fact


@dataclass(frozen=True, slots=True)
class _Untrained:
    summary: str
    cause: str
    remedies: tuple[str, ...]
    severity: Severity
    confidence: float
    layer: str | None = None


@rule(
    "M207",
    "untrained-parameters",
    Severity.ERROR,
    needs=("parameter_coverage",),
    thresholds={
        "least_steps": Threshold(
            10, "a part that is used now and then (stochastic depth, experts) has its turn by then"
        ),
        "most": Threshold(0.5, "with half of its parameters as they were drawn it is another network than was meant"),
    },
    references=(
        "PyTorch documentation, torch.optim (construct the optimizer after the model is complete)",
        "Jiang et al. 2025, TrainCheck, OSDI",
        "Karpathy 2019, A Recipe for Training Neural Networks",
    ),
)
def untrained_parameters(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find parameters that are meant to train and cannot: outside of every optimizer, or without a gradient.

    What it finds:
        A loss without a graph, or a network in which nothing may train; parameters that get a gradient and
        that no optimizer holds, among them those of a layer that was replaced after the optimizer was built;
        parameters in an optimizer that a detached graph keeps from ever getting a gradient.
    Why it matters:
        Such parameters stay as they were drawn. The rest of the network learns around them, so that nothing
        but the result shows it.
    What to do:
        Build the optimizer last, from model.parameters(). Register layers as attributes, in nn.ModuleList
        rather than a list. Look for detach(), .data, .item(), NumPy and no_grad on the way to the loss.
    Limits:
        What has requires_grad = False is frozen on purpose, unless that is everything. All optimizers count
        together. A part whose weights were loaded, one that belongs to a network without an optimizer of its
        own (a teacher), one that runs under no_grad, and one that is never called are told as information.
    Thresholds:
        least_steps: Steps without a gradient before a parameter counts as never getting one.
        most: Share of the trainable parameters outside of the optimizers that makes it an error.
    Sources:
        PyTorch documentation, torch.optim; Jiang et al. 2025, TrainCheck, OSDI; Karpathy 2019.
    """
    seen = measured(run, ParameterCoverage)
    if seen.parameters <= 0:
        return
    untrained = _nothing_trains(seen) or _outside(run, seen, limits) or _without_gradient(seen, limits)
    if untrained is not None:
        yield _finding(seen, untrained)


def _nothing_trains(seen: ParameterCoverage) -> _Untrained | None:
    trained = seen.steps > 0 or seen.crashed  # a script that only evaluates freezes everything rightly
    if seen.trainable == 0 and trained:
        return _Untrained(
            f"all {seen.parameters} parameters are frozen",
            "requires_grad is False everywhere, so that no step can change anything",
            ("let the parameters that should learn require a gradient: parameter.requires_grad_(True)",),
            Severity.ERROR,
            0.97,
        )
    if seen.detached and (trained or seen.optimized > 0):
        return _Untrained(
            "the loss has no graph behind it, so that no parameter gets a gradient",
            "the forward pass ran under no_grad, or its output was detached, turned into numbers or built anew",
            (
                "take no_grad and inference_mode away from the training pass",
                "look for detach(), .data, .item(), .numpy() and torch.tensor(…) between the output and the loss",
            ),
            Severity.ERROR,
            0.97,
        )
    if seen.optimized == 0 and seen.outside_count > 0 and seen.steps > 0:
        return _Untrained(
            f"no optimizer holds any of the {seen.trainable} parameters that should train",
            "the optimizer was built from the parameters of something else",
            ("build the optimizer from this model's parameters: Adam(model.parameters(), …)",),
            Severity.ERROR,
            0.95,
            next(iter(seen.outside), None),
        )
    return None


def _outside(run: Run, seen: ParameterCoverage, limits: Limits) -> _Untrained | None:
    kept = max(seen.outside_loaded, seen.outside_whole)
    forgotten = seen.outside_count - kept
    if seen.outside_count <= 0 or seen.steps <= 0:
        return None
    layer = next(iter(seen.outside), None)
    named = listed(seen.outside, seen.outside_count)
    if seen.stale_count > 0:
        return _replaced(seen, named, layer)
    if forgotten <= 0 or _pretrained(run):
        return _Untrained(
            f"no optimizer holds {named}, which get gradients",
            "a trained part that is kept as it is; its gradients are computed for nothing",
            ("freeze it, which saves time and memory: parameter.requires_grad_(False)",),
            Severity.INFO,
            0.7,
            layer,
        )
    most = share(forgotten, seen.trainable) >= limits["most"]
    return _Untrained(
        f"no optimizer holds {named}: {seen.outside_count} of {seen.trainable} parameters that should train",
        "the optimizer was given part of the parameters, or before the model was complete",
        (
            "build the optimizer last and from all of them: model.parameters(), or another parameter group",
            "freeze what should stay as it is: parameter.requires_grad_(False)",
        ),
        Severity.ERROR if most else Severity.WARNING,
        0.93,
        layer,
    )


def _replaced(seen: ParameterCoverage, named: str, layer: str | None) -> _Untrained:
    return _Untrained(
        f"a layer was replaced after the optimizer was built: no optimizer holds {named}",
        f"the optimizer still holds {listed(seen.stale, seen.stale_count)}, which the model no longer has",
        (
            "build the optimizer after the layer is replaced",
            "add the new layer's parameters: optimizer.add_param_group({'params': layer.parameters()})",
        ),
        Severity.ERROR,
        0.97,
        layer,
    )


def _pretrained(run: Run) -> bool:
    first = fact(run, FirstLoss)
    return first is not None and first.pretrained


def _without_gradient(seen: ParameterCoverage, limits: Limits) -> _Untrained | None:
    count = seen.without_gradient_count
    if count <= 0 or seen.steps < limits["least_steps"]:
        return None
    cut = [name for name in seen.without_gradient if name not in seen.unused]
    unused = len(seen.unused) if cut else count  # names are given for 20 at most
    severed = count - unused - seen.without_graph_count
    if severed > 0 and cut:
        return _severed(seen, cut, severed)
    what = "its module is never called" if not cut else "it runs only where no graph is recorded (no_grad)"
    return _Untrained(
        f"{listed(seen.without_gradient, count)} never get a gradient",
        f"{what}: a part that is not in use, or kept as it is on purpose",
        ("leave it out of the model or of the optimizer if it is not needed",),
        Severity.INFO,
        0.75,
        seen.without_gradient[0] if seen.without_gradient else None,
    )


def _severed(seen: ParameterCoverage, cut: list[str], severed: int) -> _Untrained:
    everything = severed >= seen.optimized
    return _Untrained(
        f"{listed(cut, severed)} got no gradient in {seen.steps} steps, though their modules are in use",
        "the graph between them and the loss is cut",
        (
            "look for detach(), .data, .item(), .numpy() and torch.tensor(…) between these modules and the loss",
            "freeze them if they should stay as they are: parameter.requires_grad_(False)",
        ),
        Severity.ERROR if everything else Severity.WARNING,
        0.9,
        cut[0],
    )


def _finding(seen: ParameterCoverage, untrained: _Untrained) -> Finding:
    return untrained_parameters.finding(
        untrained.summary + at(seen.site),
        severity=untrained.severity,
        confidence=untrained.confidence,
        evidence={
            "parameters": seen.parameters,
            "trainable": seen.trainable,
            "optimized": seen.optimized,
            "outside": seen.outside_count,
            "without_gradient": seen.without_gradient_count,
            "stale": seen.stale_count,
            "steps": seen.steps,
        },
        where=site_where(seen.site, layer=untrained.layer),
        cause=untrained.cause,
        remedies=tuple(Remedy(text) for text in untrained.remedies),
    )
