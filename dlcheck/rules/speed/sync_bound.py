"""P504."""

from collections.abc import Iterator

from dlcheck.findings import Finding, Remedy, Severity
from dlcheck.rules.rule import Limits, rule
from dlcheck.rules.site import at, finite, site_where
from dlcheck.rules.speed.judging import confidence, judged, numbers, refuse_cpu, severity
from dlcheck.rules.speed.limits import thresholds
from dlcheck.rules.speed.picture import Picture, picture
from dlcheck.rules.speed.stall import Stall, sync_stall
from dlcheck.runs import Run


@rule(
    "P504",
    "sync-bound",
    Severity.WARNING,
    needs=("step_times",),
    thresholds=thresholds("share", "floor_ms", "idle"),
    references=(
        "PyTorch documentation, Performance Tuning Guide (avoid unnecessary CPU-GPU synchronization)",
        "PyTorch documentation, torch.cuda.set_sync_debug_mode",
    ),
)
def sync_bound(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find a host that waits for the device in every step, so that the device then waits for the host.

    What it finds:
        Time for which the host was blocked at .item(), .cpu() or a copy from pageable memory, as far as the
        device had nothing to do in the step. A warning where events on the device say how long that was.
    Why it matters:
        The host can prepare the next step only after this one has ended; the device runs dry meanwhile.
    What to do:
        Keep losses and metrics on the device, and read them every hundred steps; avoid tests of tensors in
        Python; copy with non_blocking=True from pinned memory.
    Limits:
        A wait while the device computes costs nothing and does not count. PyTorch reports most, not all
        operations that synchronise.
    Thresholds:
        share: Share of the time.
        floor_ms: Milliseconds a step that it must cost.
        idle: Share of the time for which the device must have had nothing to do.
    Sources:
        PyTorch documentation, Performance Tuning Guide; thresholds in use elsewhere as told.
    """
    seen = picture(run)
    refuse_cpu(seen, "syncs", seen.syncs)
    stall = judged(seen, sync_stall, limits)
    if stall is not None:
        yield _finding(seen, stall, limits)


def _finding(seen: Picture, stall: Stall, limits: Limits) -> Finding:
    points = seen.syncs.points if seen.syncs is not None else ()
    return sync_bound.finding(
        f"{stall.share.value:.0%} of the time goes into {stall.words}{at(stall.site)}",
        severity=severity(stall, limits),
        confidence=confidence(stall, seen),
        evidence=numbers(stall, seen)
        | {
            "what": stall.cause,
            "blocked_share": finite(seen.syncs.share) if seen.syncs is not None else None,
            "places": len(points),
            "per_step": finite(max((point.per_step for point in points), default=0.0)),
        },
        where=site_where(stall.site),
        cause="a value of the device is asked for in every step",
        remedies=(
            Remedy("keep the value on the device, and read it every hundred steps"),
            Remedy("copy with non_blocking=True, and ask for values only after the next step has begun"),
        ),
    )
