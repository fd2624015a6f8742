"""P515."""

from collections.abc import Iterator

from dlcheck.findings import Finding, Remedy, Severity
from dlcheck.rules.remedy import patched
from dlcheck.rules.rule import Limits, Threshold, measured, rule
from dlcheck.rules.speed.amounts import amount
from dlcheck.rules.speed.picture import sound
from dlcheck.runs import Run
from dlcheck.runs.facts import LoaderTimes, SharedMemory, fact


@rule(
    "P515",
    "shared-memory-short",
    Severity.WARNING,
    needs=("shared_memory",),
    thresholds={
        "used": Threshold(1.0, "(workers x prefetch + 1) batches were measured to be the peak, within 1.5 %"),
    },
    references=(
        "PyTorch documentation, torch.utils.data (shared memory of workers)",
        "PyTorch issue 5040 (DataLoader worker is killed by signal: Bus error)",
    ),
)
def shared_memory_short(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find too little shared memory for the batches of the workers.

    What it finds:
        Exactly: workers x prefetch + 1 batches need more than is free in /dev/shm. An error where a worker
        has died of it.
    Why it matters:
        Workers hand over batches through shared memory. Where that is full, one is killed by a bus error,
        whose message says nothing of the cause. Containers have 64 MiB of it unless told otherwise.
    What to do:
        Start the container with --shm-size or --ipc=host; use fewer workers, a smaller prefetch, or smaller
        batches.
    Limits:
        Other programs may use the same memory later.
    Thresholds:
        used: Need over what is free.
    Sources:
        PyTorch documentation, torch.utils.data; PyTorch issue 5040.
    """
    room = measured(run, SharedMemory)
    need, free = sound(room.need), sound(room.free)
    if need is None or free is None or need <= 0:
        return
    if room.crashed or need > limits["used"] * free:
        yield _finding(run, room)


def _finding(run: Run, room: SharedMemory) -> Finding:
    loader = fact(run, LoaderTimes)
    workers = loader.workers if loader is not None else 0
    died = "; a worker died of it" if room.crashed else ""
    fewer = {"data.workers": 1, "data.prefetch": 1} if workers > 1 else {}
    return shared_memory_short.finding(
        f"workers hand over up to {amount(room.need)} in batches of {amount(room.batch)}, and /dev/shm has "
        f"{amount(room.free)} free{died}",
        severity=Severity.ERROR if room.crashed else Severity.WARNING,
        confidence=0.95,
        evidence={"need": room.need, "free": room.free, "batch": room.batch, "workers": workers},
        cause="shared memory that is too small for so many batches at once",
        remedies=(
            Remedy("give the container more: --shm-size=8g, or --ipc=host"),
            patched(run, "use fewer workers, or a smaller prefetch", fewer),
        ),
    )
