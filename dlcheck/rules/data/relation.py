"""What a simple model says about labels and inputs, and what restores a relation that is missing."""

from dataclasses import dataclass

from dlcheck.rules.rule import Unchecked
from dlcheck.rules.statistics import all_finite
from dlcheck.runs.facts import LabelSignal


@dataclass(frozen=True, slots=True)
class Restored:
    """Another assignment of labels to inputs under which they belong together."""

    words: str
    """What it is, to stand after "with labels"."""
    score: float
    low: float


def checked(seen: LabelSignal) -> LabelSignal:
    """Return the measurement.

    Raises:
        Unchecked: its numbers are none.
    """
    if not all_finite(seen.chance, seen.train_low, seen.train_high, seen.val_low, seen.val_high):
        raise Unchecked("the simple model's scores are no finite numbers")
    return seen


def clear(low: float | None, chance: float, gain: float) -> bool:
    """Return whether a score's lower end is above chance by ``gain`` of what is left up to 1."""
    return low is not None and all_finite(low) and low >= chance + gain * max(0.0, 1.0 - chance)


def restored(seen: LabelSignal, gain: float) -> Restored | None:
    """Return the shift or the order under which labels clearly belong to inputs, where as given they do not."""
    given_low, given_high = _given(seen)
    if given_low > seen.chance:
        return None
    if seen.shift and seen.shift_score is not None and _better(seen, seen.shift_low, given_high, gain):
        side = {"train": "training ", "val": "validation "}.get(seen.shift_split, "")
        words = f"of the {side}samples shifted by {abs(seen.shift)} sample{'s' if abs(seen.shift) > 1 else ''}"
        return Restored(words, seen.shift_score, seen.shift_low or 0.0)
    if seen.reordered_score is not None and _better(seen, seen.reordered_low, given_high, gain):
        return Restored(f"in another order ({seen.order or 'sorted'})", seen.reordered_score, seen.reordered_low or 0.0)
    return None


def _given(seen: LabelSignal) -> tuple[float, float]:
    """Return the interval of what labels as given reach, on the split that would be shifted or sorted."""
    if seen.shift_split == "val":
        return seen.val_low, seen.val_high
    return seen.train_low, seen.train_high


def _better(seen: LabelSignal, low: float | None, given_high: float, gain: float) -> bool:
    return low is not None and low > given_high and clear(low, seen.chance, gain)


def unrelated(seen: LabelSignal) -> bool:
    """Return whether nothing shows that labels tell anything about inputs, in either split."""
    own = seen.val_own_low is not None and seen.val_own_low > seen.chance
    return seen.train_low <= seen.chance and seen.val_low <= seen.chance and not own
