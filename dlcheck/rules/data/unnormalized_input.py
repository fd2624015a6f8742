"""D102."""

from collections.abc import Iterator

from dlcheck.findings import Finding, Remedy, Severity
from dlcheck.rules.prescription import Prescription, prescribed
from dlcheck.rules.prescriptions import NORM, TRAINS
from dlcheck.rules.rule import Limits, Threshold, Unchecked, measured, rule
from dlcheck.rules.site import at, finite, site_where
from dlcheck.rules.statistics import all_finite
from dlcheck.runs import Run
from dlcheck.runs.facts import InputValues

REMEDIES = (
    Prescription(
        "standardise inputs with statistics of the training split", {"data.normalize": "standardize"}, expects=TRAINS
    ),
    Prescription("put a normalisation layer before the first layer"),
    NORM,
)


@rule(
    "D102",
    "unnormalized-input",
    Severity.WARNING,
    needs=("input_values",),
    thresholds={
        "large": Threshold(10.0, "measured on 199 healthy small runs: standardised inputs all lie far below"),
        "small": Threshold(0.01, "the same factor from 1 to the other side, once more for sparse inputs"),
        "huge": Threshold(100.0, "an order of magnitude beyond: no initialisation makes up for it"),
        "offset": Threshold(2.0, "LeCun et al. 1998, 4.3: means far from 0 tie the updates of a layer to one sign"),
        "apart": Threshold(100.0, "LeCun et al. 1998, 4.3: the condition of the loss goes with the square of it"),
        "quiet": Threshold(0.05, "five times the small spread: sparse inputs have single large values"),
        "byte": Threshold(255.0, "the largest number of one byte, as image files store a colour"),
    },
    references=("LeCun, Bottou, Orr & Müller 1998, Efficient BackProp, section 4.3",),
    prescriptions=REMEDIES,
)
def unnormalized_input(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find inputs that enter the network on a scale it is not made for.

    What it finds:
        A standard deviation over all inputs that is very large or very small, together with a second sign:
        whole numbers up to 255 as in image files, features whose spreads differ a hundredfold, a mean far
        from 0, numbers beyond any usual scale, or no number that is more than tiny.
    Why it matters:
        Rates, initialisations and weight decay are made for inputs near unit scale. Far from it the first
        layer saturates or learns last, and large features drown the others.
    What to do:
        Subtract the mean and divide by the standard deviation of the training split, per column or channel;
        take logarithms of what spreads over orders of magnitude.
    Limits:
        Whole-number codes for an embedding are not judged, nor inputs that a normalisation layer takes first,
        nor binary features. Inputs within -1 … 1 or 0 … 1 are no finding, however they are centred.
    Thresholds:
        large: Standard deviation over all inputs above which the scale is large.
        small: The same below which the scale is small.
        huge: Standard deviation that is a second sign by itself.
        offset: Mean in standard deviations that is a second sign.
        apart: Largest over smallest standard deviation of a feature that is a second sign.
        quiet: Largest absolute value of inputs of small scale.
        byte: Largest value of inputs that are raw bytes.
    Sources:
        LeCun, Bottou, Orr & Müller 1998, Efficient BackProp, section 4.3.
    """
    seen = measured(run, InputValues)
    if not seen.floating or seen.normalized_first:
        return
    if seen.values <= seen.nonfinite or not all_finite(seen.mean, seen.std, seen.low, seen.high):
        raise Unchecked("no finite input values were looked at")
    signs = _signs(seen, limits)
    if signs:
        yield _judge(run, seen, signs)


def _signs(seen: InputValues, limits: Limits) -> list[str]:
    """Return in words why the scale is off; nothing unless scale and a second sign agree."""
    if seen.std > limits["large"]:
        signs = _second_signs(seen, limits)
        return [f"standard deviation {seen.std:.3g}", *signs] if signs else []
    largest = max(abs(seen.low), abs(seen.high))
    if 0 < seen.std < limits["small"] and largest < limits["quiet"]:
        return [f"standard deviation {seen.std:.3g}", f"no value beyond {largest:.3g}"]
    return []


def _second_signs(seen: InputValues, limits: Limits) -> list[str]:
    apart = _apart(seen)
    signs = {
        f"whole numbers from {seen.low:g} to {seen.high:g}": raw_bytes(seen, limits["byte"]),
        f"mean {seen.mean:.3g}": abs(seen.mean) > limits["offset"] * seen.std,
        f"features whose spreads differ {apart or 0:.0f} times": apart is not None and apart > limits["apart"],
        "beyond any usual scale": seen.std > limits["huge"],
    }
    return [words for words, there in signs.items() if there]


def raw_bytes(seen: InputValues, byte: float) -> bool:
    """Return whether the inputs are bytes as image files hold them."""
    return seen.whole and seen.low >= 0 and seen.high <= byte


def _apart(seen: InputValues) -> float | None:
    low, high = seen.feature_std_low, seen.feature_std_high
    if low is None or high is None or not all_finite(low, high) or low <= 0:
        return None
    return high / low


def _judge(run: Run, seen: InputValues, signs: list[str]) -> Finding:
    bytes_ = seen.std > 10 and raw_bytes(seen, 255.0)
    divide = Remedy("divide the images by 255, then subtract their mean and divide by their spread")
    return unnormalized_input.finding(
        f"inputs enter the network unscaled: {', '.join(signs)}{at(seen.site)}",
        confidence=0.95 if len(signs) > 2 or bytes_ else 0.75,
        evidence={
            "mean": seen.mean,
            "std": seen.std,
            "low": seen.low,
            "high": seen.high,
            "feature_std_low": finite(seen.feature_std_low),
            "feature_std_high": finite(seen.feature_std_high),
        },
        where=site_where(seen.site),
        cause="images as stored, from 0 to 255" if bytes_ else "columns in the units of their source",
        remedies=(*((divide,) if bytes_ else ()), *prescribed(run, *REMEDIES)),
    )
