"""P506."""

from collections.abc import Iterator

from dlcheck.findings import Finding, Remedy, Severity
from dlcheck.rules.remedy import patched
from dlcheck.rules.rule import Limits, measured, rule
from dlcheck.rules.site import finite
from dlcheck.rules.speed.crowded import cpu_stall
from dlcheck.rules.speed.judging import confidence, judged, numbers, severity
from dlcheck.rules.speed.limits import thresholds
from dlcheck.rules.speed.picture import Picture, picture
from dlcheck.rules.speed.stall import Stall
from dlcheck.runs import Run
from dlcheck.runs.facts import CpuUse


@rule(
    "P506",
    "cpu-oversubscribed",
    Severity.WARNING,
    needs=("step_times", "cpu_use"),
    thresholds=thresholds("share", "floor_ms", "queue", "calm", "others"),
    references=(
        "PyTorch documentation, CPU threading and TorchScript inference (tuning the number of threads)",
        "PyTorch documentation, torch.utils.data.DataLoader (worker threads are the caller's responsibility)",
    ),
)
def cpu_oversubscribed(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find a training whose own threads and workers get in each other's way.

    What it finds:
        More threads or workers than there are cores (quotas of a container counted), together with time spent
        waiting for a core; or fewer threads that were measured, in turns, to be faster. A warning where two of
        these agree.
    Why it matters:
        Threads that wait for each other stop the whole operation: twice the threads may take ten times as long.
    What to do:
        Set the threads to the cores that workers leave (torch.set_num_threads), limit those of the workers
        (OMP_NUM_THREADS=1, cv2.setNumThreads(0)), or use fewer workers.
    Limits:
        Other programs on the machine look alike: where they were busy, the rule does not judge.
    Thresholds:
        share: Share of the time.
        floor_ms: Milliseconds a step that it must cost.
        queue: Share of the time spent waiting for a core.
        calm: Time of a step over that with fewer threads.
        others: Share of the cores in other programs' hands, from which it is not judged.
    Sources:
        PyTorch documentation, CPU threading; thresholds as told.
    """
    seen, cpu = picture(run), measured(run, CpuUse)
    stall = judged(seen, cpu_stall, limits)
    if stall is not None and not stall.denied:
        yield _finding(run, seen, stall, cpu, limits)


def _finding(run: Run, seen: Picture, stall: Stall, cpu: CpuUse, limits: Limits) -> Finding:
    return cpu_oversubscribed.finding(
        f"{stall.share.value:.0%} of the time is lost to waiting for a core: {stall.words}",
        severity=severity(stall, limits),
        confidence=confidence(stall, seen),
        evidence=numbers(stall, seen)
        | {
            "cores": finite(cpu.cores),
            "threads": cpu.threads,
            "workers": cpu.workers,
            "worker_threads": cpu.worker_threads,
            "main_queue_share": finite(cpu.main_queue_share),
            "worker_queue_share": finite(cpu.worker_queue_share),
            "fewer_threads": cpu.calm_threads,
            "fewer_threads_faster": finite(cpu.calm_ratio),
        },
        cause="more threads want to run than there are cores",
        remedies=_remedies(run, cpu),
    )


def _remedies(run: Run, cpu: CpuUse) -> tuple[Remedy, ...]:
    threads = cpu.calm_threads if cpu.calm_threads is not None and cpu.calm_threads > 0 else 1
    if cpu.calm_threads is None and finite(cpu.cores) is not None:
        threads = int(min(max(cpu.cores - max(cpu.workers, 0), 1), 1024))
    fewer = patched(run, f"compute with {threads} thread{'s' if threads > 1 else ''}", {"train.threads": threads})
    workers = Remedy("limit the threads of a worker to one (OMP_NUM_THREADS=1, cv2.setNumThreads(0))")
    return (workers, fewer) if cpu.worker_threads > 1 and cpu.workers > 0 else (fewer, Remedy("use fewer workers"))
