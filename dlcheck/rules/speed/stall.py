"""What may hold a training up, each weighed alike: its share of the time, its cost, and what a second signal says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dlcheck.rules.rule import Limits
from dlcheck.rules.speed.busy import MOST_QUEUE, Span, contended, span
from dlcheck.rules.speed.gain import Gain, agreement, promised, without_copies, without_loading
from dlcheck.rules.speed.loading import has_headroom, keeps_up, loading_cause, making_s
from dlcheck.rules.speed.picture import LOADING, MOST_S, Picture, sound
from dlcheck.runs.facts import Site

Kind = Literal["input", "copy", "launch", "sync", "startup", "cpu", "gap", "compute", "inconclusive"]


MODEL_ERROR = 0.1
"""By which the share that a calm machine would show may be too large: seen on a loader that made nobody wait."""


@dataclass(frozen=True, slots=True)
class Stall:
    """Something that holds a training up."""

    kind: Kind
    cause: str
    share: Span
    """Of all time."""
    seconds: float
    """A step."""
    agreed: bool
    """A second signal says the same."""
    denied: bool
    """A second signal says otherwise."""
    gain: Gain
    words: str
    """What takes the time, to be put after a verb."""
    site: Site | None = None
    known: bool = True
    """The cause was measured, and not merely what is left."""


def input_stall(seen: Picture, limits: Limits) -> Stall | None:
    """Return the wait for batches and the main process's own work for them; None where too little to speak of."""
    share = seen.lost(seen.share(*LOADING))
    stall = _loading_span(seen, share, limits)
    if stall.high < limits["note"] or stall.high * seen.period_s * 1e3 < limits["floor_ms"]:
        return None
    cause = loading_cause(seen, limits)
    measured = without_loading(seen)
    agrees = agreement(measured, stall, limits)
    slow, spare = _slow(seen, cause.cause, limits), has_headroom(seen, limits)
    if cause.cause == "transport" and contended(seen, limits):
        agrees = slow = False  # the thread that hands batches over waits for a core as all others do
    return Stall(
        "input",
        cause.cause,
        stall,
        share * seen.period_s,
        agreed=not spare and (agrees is True or (agrees is None and slow is True)),
        denied=spare or agrees is False or (agrees is None and slow is False),
        gain=measured or promised(stall),
        words=cause.words,
        site=cause.site,
        known=cause.known,
    )


def _loading_span(seen: Picture, share: float, limits: Limits) -> Span:
    """Return the share of loading; on a busy machine between what was seen and what a calm one would show.

    Other programs may have slowed the computation and so hidden a slow loader, or slowed the workers.
    """
    calm = sound(seen.steps.calm_wait_share, 1.0)
    if calm is not None and contended(seen, limits):
        calm = seen.lost(calm)
        return Span(share, max(0.0, min(share, calm) - MODEL_ERROR), max(share, calm))
    found, making, cpu = span(seen, share, limits), making_s(seen.loader), seen.cpu
    if not contended(seen, limits) or making is None or cpu is None or seen.loader is None or seen.loader.workers <= 0:
        return found
    main, workers = (sound(queue, MOST_QUEUE) or 0.0 for queue in (cpu.main_queue_share, cpu.worker_queue_share))
    needs = max(0.1, 1 - seen.share(*LOADING) - main) * seen.period_s
    makes = making * (1 - workers) / seen.loader.workers
    hidden = max(0.0, 1 - needs / makes) if makes > 0 else 0.0
    return Span(found.value, min(found.low, hidden), max(found.high, hidden))


def startup_stall(seen: Picture, limits: Limits) -> Stall | None:
    """Return what epochs cost before their first batch is there, beyond making that; None where little."""
    first, steps = sound(seen.steps.epoch_start_s, MOST_S), seen.steps
    if not first or steps.epoch_starts < 1:
        return None
    usual = making_s(seen.loader) or seen.share(*LOADING) * seen.period_s
    beyond = max(0.0, first - usual)
    shares = []
    if (whole := sound(steps.startup_share, 1.0)) is not None:
        shares.append(whole)
    if steps.steps_per_epoch is not None and steps.steps_per_epoch > 0:
        shares.append(beyond / (first + steps.steps_per_epoch * seen.period_s))
    if not shares:
        return None
    share = _overall(min(shares), seen, limits, beyond / max(steps.steps_per_epoch or 1, 1))
    if share is None:
        return None
    several = steps.epoch_starts >= 2
    words = "starting the loader at the beginning of every epoch"
    seconds = beyond / max(steps.steps_per_epoch or 1, 1)
    site = seen.loader.loader_site if seen.loader is not None else None
    return Stall("startup", "startup", share, seconds, several, False, promised(share), words, site)


def copy_stall(seen: Picture, limits: Limits) -> Stall | None:
    """Return copies to the device during which nothing else goes on; None on a CPU, or where little."""
    if seen.on_cpu:
        return None
    transfers = seen.transfers
    seconds = sound(transfers.seconds, MOST_S) if transfers is not None else None
    own = min(1.0, seconds / seen.period_s) if seconds is not None else seen.shares["copy"]
    share = _span(seen, seen.lost(own), limits, limits["share"])
    if share is None:
        return None
    agrees = agreement(without_copies(seen), share, limits)
    unpinned = transfers is not None and transfers.pinned is False
    words = "copying batches from pageable memory to the device" if unpinned else "copying batches to the device"
    cost = share.value * seen.period_s
    gain = without_copies(seen) or promised(share)
    cause = "unpinned" if unpinned else "transfer"
    agreed = agrees is True or (agrees is None and unpinned)
    return Stall("copy", cause, share, cost, agreed, agrees is False, gain, words)


def sync_stall(seen: Picture, limits: Limits) -> Stall | None:
    """Return waits of the host for the device, after which that had nothing to do; None where little."""
    blocked = sound(seen.syncs.share, 1.0) if seen.syncs is not None else None
    if seen.on_cpu or seen.syncs is None or blocked is None:
        return None
    share = _span(seen, seen.lost(blocked), limits, limits["share"])
    idle = seen.busy is not None
    if share is None or (seen.busy is not None and 1 - seen.busy < limits["idle"]):
        return None
    points = sorted(seen.syncs.points, key=lambda point: -(sound(point.seconds, MOST_S) or 0.0))
    what, site = (points[0].what, points[0].site) if points else ("a synchronisation", None)
    words = f"{what}, at which the host waits for the device"
    return Stall("sync", what or "sync", share, share.value * seen.period_s, idle, False, promised(share), words, site)


def launch_stall(seen: Picture, limits: Limits) -> Stall | None:
    """Return the time in which the device had nothing to do for small kernels; None where little or hidden."""
    launches, idle = seen.launches, sound(seen.launches.idle_share, 1.0) if seen.launches is not None else None
    if seen.on_cpu or launches is None or idle is None or idle < limits["idle"]:
        return None
    if seen.lost(seen.share(*LOADING)) >= limits["share"] or sync_stall(seen, limits) is not None:
        return None
    busy = seen.busy
    within = seen.share("forward", "backward") if busy is None else busy / max(1 - idle, 1e-6)
    share = _span(seen, min(1.0, idle * within), limits, limits["share"])
    if share is None:
        return None
    growth, kernel = launches.doubled_growth, sound(launches.kernel_s, MOST_S)
    small = kernel is not None and kernel * 1e6 <= limits["kernel_us"]
    grew = growth is not None and growth == growth  # NaN is no measurement
    free = grew and growth is not None and growth < limits["growth"]
    words = "launching kernels that are shorter than their launch" if small else "launching kernels one by one"
    return Stall(
        "launch",
        "launch",
        share,
        share.value * seen.period_s,
        agreed=free if grew else small,
        denied=grew and not free,
        gain=promised(share),
        words=words,
    )


def gap_stall(seen: Picture, limits: Limits) -> Stall | None:
    """Return the time of a step that neither loads nor computes; None where little."""
    inside, outside = (seen.lost(seen.shares[name]) for name in ("inside", "outside"))
    share = _span(seen, seen.lost(inside + outside), limits, limits["share"])
    if share is None:
        return None
    site = seen.steps.gap_site
    within = inside > outside
    words = (
        "work between the batch and the end of the step that is no part of the computation"
        if within
        else "work after the step, before the next batch is asked for"
    )
    cause = "inside-step" if within else "outside-step"
    cost = share.value * seen.period_s
    return Stall("gap", cause, share, cost, site is not None, False, promised(share), words, site, site is not None)


def optimizer_stall(seen: Picture, limits: Limits) -> Stall | None:
    """Return an optimizer whose step takes more than its part; None where it does not."""
    own = seen.shares["optimizer"]
    share = _span(seen, own, limits, limits["optimizer_share"])
    if share is None:
        return None
    # The rest of the step's computing stays, and an optimizer of its usual cost with it.
    without = Span(*(max(0.0, part - seen.share("forward", "backward") / 3) for part in (own, share.low, share.high)))
    ratio = traffic_ratio(seen)
    agreed = ratio is not None and ratio >= limits["traffic"]
    words = f"the step of {seen.steps.optimizer or 'the optimizer'}"
    denied = ratio is not None and not agreed
    return Stall("compute", "optimizer", share, own * seen.period_s, agreed, denied, promised(without), words)


def traffic_ratio(seen: Picture) -> float | None:
    """Return the optimizer's time over that of Adam's memory traffic, None where the machine was not measured.

    Adam reads parameters, gradients and two moments, and writes all but the gradients: 7 passes over the parameters.
    """
    bandwidth = sound(seen.device.device.bandwidth) if seen.device is not None else None
    parameters = sound(seen.memory.parameters) if seen.memory is not None else None
    if not bandwidth or not parameters:
        return None
    ratio = seen.shares["optimizer"] * seen.period_s * bandwidth / (7 * parameters)
    return sound(ratio)


def _slow(seen: Picture, cause: str, limits: Limits) -> bool | None:
    """Return whether the loader's own times say that it cannot keep up, None where they are not known."""
    late = sound(seen.loader.late_share, 1.0) if seen.loader is not None else None
    enough = keeps_up(seen, limits)
    if cause in ("straggler", "transport") or enough is False:
        return True
    if late is None:
        return None if enough is None else False
    return late >= limits["late"]


def _overall(share: float, seen: Picture, limits: Limits, seconds: float) -> Span | None:
    found = span(seen, share, limits)
    return None if found.high < limits["share"] or seconds * 1e3 < limits["floor_ms"] else found


def _span(seen: Picture, share: float, limits: Limits, least: float) -> Span | None:
    """Return a share as it may be on a calm machine, None where it or its cost is too small in any case."""
    found = span(seen, share, limits)
    return None if found.high < least or share * seen.period_s * 1e3 < limits["floor_ms"] else found
