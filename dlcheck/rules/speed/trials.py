"""Other settings of the computation, as words and as keys of a recipe."""

from __future__ import annotations

from dlcheck.rules.speed.picture import sound
from dlcheck.runs.facts import ComputeTrial

MOST_RATIO = 1e6
KEYS = {
    "bf16": ("train.precision", "bf16"),
    "fp16": ("train.precision", "fp16"),
    "channels_last": ("train.channels_last", True),
    "compile": ("train.compile", True),
}
"""Key of the recipe and its value by the trial's name, for those whose value the name tells."""


def key_of(trial: ComputeTrial) -> dict[str, object]:
    """Return the recipe's key that makes the difference; empty where the trial has none."""
    if trial.path and trial.value is not None and trial.path.split(".")[0] in ("train", "data"):
        return {trial.path: trial.value} if trial.name not in KEYS else {KEYS[trial.name][0]: KEYS[trial.name][1]}
    return {}


def shown(trial: ComputeTrial) -> str:
    """Return the gain of a trial as ``1.62 times as fast (95 % interval 1.58 to 1.66)``."""
    ratio, low, high = (sound(value, MOST_RATIO) for value in (trial.ratio, trial.low, trial.high))
    if ratio is None:
        return "faster"
    interval = f" (95 % interval {low:.2f} to {high:.2f})" if low is not None and high is not None else ""
    return f"{ratio:.2f} times as fast{interval}"
