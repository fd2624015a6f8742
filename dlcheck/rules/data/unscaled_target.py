"""D116."""

from collections.abc import Iterator

from dlcheck.findings import Finding, Severity
from dlcheck.rules.loss_state import loss_state
from dlcheck.rules.prescription import Prescription
from dlcheck.rules.prescriptions import TRAINS
from dlcheck.rules.rule import Limits, Threshold, Unchecked, measured, rule
from dlcheck.rules.site import at, finite, site_where
from dlcheck.rules.statistics import all_finite
from dlcheck.runs import Run
from dlcheck.runs.facts import TargetScale


@rule(
    "D116",
    "unscaled-target",
    Severity.WARNING,
    needs=("target_scale",),
    thresholds={
        "large": Threshold(10.0, "an untrained network answers near unit scale (Glorot & Bengio 2010)"),
        "small": Threshold(0.01, "the same, two orders of magnitude to the other side"),
        "huge": Threshold(1000.0, "two orders of magnitude beyond large: no usual rate reaches it in time"),
        "offset": Threshold(3.0, "the answers must first travel three spreads of the target"),
        "gap": Threshold(100.0, "two orders of magnitude between what is answered and what is asked"),
        "fits": Threshold(0.9, "nine tenths of the spread explained: the scale did no harm"),
    },
    references=("LeCun, Bottou, Orr & Müller 1998, Efficient BackProp, section 4.5",),
    prescriptions=(
        Prescription("standardise the target with the training split's mean and spread, and turn predictions back"),
        Prescription("predict the logarithm where targets spread over orders of magnitude"),
        Prescription(
            "use a loss that large errors pull less: Huber's",
            {"loss.name": "huber"},
            only_if={"loss.name": ("auto", "mse")},
            expects=TRAINS,
        ),
        Prescription("begin the last layer's bias at the target's mean"),
    ),
)
def unscaled_target(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find numbers to predict whose scale is far from what an untrained network answers.

    What it finds:
        A spread of the targets that is very large or very small, together with a second sign: an untrained
        network that answers on quite another scale, a mean far from 0 that the last layer's bias does not
        begin at, or a spread beyond any usual scale. A mean that is large itself, beside a usual spread, needs
        the first two of these signs.
    Why it matters:
        The squared error and its gradients grow with the square of the scale; a rate that suits the weights
        takes very long, or explodes, to reach a mean of a thousand.
    What to do:
        Standardise the target with statistics of the training split, and turn predictions back; or take
        its logarithm.
    Limits:
        A network that fits such targets all the same is only informed. Losses that have a scale of their own
        (a likelihood with learned spread) suffer less.
    Thresholds:
        large: Standard deviation, or mean, above which the scale is large.
        small: The same below which it is small.
        huge: The same as a second sign by itself.
        offset: Mean in standard deviations, where the last bias does not begin at it.
        gap: Spread of the targets over that of the untrained network's answers, or its inverse.
        fits: Share of a constant answer's loss gained in training, from which on it is information.
    Sources:
        LeCun, Bottou, Orr & Müller 1998, Efficient BackProp, section 4.5.
    """
    seen = measured(run, TargetScale)
    if seen.values <= 0 or not all_finite(seen.mean, seen.std):
        raise Unchecked("no finite targets were looked at")
    off = seen.std > limits["large"] or 0 < seen.std < limits["small"]
    signs = _signs(seen, limits)
    aside = seen.std > 0 and abs(seen.mean) > limits["large"]
    if (off and signs) or (aside and len(signs) > 1):
        yield _judge(run, seen, signs, limits["fits"])


def _signs(seen: TargetScale, limits: Limits) -> list[str]:
    """Return the second signs in words."""
    gap = _gap(seen)
    small = seen.std < limits["small"]
    far = gap is not None and (gap < 1 / limits["gap"] if small else gap > limits["gap"])
    signs = {
        f"the untrained network answers with a spread of {seen.output_std or 0:.3g}": far,
        f"the mean is {seen.mean:.3g}": abs(seen.mean) > limits["offset"] * seen.std and not seen.bias_started,
        "which is beyond any usual scale": seen.std > limits["huge"],
    }
    return [words for words, there in signs.items() if there]


def _gap(seen: TargetScale) -> float | None:
    answers = seen.output_std
    return seen.std / answers if answers is not None and all_finite(answers) and answers > 0 else None


def _judge(run: Run, seen: TargetScale, signs: list[str], fits: float) -> Finding:
    state = loss_state(run)
    fitted = state is not None and state.known and state.gained >= fits
    calm = "; training fits them all the same" if fitted else ""
    return unscaled_target.finding(
        f"targets have a standard deviation of {seen.std:.3g}; {', '.join(signs)}{calm}{at(seen.site)}",
        severity=Severity.INFO if fitted else Severity.WARNING,
        confidence=0.9 if len(signs) > 1 else 0.8,
        evidence={
            "mean": seen.mean,
            "std": seen.std,
            "low": finite(seen.low),
            "high": finite(seen.high),
            "output_std": finite(seen.output_std),
        },
        where=site_where(seen.site),
        cause="targets in the units of their source",
    )
