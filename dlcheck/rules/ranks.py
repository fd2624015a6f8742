"""The ranks of a distributed training as the rules see them: who ended by itself, who waited, where each stood."""

import re
from collections.abc import Sequence

from dlcheck.findings import Remedy
from dlcheck.rules.site import at, listed
from dlcheck.runs.facts import RankState

MADE_BY_OTHERS = re.compile(
    r"connection (closed|reset|refused)|closed by peer|broken pipe|timed out|timeout|DistNetworkError|DistBackendError"
    r"|recvValue failed|sendBytes failed|failed to recv|remote process|remote worker|NCCL",
    re.IGNORECASE,
)
"""What PyTorch's backends raise in a rank because of another one."""
ALIKE = Remedy("let all ranks make the same collective calls in the same order: none of them under if rank == 0")
LATE = re.compile(r"timed out|timeout", re.IGNORECASE)
ASKED = ("SIGTERM", "SIGINT", "SIGHUP")


def is_gone(state: RankState, silence_s: float) -> bool:
    """Return whether a rank ended without a word, or can no longer be heard."""
    return not state.ending and (state.alive is False or state.silent_s >= silence_s)


def is_consequence(state: RankState) -> bool:
    """Return whether a rank ended because of others: its launcher ended it, or it waited for one that did not come."""
    if state.ending == "exception":
        return bool(state.call) or bool(MADE_BY_OTHERS.search(state.detail))
    return state.ending in ("timeout", "stopped") or (state.ending == "signal" and state.detail in ASKED)


def is_late(state: RankState, wait_s: float) -> bool:
    """Return whether a rank waited in a collective call for longer than may be."""
    if state.ending == "timeout":
        return True
    if state.ending == "exception":
        return bool(state.call) and bool(LATE.search(state.detail))
    return bool(state.call) and state.since_s >= wait_s


def broke(state: RankState) -> bool:
    """Return whether a rank ended by a fault of its own."""
    return state.ending in ("exception", "exit", "signal") and not is_consequence(state)


def named(states: Sequence[RankState]) -> str:
    """Return ``rank 1`` or ``ranks 0, 2 and 3``."""
    return f"rank{'s' if len(states) > 1 else ''} {listed([str(one.rank) for one in states], most=4)}"


def stands(state: RankState) -> str:
    """Return where a rank stood, in words; empty where that is not known."""
    if state.call:
        return f"in {state.call}{at(state.site)}"
    if state.site is None:
        return ""
    return f"in {state.doing}{at(state.site)}" if state.doing else f"there:{at(state.site)}"
