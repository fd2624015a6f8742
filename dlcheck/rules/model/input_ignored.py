"""M214."""

from collections.abc import Iterator

from dlcheck.findings import Finding, Remedy, Severity
from dlcheck.rules.rule import Limits, Threshold, Unchecked, measured, rule
from dlcheck.rules.site import finite, listed
from dlcheck.runs import Run
from dlcheck.runs.facts import InputIgnored, WeightSymmetry, fact


@rule(
    "M214",
    "input-ignored",
    Severity.ERROR,
    needs=("input_ignored",),
    thresholds={
        "sensitivity": Threshold(0.01, "swapping inputs changes answers by a hundredth of what they differ anyway"),
        "level": Threshold(0.05, "the usual level of a test; real inputs help nearly every network beyond it"),
        "gain": Threshold(0.99, "Karpathy 2019: real inputs must do better than zeros; a hundredth is noise"),
    },
    references=("Karpathy 2019, A Recipe for Training Neural Networks (input-independent baseline)",),
)
def input_ignored(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find a network whose answer does not depend on its input.

    What it finds:
        Exactly: no output changes at all when inputs are swapped between samples, and no gradient reaches the
        input; or this holds for one of several inputs. By two signals: after a few steps of training, outputs
        hardly change, and real inputs do no better than zeros in their place.
    Why it matters:
        The network learns the frequencies of the answers and nothing else, at a loss that falls a little and
        looks like a start. A captioner writes the same fluent sentence under every picture.
    What to do:
        Follow the input from the loader to the first layer: overwritten variables, a wrong argument, a
        multiplication by zero, a whole layer of dead units.
    Limits:
        A last layer or branch that starts as zero answers the same for every input before it is trained, and
        is not judged then. A task that is hard gives little gain within few steps; that alone is no finding.
    Thresholds:
        sensitivity: Change of the output when inputs are swapped, relative to its spread.
        level: One-sided level of the test that real inputs do better.
        gain: Loss on real inputs relative to that on zeros, at least.
    Sources:
        Karpathy 2019, A Recipe for Training Neural Networks.
    """
    seen = measured(run, InputIgnored)
    exact = seen.sensitivity == 0 and seen.gradient == 0
    part = bool(seen.inputs) and not exact
    if not part and (_helps(seen, limits) or not (exact or _hardly(seen, limits))):
        return
    untrained = part or seen.real_loss is None
    if untrained and (exact or part) and _starts_at_zero(run):
        raise Unchecked("weights that start as zero hide the input before training", "dlcheck watch SCRIPT")
    yield _finding(seen, exact)


def _helps(seen: InputIgnored, limits: Limits) -> bool:
    """Return whether real inputs did significantly better than zeros."""
    if seen.real_loss is None or seen.zeroed_loss is None:
        return False
    better = seen.real_loss < limits["gain"] * seen.zeroed_loss
    return better and (seen.p is None or seen.p < limits["level"])


def _hardly(seen: InputIgnored, limits: Limits) -> bool:
    compared = seen.real_loss is not None and seen.zeroed_loss is not None
    return compared and seen.sensitivity < limits["sensitivity"]


def _starts_at_zero(run: Run) -> bool:
    symmetry = fact(run, WeightSymmetry)
    return symmetry is not None and any(layer.kind == "zero" for layer in symmetry.symmetric)


def _finding(seen: InputIgnored, exact: bool) -> Finding:
    some = bool(seen.inputs) and not exact
    what = f"one of several inputs ({listed(seen.inputs)})" if some else "the input"
    how = "does not reach the output at all" if exact or some else "hardly changes the output, and zeros do as well"
    return input_ignored.finding(
        f"{what} {how}",
        severity=Severity.ERROR if exact else Severity.WARNING,
        confidence=0.95 if exact else 0.85,
        evidence={
            "sensitivity": finite(seen.sensitivity),
            "gradient": finite(seen.gradient),
            "real_loss": finite(seen.real_loss),
            "zeroed_loss": finite(seen.zeroed_loss),
            "p": finite(seen.p),
        },
        cause="the forward pass loses the input on its way, or what it computes from it is always the same",
        remedies=(
            Remedy(
                "print the mean and deviation of each layer's output for two different inputs: where they become "
                "equal, the input is lost"
            ),
            Remedy("look for an overwritten variable, a wrong argument, a product with zero, and dead units (M204)"),
        ),
    )
