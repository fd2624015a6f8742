"""P512."""

from collections.abc import Iterator

from dlcheck.findings import Finding, Remedy, Severity
from dlcheck.rules.rule import Limits, measured, rule
from dlcheck.rules.site import finite, site_where
from dlcheck.rules.speed.limits import thresholds
from dlcheck.rules.speed.settings import fewer_workers, swept_remedies
from dlcheck.runs import Run
from dlcheck.runs.facts import LoaderSweep, LoaderTimes, fact


@rule(
    "P512",
    "workers-harmful",
    Severity.WARNING,
    needs=("loader_sweep",),
    thresholds=thresholds("fewer"),
    references=(
        "PyTorch issue 154318 (DataLoader with workers slower on data in memory)",
        "PyTorch documentation, torch.utils.data (multi-process data loading)",
    ),
)
def workers_harmful(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find workers of a loader that make the training slower.

    What it finds:
        A sweep that measured, in turns, that fewer workers (or none) are faster: the whole 95 % interval of the
        gain lies above the threshold.
    Why it matters:
        Handing a batch over costs more than making it where samples are cheap, as those that are in memory;
        and workers take cores from the computation.
    What to do:
        Use the setting that was measured to be best. For data in memory, index whole batches.
    Limits:
        It holds for this machine, with what ran on it.
    Thresholds:
        fewer: Lower end of the interval of the gain.
    Sources:
        PyTorch issue 154318; PyTorch documentation, torch.utils.data.
    """
    sweep = measured(run, LoaderSweep)
    found = fewer_workers(sweep, limits["fewer"])
    if found is not None:
        yield _finding(run, sweep, *found)


def _finding(run: Run, sweep: LoaderSweep, now: int, then: int) -> Finding:
    loader = fact(run, LoaderTimes)
    fewer = "without workers" if then == 0 else f"with {then} worker{'s' if then != 1 else ''} rather than {now}"
    gain, low, high = finite(sweep.gain), finite(sweep.gain_low), finite(sweep.gain_high)
    interval = f" (95 % interval {low:.2f} to {high:.2f})" if low is not None and high is not None else ""
    times = f"{gain:.2f} times as fast{interval}" if gain is not None else "faster"
    return workers_harmful.finding(
        f"{fewer} the training is {times}",
        confidence=0.9,
        evidence={"workers": now, "best_workers": then, "gain": gain, "gain_low": low, "gain_high": high},
        where=site_where(loader.loader_site if loader is not None else None),
        cause="handing batches over costs more than making them, or workers take the computation's cores",
        remedies=(
            *swept_remedies(run),
            Remedy("index whole batches of data in memory (__getitems__), which needs no workers"),
        ),
    )
