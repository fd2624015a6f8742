"""P510."""

from collections.abc import Iterator

from dlcheck.findings import Finding, Remedy, Severity
from dlcheck.rules.rule import Limits, Threshold, measured, rule
from dlcheck.rules.site import finite
from dlcheck.rules.speed.amounts import amount
from dlcheck.rules.speed.picture import sound
from dlcheck.runs import Run
from dlcheck.runs.facts import MemoryGrowth


@rule(
    "P510",
    "memory-growth",
    Severity.WARNING,
    needs=("memory_growth",),
    thresholds={
        "kib": Threshold(16.0, "four pages: a few kept numbers are below, a kept batch or graph far above"),
        "least_steps": Threshold(20, "allocators and caches fill up during the first steps"),
        "steps_left": Threshold(1e6, "longer than most trainings: then the memory lasts"),
    },
    references=(
        "PyTorch documentation, Frequently Asked Questions (my model reports cuda runtime error: out of memory)",
        "PyTorch issue 13246 (DataLoader num_workers > 0 causes memory to grow: copy on read)",
    ),
)
def memory_growth(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find memory that grows from step to step.

    What it finds:
        Memory in use that grew in every part of the observed steps, by more a step than logging explains. A
        warning where, at this pace, it is full before a long training ends; else information.
    Why it matters:
        The run ends out of memory, hours after its start, and nothing in the log says why.
    What to do:
        Look for lists of tensors, losses that are added up without .item(), caches in the data set; samples
        kept as Python objects are copied into every worker as they are read: keep them in one array.
    Limits:
        A cache that fills once looks alike until it is full. Where graphs of earlier steps are alive, the rule
        graph-retained names the cause.
    Thresholds:
        kib: KiB a step.
        least_steps: Fewer observed steps are not judged.
        steps_left: Steps until the memory is full, below which it is a warning.
    Sources:
        PyTorch documentation, Frequently Asked Questions; PyTorch issue 13246.
    """
    grown = measured(run, MemoryGrowth)
    pace = sound(grown.bytes_per_step)
    if pace is None or not grown.certain or pace < limits["kib"] * 1024 or grown.steps < limits["least_steps"]:
        return
    left = _steps_left(grown, pace)
    full = left is not None and left < limits["steps_left"]
    until = f", and fills it in {left:,.0f} steps" if left is not None and full else ""
    where = "of the host" if grown.kind == "host" else "of the device"
    yield memory_growth.finding(
        f"memory {where} grows by {amount(pace)} a step{until}",
        severity=Severity.WARNING if full else Severity.INFO,
        confidence=0.85,
        evidence={
            "bytes_per_step": pace,
            "steps": grown.steps,
            "bytes": grown.bytes,
            "capacity": grown.capacity,
            "steps_left": finite(left),
        },
        cause="something of every step is kept",
        remedies=(
            Remedy("keep numbers, not tensors: loss.item(), tensor.detach().cpu()"),
            Remedy("keep the samples of the data set in one array rather than in Python objects"),
        ),
    )


def _steps_left(grown: MemoryGrowth, pace: float) -> float | None:
    capacity, used = sound(grown.capacity), sound(grown.bytes)
    return None if not capacity or used is None or pace <= 0 else max(0.0, capacity - used) / pace
