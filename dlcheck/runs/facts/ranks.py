"""The processes of one distributed training, as each of them told of itself."""

from dataclasses import dataclass
from typing import ClassVar

from dlcheck.runs.facts.fact import Fact, Site


@dataclass(frozen=True, slots=True)
class RankState:
    """The last that is known of one rank."""

    rank: int
    step: int
    """Optimizer steps that it made."""
    ending: str = ""
    """``finished``, ``exit``, ``exception``, ``signal``, ``timeout`` or ``stopped``; empty: it never said so."""
    detail: str = ""
    """Exception, signal or exit status, in words."""
    host: str = ""
    site: Site | None = None
    """The user's line that ran last, or raised."""
    doing: str = ""
    """What that line was just calling."""
    call: str = ""
    """The collective call it waited in; empty: in none, or not known."""
    since_s: float = 0.0
    """Seconds for which it had been there."""
    silent_s: float = 0.0
    """Seconds without a sign of life when others looked last; 0 where it told its end."""
    alive: bool | None = None
    """Its process was there when others looked last; None: on another host, or nobody looked."""
    ended_s: float | None = None
    """Seconds from the first end of any rank to this one's, by the clocks of their hosts."""


@dataclass(frozen=True, slots=True)
class Ranks(Fact):
    """How the ranks of a distributed training ended, and where they waited (G320, G321)."""

    NAME: ClassVar[str] = "ranks"
    size: int
    """Ranks that the launcher started."""
    states: tuple[RankState, ...]
    """Of those that were heard of."""


@dataclass(frozen=True, slots=True)
class RankPace:
    """How long one rank works in a step before it waits for the others."""

    rank: int
    own_s: tuple[float, ...]
    """Mean of each block of steps, seconds: from one step's reduced gradients to the next step's own gradient."""


@dataclass(frozen=True, slots=True)
class RankTimes(Fact):
    """How long each rank works in a step before it waits for the others (P516)."""

    NAME: ClassVar[str] = "rank_times"
    block: int
    """Steps in a block."""
    period_s: tuple[float, ...]
    """Whole step of the lowest rank, mean of each block."""
    paces: tuple[RankPace, ...]
