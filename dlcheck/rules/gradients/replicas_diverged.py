"""G315."""

from collections.abc import Iterator

from dlcheck.findings import Finding, Remedy, Severity, Where
from dlcheck.rules.rule import Limits, Threshold, Unchecked, measured, rule
from dlcheck.runs import Run
from dlcheck.runs.facts import Replicas


@rule(
    "G315",
    "replicas-diverged",
    Severity.ERROR,
    needs=("replicas",),
    thresholds={
        "difference": Threshold(1e-5, "some hundred roundings of a float32 sum (2^-24 each); equal weights give 0"),
    },
    references=(
        "Li et al. 2020, PyTorch Distributed, arXiv:2006.15704",
        "Lin et al. 2020, Don't Use Large Mini-Batches, Use Local SGD, arXiv:1808.07217",
    ),
)
def replicas_diverged(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find replicas of distributed training whose weights are no longer the same.

    What it finds:
        Checksums of the weights that differ between the processes of one training. Running statistics that
        differ are usual and left out.
    Why it matters:
        Every process trains a network of its own, with the gradients of others: the one that is saved is none
        of them, and worse than a training on one device.
    What to do:
        Build every replica from the same seed or broadcast the weights, wrap the model before the optimizer is
        built, step on all processes or on none, and call the wrapped model rather than the module inside it.
    Limits:
        Checksums are compared now and then, so that the step named is the first check, not the first
        difference. Weights that are averaged on purpose every few steps (local SGD) are only mentioned.
    Thresholds:
        difference: Smallest relative difference of a checksum that is one.
    Sources:
        Li et al. 2020, arXiv:2006.15704 (replicas begin equal and get equal gradients).
    """
    found = measured(run, Replicas)
    if found.ranks < 2 or found.checks < 1:
        raise Unchecked("the replicas' weights were never compared", "dlcheck watch SCRIPT")
    if found.buffers_only or found.different < 1 or not found.largest > limits["difference"]:
        return
    named = ", ".join(found.layers[:3])
    yield replicas_diverged.finding(
        f"the weights of {found.ranks} replicas differed at {found.different} of {found.checks} checks"
        + (f" (first in {named})" if named else "")
        + (", and were equal at others" if found.met_again else ""),
        severity=Severity.INFO if found.met_again else Severity.ERROR,
        confidence=0.8 if found.met_again else 0.95,
        evidence={
            "ranks": found.ranks,
            "checks": found.checks,
            "different": found.different,
            "largest_difference": min(found.largest, 1e300),
        },
        where=Where(layer=found.layers[0] if found.layers else None, step=found.step),
        cause="replicas that began differently, or steps that not all of them made alike",
        remedies=(
            Remedy("broadcast the weights of the first process before training (DistributedDataParallel does)"),
            Remedy("call the wrapped model in training, not its .module, so that gradients are averaged"),
            Remedy("let all processes step or skip together, and change no weights outside the optimizer"),
        ),
    )
