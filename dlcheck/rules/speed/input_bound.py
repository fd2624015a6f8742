"""P501."""

from collections.abc import Iterator

from dlcheck.findings import Finding, Remedy, Severity
from dlcheck.rules.remedy import patched
from dlcheck.rules.rule import Limits, rule
from dlcheck.rules.site import at, finite, site_where
from dlcheck.rules.speed.judging import confidence, judged, numbers, promise, severity
from dlcheck.rules.speed.limits import thresholds
from dlcheck.rules.speed.loading import has_headroom, making_s
from dlcheck.rules.speed.picture import Picture, picture
from dlcheck.rules.speed.settings import swept_remedies
from dlcheck.rules.speed.stall import Stall, input_stall
from dlcheck.runs import Run

_TO_DO = {
    "fetch-io": "read from a faster disk, pack many small files into few large ones, or keep the data in memory",
    "decode": "store samples smaller or already decoded, or keep them decoded in memory",
    "collate": "collate with torch.stack on tensors of equal shape, or index a whole batch at once (__getitems__)",
    "augment": "transform the whole batch on the device, or with fewer and vectorised operations",
    "straggler": "find the slow samples (huge files, retries) and store them like the others; or in_order=False",
    "transport": "hand over fewer bytes: uint8 rather than float32, converted on the device; or larger prefetch",
    "not-overlapped": "load in worker processes, so that loading and computing go on at the same time",
    "loader": "time what the loader does: it is another's, and its parts could not be seen",
}


@rule(
    "P501",
    "input-bound",
    Severity.WARNING,
    needs=("step_times", "loader_times"),
    thresholds=thresholds(
        "warn", "share", "note", "floor_ms", "agree", "keeps_up", "late", "headroom", "slow", "working", "stuck"
    ),
    references=(
        "Mohan et al. 2021, Analyzing and Mitigating Data Stalls in DNN Training, arXiv:2007.06775",
        "Murray et al. 2021, tf.data: A Machine Learning Data Processing Framework, VLDB 14(12)",
    ),
)
def input_bound(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find a training that waits for its data, and what in the loading takes the time.

    What it finds:
        Steps that wait for batches, or make them in the main process while nothing else runs. A warning where a
        second signal agrees: the same training on batches that are there already is faster, or the loader's own
        times show that it cannot keep up. The cause is the largest part of making a batch: reading (the disk),
        decoding, one named transform, collating, transforms of the whole batch, a few very slow samples, or the
        hand-over from the workers.
    Why it matters:
        Whatever the device could do, it does nothing meanwhile. The ceiling says how fast the run would be.
    What to do:
        Take the loader's setting that the sweep measured to be best; then mend the part that takes the time.
    Limits:
        Steps that are short in any case are not judged. Of a foreign loader only its __next__ is timed, and
        the parts stay unknown. Where other programs keep the machine busy, the rule does not judge.
    Thresholds:
        warn: Share of the time, from which it is a warning.
        share: Share from which it is what the training is bound by.
        note: Share from which it is told at all.
        floor_ms: Milliseconds a step that it must cost.
        agree: Part of the promised gain that the run on ready batches must show for sure.
        keeps_up: Time to make a batch, by workers, relative to the rest of the step, below which it keeps up.
        late: Share of batches asked for before they were ready.
        headroom: Speed of the loader alone over that of the training without loading, from which it keeps up.
        slow: Share of fetching in very slow samples, from which these are the cause.
        working: Share of fetching spent at work, below which the disk is the cause.
        stuck: Share of the wait between a batch being ready and its arrival, from which that is the cause.
    Sources:
        Mohan et al. 2021, arXiv:2007.06775; Murray et al. 2021, VLDB 14(12); thresholds in use elsewhere as told.
    """
    seen = picture(run)
    stall = judged(seen, input_stall, limits, "note")
    if stall is not None:
        yield _finding(run, seen, stall, limits)


def _denial(seen: Picture, stall: Stall, limits: Limits) -> str:
    if has_headroom(seen, limits):
        return "; but the loader alone is fast enough, so that what costs is taking ready batches from the workers"
    if stall.gain.measured:
        return "; batches that are there already do not make it faster"
    return "; the loader's own times do not explain it"


def _finding(run: Run, seen: Picture, stall: Stall, limits: Limits) -> Finding:
    loader = seen.loader
    workers = loader.workers if loader is not None else 0
    who = "in the main process" if workers <= 0 else f"in {workers} worker{'s' if workers > 1 else ''}"
    jitter = _denial(seen, stall, limits) if stall.denied else ""
    return input_bound.finding(
        f"{stall.share.value:.0%} of the time goes into waiting for data, most of it into {stall.words}, {who}"
        f"{at(stall.site)}{jitter or f': {promise(stall)}'}",
        severity=severity(stall, limits, "warn"),
        confidence=confidence(stall, seen),
        evidence=numbers(stall, seen)
        | {
            "cause": stall.cause,
            "workers": workers,
            "batch_s": finite(making_s(loader)),
            "fetch_s": finite(loader.fetch_s) if loader is not None else None,
            "collate_s": finite(loader.collate_s) if loader is not None else None,
            "late_share": finite(loader.late_share) if loader is not None else None,
        },
        where=site_where(stall.site),
        cause=f"{stall.words}, {who}",
        remedies=(*swept_remedies(run), *_remedies(run, seen, stall)),
    )


def _remedies(run: Run, seen: Picture, stall: Stall) -> tuple[Remedy, ...]:
    if stall.cause.startswith("transform:"):
        name = stall.cause.partition(":")[2]
        own = Remedy(f"make {name} cheaper, do it once and store the result, or do it on the device")
    else:
        own = Remedy(_TO_DO.get(stall.cause, _TO_DO["loader"]))
    if seen.loader is not None and seen.loader.kind == "main" and stall.cause != "not-overlapped":
        return (patched(run, _TO_DO["not-overlapped"], {"data.workers": 2}), own)
    return (own,)
