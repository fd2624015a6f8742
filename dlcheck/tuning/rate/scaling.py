"""How the best rate moves with the batch size: measured and fitted, not asserted."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy import stats

from dlcheck.errors import DlcheckError
from dlcheck.recipe import load_recipe
from dlcheck.tuning.rate.find import STEPS, Listener, find_rate
from dlcheck.tuning.rate.found import FoundRate
from dlcheck.tuning.rate.of_recipe import recipe_subject

SEEDS = 2
"""Searches at each batch size, so that their spread says how sure the fit is."""
CONFIDENCE = 0.9
LAWS = {"no change": 0.0, "the square root": 0.5, "proportion": 1.0}
"""Exponents that people assert."""


@dataclass(frozen=True, slots=True)
class Scaling:
    """Best rate of short runs ~ batch size to the power of ``exponent``.

    Fitted at equal numbers of steps: what a whole training of as many epochs makes of it depends on how the best rate
    falls with the number of steps, too, which short runs do not measure.
    """

    found: tuple[FoundRate, ...]
    """One a batch size and seed."""
    exponent: float | None
    """None with fewer than two batch sizes whose rate is known."""
    interval: tuple[float, float] | None
    """Of the exponent, at 90 %; None with fewer than three measurements."""

    @property
    def laws(self) -> tuple[str, ...]:
        """The laws that the interval does not exclude."""
        if self.interval is None:
            return ()
        low, high = self.interval
        return tuple(name for name, power in LAWS.items() if low <= power <= high)

    def as_dict(self) -> dict[str, object]:
        """Return plain values for JSON."""
        return {
            "exponent": self.exponent,
            "interval": None if self.interval is None else list(self.interval),
            "confidence": CONFIDENCE,
            "agrees_with": list(self.laws),
            "measured": [
                {
                    "batch_size": item.batch_size,
                    "seed": item.seed,
                    "rate": item.suggestion,
                    "short_best": item.short_best,
                    "why": item.why or None,
                }
                for item in self.found
            ],
        }


def find_scaling(
    recipe: str,
    sizes: Sequence[int],
    *,
    overrides: Iterable[str] = (),
    device: str = "auto",
    steps: int = STEPS,
    listener: Listener | None = None,
) -> Scaling:
    """Look for the rate at each batch size, the number of epochs staying as it is, and fit a power law.

    Raises:
        DlcheckError: fewer than two sizes, one below 1, or as ``find_rate``.
    """
    if len(set(sizes)) < 2 or min(sizes) < 1:
        raise DlcheckError(
            f"--batch-sizes: needs two or more different sizes from 1 on, as 16,32,64; got {list(sizes)}"
        )
    tell = listener or (lambda words: None)
    found = []
    for size in sorted(set(sizes)):
        changes = [*overrides, f"train.batch_size={size}"]
        first = load_recipe(recipe, changes).recipe.train.seed
        for seed in range(first, first + SEEDS):
            loaded = load_recipe(recipe, [*changes, f"train.seed={seed}"])
            heard = partial(_at, tell, f"batches of {size}, seed {seed}: ")
            found.append(find_rate(recipe_subject(loaded, device), steps=steps, listener=heard))
    return fit_scaling(found)


def _at(tell: Listener, where: str, words: str) -> None:
    tell(where + words)


def fit_scaling(found: Sequence[FoundRate]) -> Scaling:
    """Fit the logarithm of the rate on that of the batch size by least squares; the interval is Student's."""
    known = [
        (math.log(item.batch_size), math.log(item.short_best))
        for item in found
        if item.suggestion is not None and item.short_best is not None
    ]
    x, y = np.array([size for size, _ in known]), np.array([rate for _, rate in known])
    if len(np.unique(x)) < 2:
        return Scaling(tuple(found), None, None)
    slope, offset = np.polyfit(x, y, 1)
    free = len(x) - 2
    if free < 1:
        return Scaling(tuple(found), float(slope), None)
    variance = float(((y - slope * x - offset) ** 2).sum()) / free
    error = math.sqrt(variance / float(((x - x.mean()) ** 2).sum()))
    reach = float(stats.t.ppf((1 + CONFIDENCE) / 2, free)) * error
    return Scaling(tuple(found), float(slope), (float(slope) - reach, float(slope) + reach))


def render_scaling(scaling: Scaling) -> str:
    """Return the table of rates by batch size, and what the fit says, as text."""
    steps = max(item.short_steps for item in scaling.found)
    lines = [f"{'batch size':>10}  {'seed':>4}  {'suggested':>9}  best of runs of {steps} steps"]
    for item in scaling.found:
        if item.suggestion is None or item.short_best is None:
            lines.append(f"{item.batch_size:>10}  {item.seed:>4}  none: {item.why}")
        else:
            lines.append(f"{item.batch_size:>10}  {item.seed:>4}  {item.suggestion:>9.2g}  {item.short_best:.2g}")
    if scaling.exponent is None:
        return "\n".join([*lines, "fit: not possible, fewer than two batch sizes have a rate"]) + "\n"
    text = f"fit: at equal steps, rate ~ batch size to the power {scaling.exponent:.2f}"
    if scaling.interval is None:
        return "\n".join([*lines, f"{text}, without an interval: too few measurements"]) + "\n"
    low, high = scaling.interval
    laws = ", ".join(f"{name} ({LAWS[name]:g})" for name in scaling.laws) or "none of 0, 0.5 and 1"
    return (
        "\n".join([*lines, f"{text} ({CONFIDENCE:.0%} interval {low:.2f} to {high:.2f}); agrees with: {laws}"]) + "\n"
    )
