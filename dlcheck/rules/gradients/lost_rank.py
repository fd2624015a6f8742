"""G320."""

from collections.abc import Iterator, Sequence

from dlcheck.findings import Finding, Remedy, Severity
from dlcheck.rules.ranks import ALIKE, broke, is_consequence, is_gone, named
from dlcheck.rules.rule import Limits, Threshold, Unchecked, measured, rule
from dlcheck.rules.site import at, finite, site_where
from dlcheck.runs import Run
from dlcheck.runs.facts import Ranks, RankState

LOG = Remedy("read what the launcher says of that rank: it is told the signal, and the kernel's log knows of kills")
MEMORY = Remedy("let each rank need less memory: fewer loader workers, smaller caches, fewer ranks on a host")
RESTART = Remedy("write checkpoints, and start with torchrun --max-restarts, so that a lost rank costs minutes")
OWN = Remedy("mend what that rank met: its data, its files and its device are its own")
EVEN = Remedy("give all ranks equally many batches: DistributedSampler, or drop_last where the data are split by hand")
JOIN = Remedy("let ranks that have no more data take part: torch.distributed.algorithms.Join")


@rule(
    "G320",
    "lost-rank",
    Severity.ERROR,
    needs=("ranks",),
    thresholds={
        "silence_s": Threshold(3.5, "a rank gives a sign of life every second; under full load none was 2 s late"),
    },
    references=(
        "PyTorch documentation, torchrun (Elastic Launch): membership changes and failures",
        "Li et al. 2020, PyTorch Distributed, arXiv:2006.15704",
    ),
)
def lost_rank(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find the rank of a distributed training that ended while the others went on or waited for it.

    What it finds:
        A rank that was killed or can no longer be heard, one that ended by an exception or exit status of its
        own, or one that came to its end earlier than the others. The ranks that failed because of it, or that
        the launcher then ended, are not named.
    Why it matters:
        Every step needs all ranks: the training is over, or waits until a time limit ends it, and the errors of
        the ranks that waited hide the one that was the cause.
    What to do:
        For a killed rank look at the host's memory first; for an exception at the line; for an early end at how
        many batches each rank has.
    Limits:
        A killed process says nothing: which signal it was, its launcher knows. A rank on another host is judged
        by its silence alone, and a network that is cut looks the same as a host that is lost. The step is the
        last one that the rank told of, up to a second old.
    Thresholds:
        silence_s: Seconds without a sign of life after which a rank that never said that it ended is lost.
    Sources:
        PyTorch documentation, torchrun; Li et al. 2020, arXiv:2006.15704 (every rank takes part in each step).
    """
    found = measured(run, Ranks)
    if found.size < 2 or len(found.states) < 2:
        raise Unchecked("only one rank was watched", "torchrun … -m dlcheck watch SCRIPT")
    lost = _lost(found.states, limits["silence_s"])
    if lost:
        yield _finding(found, lost, limits["silence_s"])


def _lost(states: Sequence[RankState], silence_s: float) -> list[RankState]:
    """Return the ranks that ended by themselves, the first one first; none where all ended alike."""
    latest = max(one.step for one in states)
    gone = [one for one in states if is_gone(one, silence_s)]
    others = [one for one in states if one not in gone]
    if gone and others and any(one.step < latest or is_consequence(other) for one in gone for other in others):
        return gone
    own = sorted((one for one in states if broke(one)), key=lambda one: one.ended_s or 0.0)
    if own:
        return own[:1] if len(own) < len(states) else []
    done = [one for one in states if one.ending == "finished"]
    waited = [one for one in others if is_consequence(one) and one.ending != "signal"]
    return [one for one in done if any(one.step <= other.step for other in waited)] if not gone else []


def _finding(found: Ranks, lost: list[RankState], silence_s: float) -> Finding:
    first = lost[0]
    gone, early = is_gone(first, silence_s), first.ending == "finished"
    others = [one for one in found.states if one not in lost]
    waiting = sum(is_consequence(one) for one in others)
    return lost_rank.finding(
        f"{named(lost)} of {found.size} {_how(first)} after step {first.step}{' or later' if gone else ''}"
        + (f", and {named(others)} waited" if waiting == len(others) else f", while {named(others)} went on"),
        confidence=0.95 if not gone or first.alive is False else 0.85,
        evidence={
            "rank": first.rank,
            "lost": len(lost),
            "ranks": found.size,
            "step": first.step,
            "last_step_of_others": max((one.step for one in others), default=0),
            "ending": first.ending or "none",
            "detail": first.detail or None,
            "host": first.host or None,
            "silent_s": finite(round(first.silent_s, 1)),
        },
        where=site_where(first.site, step=first.step),
        cause=_cause(first, gone=gone, early=early),
        remedies=_remedies(first, gone=gone, early=early),
    )


def _remedies(state: RankState, *, gone: bool, early: bool) -> tuple[Remedy, ...]:
    if early:
        return EVEN, JOIN
    if not gone:
        return OWN, RESTART
    return (ALIKE, LOG) if state.detail else (LOG, MEMORY, RESTART)


def _how(state: RankState) -> str:
    if state.ending == "finished":
        return "came to its end"
    if state.ending:
        return f"ended with {state.detail[:120]}{at(state.site)}"
    if state.detail:
        return f"was ended by a fault of native code, {state.detail}{at(state.site)},"
    if state.alive is False:
        return "went without a word, as a killed process does,"
    return f"was not heard of for {state.silent_s:.0f} s"


def _cause(state: RankState, *, gone: bool, early: bool) -> str:
    if early:
        return "ranks with different numbers of batches"
    if not gone:
        return "a fault that only this rank met"
    if state.detail:
        return "native code that gave up: gloo does where the collective calls of two ranks do not match"
    if state.alive is False:
        return "a kill from outside (the kernel does so when memory runs out), or os._exit in the script"
    return "a process that was stopped, a host that is lost, or a network that is cut"
