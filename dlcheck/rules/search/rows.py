"""A study's trials as the rules see them: what may be ranked, and where a value lies in its range."""

import math
from collections.abc import Sequence

from dlcheck.rules.statistics import all_finite
from dlcheck.runs.facts import SearchParameter, SearchStudy, SearchTrial

WHOLE = ("int", "pow2")
LARGEST = 1e100
"""Values beyond count as this, so that their squares and sums stay finite."""

MOST_LOG = 700.0
"""The exponential of more overflows."""


def usable(study: SearchStudy) -> list[SearchTrial]:
    """Return the trials that finished with a finite value, in the order of their numbers."""
    kept = [trial for trial in study.trials if trial.ending == "ok" and all_finite(trial.value)]
    return sorted(kept, key=lambda trial: trial.number)


def reached(study: SearchStudy, trial: SearchTrial) -> float:
    """Return a usable trial's value with its sign turned where large is good: small is good."""
    value = min(max(trial.value if trial.value is not None else LARGEST, -LARGEST), LARGEST)
    return value if study.minimize else -value


def ranked(study: SearchStudy) -> list[SearchTrial]:
    """Return the usable trials, the best first."""
    return sorted(usable(study), key=lambda trial: reached(study, trial))


def number_of(trial: SearchTrial, name: str) -> float | None:
    """Return what a trial set a parameter to; None for choices and where it was not active."""
    return next((item.number for item in trial.params if item.name == name), None)


def text_of(trial: SearchTrial, name: str) -> str | None:
    """Return the choice that a trial made; None where it made none."""
    return next((item.text for item in trial.params if item.name == name and item.number is None), None)


def ranges(study: SearchStudy) -> list[SearchParameter]:
    """Return the parameters that are ranges with two different ends."""
    return [item for item in study.parameters if place(item, item.low) == 0.0 and place(item, item.high) == 1.0]


def place(parameter: SearchParameter, value: float | None) -> float | None:
    """Return where a value lies in a range, 0 at its lower end and 1 at its upper, on the scale it is drawn from.

    None without a value, for choices, and for what that scale cannot show.
    """
    ends = [_along(parameter, end) for end in (parameter.low, parameter.high, value)]
    low, high, at = ends
    if low is None or high is None or at is None or low >= high:
        return None
    share = (at / 2 - low / 2) / (high / 2 - low / 2)
    return share if math.isfinite(share) else None


def value_at(parameter: SearchParameter, share: float) -> float | None:
    """Return the value at a place of a range, which may lie beyond its ends; the reverse of ``place``."""
    low, high = _along(parameter, parameter.low), _along(parameter, parameter.high)
    if low is None or high is None:
        return None
    value = _back(parameter, low + share * (high - low))
    return value if math.isfinite(value) else None


def rounded(value: float, digits: int = 2) -> float:
    """Return a value to so many digits."""
    return float(f"{value:.{digits}g}")


def range_patch(parameter: SearchParameter, ends: Sequence[float], study: SearchStudy) -> dict[str, object]:
    """Return the patch of ``[search]`` that gives a parameter another range.

    Empty for one that is searched under a condition only, since a patch would drop the condition.
    """
    if parameter.when or [item.path for item in study.parameters].count(parameter.path) > 1:
        return {}
    low, high = ends
    written: list[object] = [low, high]
    if parameter.kind in WHOLE:
        written = [round(low), round(high)]
    elif parameter.kind == "times" and parameter.base:
        written = [rounded(low / parameter.base), rounded(high / parameter.base)]
    key = f"search.{parameter.path}"
    patch: dict[str, object] = {f"{key}.{parameter.kind}": written}
    if parameter.log and parameter.kind in ("int", "float"):
        patch[f"{key}.log"] = True
    if parameter.or_zero:
        patch[f"{key}.or_zero"] = True
    return patch


def told(value: float) -> str:
    """Return a value of a parameter as people read it."""
    return f"{value:.3g}"


def _logarithmic(parameter: SearchParameter) -> bool:
    return parameter.log or parameter.kind in ("log", "times", "pow2")


def _back(parameter: SearchParameter, at: float) -> float:
    if parameter.kind == "near_one":
        return 1.0 - math.exp(min(-at, MOST_LOG))
    return math.exp(min(at, MOST_LOG)) if _logarithmic(parameter) else at


def _along(parameter: SearchParameter, value: float | None) -> float | None:
    if value is None or not math.isfinite(value):
        return None
    if parameter.kind == "choice":
        return None
    if parameter.kind == "near_one":
        return -math.log(1.0 - value) if value < 1 else None
    if _logarithmic(parameter):
        return math.log(value) if value > 0 else None
    return value
