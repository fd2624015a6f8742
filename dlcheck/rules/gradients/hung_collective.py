"""G321."""

from collections.abc import Iterator, Sequence

from dlcheck.findings import Finding, Remedy, Severity
from dlcheck.rules.ranks import ALIKE, is_late, named, stands
from dlcheck.rules.rule import Limits, Threshold, Unchecked, measured, rule
from dlcheck.rules.site import at, finite, listed, site_where
from dlcheck.runs import Run
from dlcheck.runs.facts import Ranks, RankState

APART = Remedy("take work of one rank alone out of the way of the others, or give the group a longer timeout for it")
NETWORK = Remedy(
    "look at the network between the hosts: a firewall, the interface (GLOO_SOCKET_IFNAME, NCCL_SOCKET_IFNAME)"
)


@rule(
    "G321",
    "hung-collective",
    Severity.ERROR,
    needs=("ranks",),
    thresholds={
        "wait_s": Threshold(600.0, "the time limit that PyTorch gives NCCL's groups (init_process_group, timeout)"),
    },
    references=(
        "PyTorch documentation, torch.distributed.init_process_group (timeout)",
        "Li et al. 2020, PyTorch Distributed, arXiv:2006.15704",
    ),
)
def hung_collective(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find ranks that wait in a collective call to which another rank does not come.

    What it finds:
        Ranks that stood in one call of torch.distributed, or in a backward pass that averages gradients, until a
        time limit ended them, and where the ranks that did not come stood meanwhile.
    Why it matters:
        Nothing is trained any more, and all devices stay taken; the error at the end, if any, names the rank
        that waited rather than the one that was missed.
    What to do:
        Look at the line of the rank that never came: work of its own that takes too long, a loop that never ends,
        another collective call, or a branch that left this one out.
    Limits:
        A rank's place is a look at its main thread once a second. With NCCL a call returns at once, and the wait
        shows where the device is next asked for a value. Ranks that are not watched are not seen.
    Thresholds:
        wait_s: Seconds in one call, where no limit of the script's or of --collective-timeout ended it before.
    Sources:
        PyTorch documentation, init_process_group; Li et al. 2020, arXiv:2006.15704 (same calls in the same order).
    """
    found = measured(run, Ranks)
    if found.size < 2 or len(found.states) < 2:
        raise Unchecked("only one rank was watched", "torchrun … -m dlcheck watch SCRIPT")
    late = [one for one in found.states if is_late(one, limits["wait_s"])]
    if late:
        yield _finding(found, max(late, key=lambda one: one.since_s), limits["wait_s"])


def _finding(found: Ranks, longest: RankState, wait_s: float) -> Finding:
    together = [one for one in found.states if (one.call, one.site) == (longest.call, longest.site)]
    missing = [one for one in found.states if one not in together]
    unheard = found.size - len(found.states)
    where = f"{longest.call or 'a collective call'}{at(longest.site)}"
    words = [f"{named(missing)} never came: {listed([_instead(one) for one in missing])}"] if missing else []
    if unheard:
        words.append(f"nothing is known of {unheard} ranks that were not watched")
    if not words:
        words.append("all of them came: what is cut is the way between them")
    return hung_collective.finding(
        f"{named(together)} of {found.size} waited {longest.since_s:.0f} s in {where} after step {longest.step}; "
        + "; ".join(words),
        confidence=0.95 if missing else 0.8,
        evidence={
            "waiting": len(together),
            "ranks": found.size,
            "waited_s": finite(round(longest.since_s, 1)),
            "call": longest.call,
            "step": longest.step,
            "missing_rank": missing[0].rank if missing else None,
            "missing_at": stands(missing[0]) if missing else "",
            "missing_step": missing[0].step if missing else None,
        },
        where=site_where(longest.site, step=longest.step),
        cause=_cause(missing),
        remedies=(ALIKE, APART) if missing else (NETWORK, ALIKE),
    )


def _instead(state: RankState) -> str:
    """Return where a rank that did not come was instead."""
    if state.ending in ("finished", "exit", "exception"):
        return f"it ended after step {state.step}"
    return f"it was {stands(state)} after step {state.step}".replace("  ", " ")


def _cause(missing: Sequence[RankState]) -> str:
    if not missing:
        return "a connection between the hosts that is cut or blocked"
    if any(one.call for one in missing):
        return "ranks that make different collective calls"
    return "a rank that does something else, or has left this call out"
