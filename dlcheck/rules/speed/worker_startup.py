"""P505."""

from collections.abc import Iterator

from dlcheck.findings import Finding, Remedy, Severity
from dlcheck.rules.remedy import patched
from dlcheck.rules.rule import Limits, rule
from dlcheck.rules.site import at, finite, site_where
from dlcheck.rules.speed.judging import confidence, judged, numbers, severity
from dlcheck.rules.speed.limits import thresholds
from dlcheck.rules.speed.picture import Picture, picture
from dlcheck.rules.speed.stall import Stall, startup_stall
from dlcheck.runs import Run


@rule(
    "P505",
    "worker-startup",
    Severity.WARNING,
    needs=("step_times",),
    thresholds=thresholds("share", "floor_ms"),
    references=(
        "PyTorch documentation, torch.utils.data.DataLoader (persistent_workers)",
        "PyTorch issue 12831 (DataLoader is slow to begin every epoch)",
    ),
)
def worker_startup(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find epochs that are short beside the time it takes to begin one.

    What it finds:
        The wait for the first batch of an epoch, beyond the making of that batch, as a share of all time. A
        warning where two epochs or more were seen to begin.
    Why it matters:
        Without persistent_workers every epoch starts its workers anew; with the start methods spawn and
        forkserver each of them imports PyTorch and your script again, which takes seconds.
    What to do:
        Set persistent_workers=True; use fewer workers, or none where samples are cheap; make epochs longer, as
        by a sampler that goes over the data several times.
    Limits:
        The very first batch of a run does not count. Long epochs of which no beginning was seen are not judged.
    Thresholds:
        share: Share of the time.
        floor_ms: Milliseconds a step that it must cost, over all steps of an epoch.
    Sources:
        PyTorch documentation, torch.utils.data.DataLoader; thresholds in use elsewhere as told.
    """
    seen = picture(run)
    stall = judged(seen, startup_stall, limits)
    if stall is not None:
        yield _finding(run, seen, stall, limits)


def _finding(run: Run, seen: Picture, stall: Stall, limits: Limits) -> Finding:
    steps, loader = seen.steps, seen.loader
    workers = loader.workers if loader is not None else 0
    first = finite(steps.epoch_start_s) or 0.0
    keep = Remedy("keep the workers from epoch to epoch (persistent_workers=True)")
    fewer = patched(run, "use fewer workers, or none where samples are cheap", {"data.workers": 0})
    longer = Remedy("make epochs longer: go over the data several times in one")
    persistent = loader is not None and loader.persistent
    return worker_startup.finding(
        f"{stall.share.value:.0%} of the time goes into {stall.words}: {first:.3g} s each{at(stall.site)}",
        severity=severity(stall, limits),
        confidence=confidence(stall, seen),
        evidence=numbers(stall, seen)
        | {
            "epoch_start_s": first,
            "epoch_starts": steps.epoch_starts,
            "steps_per_epoch": steps.steps_per_epoch,
            "workers": workers,
            "start_method": loader.start_method if loader is not None else None,
        },
        where=site_where(stall.site),
        cause="workers that are started anew for every epoch" if workers and not persistent else "a slow beginning",
        remedies=(keep, fewer, longer) if workers > 0 and not persistent else (longer,),
    )
