"""Where numbers stopped being numbers, found by replaying the step under detection."""

from dataclasses import dataclass
from typing import ClassVar

from dlcheck.runs.facts.fact import Fact, Site


@dataclass(frozen=True, slots=True)
class NonFinite(Fact):
    """The first non-finite value inside a step (G301, G317)."""

    NAME: ClassVar[str] = "nonfinite"
    step: int
    """Step at which it was first seen."""
    kind: str
    """What it was first seen in: ``loss``, ``gradient``, ``input``, ``weight``, ``activation``."""
    loss: float | None
    """Of that step; finite when only the gradient was not."""
    module: str = ""
    """First module whose output was not finite while its input was; empty: outside of all modules."""
    module_type: str = ""
    operation: str = ""
    """Operation that made it of finite numbers: ``log``, ``sqrt``, ``div``, ``exp``, ``mul``, …; empty: not found."""
    undefined: str = ""
    """What was undefined about it, in words: ``logarithm of 0``, ``square root at 0``, ``0/0``, ``norm of a zero
    vector``, ``softmax of a fully masked row``; empty when it overflowed or is not known.
    """
    backward: bool = False
    """It arose in the backward pass."""
    rows: tuple[int, ...] = ()
    """At most 10 rows of the batch in which it arose."""
    values: tuple[float, ...] = ()
    """At most 10 of the numbers that went into the operation there."""
    input_nonfinite: bool = False
    """The batch itself held non-finite values."""
    weight_nonfinite: bool = False
    """Weights already were non-finite before the step."""
    overflow: bool = False
    """Finite numbers too large for their type (half precision, exp, a diverging net)."""
    replayed: bool = False
    """The step was computed again under detection; False: read from what was left of it."""
    reproduced: bool = False
    """The replay gave the same."""
    largest_weight: float | None = None
    """Largest absolute weight before that step."""
    gradient_norm_before: float | None = None
    """Of the last step that was finite, where known."""
    skipped_by_scaler: bool = False
    """A gradient scaler skipped the step: expected now and then."""
    site: Site | None = None
    """Line of the user's code where the operation was called, else of the ``backward`` call."""
