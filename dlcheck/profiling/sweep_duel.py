"""Two settings against each other: few steps for the hopeless, more for those that are close."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from dlcheck.profiling.paired import Ratio, paired_ratio
from dlcheck.profiling.sweep_lane import BLOCK_S, Lane, Lanes

SHARES = (0.5, 1.0, 2.0)
"""Length of the blocks of each round, in ``BLOCK_S``: successive halving, where each round doubles what it costs."""
HOPELESS = 0.4
"""A challenger that is this slow in its very first pair of blocks is not looked at again."""
LIKELY = 0.8
"""Confidence of the intervals by which a duel ends early."""
CLEAR = 0.15
"""A gain beyond this share ends a duel as soon as it is likely; confirmation comes later."""
LOOKS = (4, 6, 10, 16)
"""Pairs of blocks after which a confirmation may end; the error that is allowed is shared out among the looks."""
NARROW = 0.08
"""A gain that is sure at the first look is measured on until the second, unless it is known to about this share."""
HALF = 0.5
"""Of the interval's expected last width: a smaller gain would hardly become sure, and is not measured on."""


@dataclass(slots=True)
class Pairs:
    """Costs of a step of two lanes, from blocks made in turns."""

    first: list[float] = field(default_factory=list)
    second: list[float] = field(default_factory=list)

    def ratio(self, confidence: float = 0.95) -> Ratio:
        """Return how many times as fast the second lane is."""
        return paired_ratio(self.first, self.second, confidence=confidence)


def duel(lanes: Lanes, king: Lane, challenger: Lane, *, left: Callable[[float], bool]) -> Pairs:
    """Measure two settings until it is clear which is faster, or they have been measured often enough.

    Args:
        lanes: That start and end the children.
        king: The best so far.
        challenger: Another setting.
        left: Whether there is time for so many seconds.

    Raises:
        DlcheckError: one of the children died.
    """
    pairs = Pairs()
    for share in SHARES:
        seconds = share * BLOCK_S
        if pairs.first and not left(round_cost(lanes, king, challenger, seconds)):
            break
        make_round(lanes, (king, challenger), pairs, seconds=seconds)
        if _decided(pairs):
            break
    return pairs


def confirm(
    lanes: Lanes,
    present: Lane,
    best: Lane,
    *,
    pairs: Pairs,
    left: Callable[[float], bool],
    block_s: float = BLOCK_S,
) -> Ratio:
    """Measure the present setting and the best one in turns until the gain is sure, or is none, or time is up.

    The interval has 95 % over all looks at it together (Bonferroni), so that looking again cannot make it sure.

    Args:
        lanes: That start and end the children.
        present: The user's setting.
        best: The setting to confirm.
        pairs: Blocks that count already: none, or those of the only setting that was tried.
        left: Whether there is time for so many seconds.
        block_s: Length of a block.

    Raises:
        DlcheckError: one of the children died.
    """
    confidence = 1 - 0.05 / len(LOOKS)
    while len(pairs.first) < LOOKS[-1]:
        if len(pairs.first) in LOOKS and _settled(pairs.ratio(confidence)):
            break
        if len(pairs.first) >= 2 and not left(round_cost(lanes, present, best, block_s)):
            break
        make_round(lanes, (present, best), pairs, seconds=block_s)
    return pairs.ratio(confidence)


def make_round(lanes: Lanes, both: tuple[Lane, Lane], pairs: Pairs, *, seconds: float) -> None:
    """Make two pairs of blocks, the second in reverse order: a steady drift of the machine cancels."""
    first, second = both
    one, other = lanes.block(first, seconds), lanes.block(second, seconds)
    pairs.first.append(one)
    pairs.second.append(other)
    if len(pairs.first) == 1 and one / other < HOPELESS:
        return
    other, one = lanes.block(second, seconds), lanes.block(first, seconds)
    pairs.first.append(one)
    pairs.second.append(other)


def round_cost(lanes: Lanes, first: Lane, second: Lane, seconds: float) -> float:
    """Return the seconds that a round is expected to take, children that must be started included."""
    starts = sum(lanes.start_s for lane in (first, second) if lane.trial is None)
    return starts + blocks_cost(lanes, first, second, seconds)


def blocks_cost(lanes: Lanes, first: Lane, second: Lane, seconds: float) -> float:
    """Return the same for children that are alive."""
    return 2 * (lanes.block_cost(first, seconds) + lanes.block_cost(second, seconds))


def _decided(pairs: Pairs) -> bool:
    likely = pairs.ratio(LIKELY)
    if likely.pairs == 1:  # hopeless
        return True
    if likely.slower:  # a second round tells it for sure, where the first does not
        return pairs.ratio().slower or likely.pairs >= LOOKS[0]
    return likely.faster and likely.value - 1 > CLEAR


def _settled(ratio: Ratio) -> bool:
    if ratio.faster:
        return ratio.width <= NARROW or ratio.pairs >= LOOKS[1]
    last = ratio.width * math.sqrt(ratio.pairs / LOOKS[-1])
    return ratio.slower or (ratio.pairs >= LOOKS[1] and math.log(ratio.value) < HALF * last)
