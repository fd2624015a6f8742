"""P502."""

from collections.abc import Iterator

from dlcheck.findings import Finding, Remedy, Severity
from dlcheck.rules.remedy import patched
from dlcheck.rules.rule import Limits, rule
from dlcheck.rules.site import finite
from dlcheck.rules.speed.judging import confidence, judged, numbers, promise, refuse_cpu, severity
from dlcheck.rules.speed.limits import thresholds
from dlcheck.rules.speed.picture import Picture, picture
from dlcheck.rules.speed.stall import Stall, copy_stall
from dlcheck.runs import Run


@rule(
    "P502",
    "copy-bound",
    Severity.WARNING,
    needs=("step_times",),
    thresholds=thresholds("share", "floor_ms", "agree"),
    references=(
        "PyTorch tutorial, A guide on good usage of non_blocking and pin_memory()",
        "PyTorch documentation, CUDA semantics (use pinned memory buffers)",
    ),
)
def copy_bound(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find a training that waits while batches are copied to the device.

    What it finds:
        Copies during which nothing else goes on. A warning where a second signal agrees: batches that lie on
        the device already make the same training faster, or the copies come from pageable memory, of which
        the driver makes a copy first.
    Why it matters:
        From page-locked memory the copy runs beside the computation, at two to three times the rate.
    What to do:
        Pin the memory in the loader, and copy with non_blocking=True; hand over uint8 rather than float32.
    Limits:
        On a CPU nothing is copied. Copies that run beside the computation cost nothing and do not count.
    Thresholds:
        share: Share of the time.
        floor_ms: Milliseconds a step that it must cost.
        agree: Part of the promised gain that the run on batches on the device must show for sure.
    Sources:
        PyTorch tutorial, A guide on good usage of non_blocking and pin_memory(); thresholds as told.
    """
    seen = picture(run)
    refuse_cpu(seen, "step_times", seen.steps)
    stall = judged(seen, copy_stall, limits)
    if stall is not None:
        yield _finding(run, seen, stall, limits)


def _finding(run: Run, seen: Picture, stall: Stall, limits: Limits) -> Finding:
    sent = seen.transfers
    pin = patched(run, "pin the memory in the loader (pin_memory=True)", {"data.pin_memory": True})
    less = Remedy("hand over fewer bytes: uint8 rather than float32, and convert on the device")
    overlap = Remedy("copy with non_blocking=True from pinned memory, so that it runs beside the computation")
    return copy_bound.finding(
        f"{stall.share.value:.0%} of the time goes into {stall.words}: {promise(stall)}",
        severity=severity(stall, limits),
        confidence=confidence(stall, seen),
        evidence=numbers(stall, seen)
        | {
            "bytes_per_step": finite(sent.bytes) if sent is not None else None,
            "pinned": sent.pinned if sent is not None else None,
            "gb_per_s": finite(sent.gb_per_s) if sent is not None else None,
            "pinned_gb_per_s": finite(sent.pinned_gb_per_s) if sent is not None else None,
        },
        cause="copies from pageable memory" if stall.cause == "unpinned" else "copies that nothing overlaps",
        remedies=(pin, overlap, less) if stall.cause == "unpinned" else (overlap, less),
    )
