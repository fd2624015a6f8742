"""P509."""

from collections.abc import Iterator

from dlcheck.findings import Finding, Severity
from dlcheck.rules.remedy import patched
from dlcheck.rules.rule import Limits, Threshold, Unchecked, measured, rule
from dlcheck.rules.site import finite
from dlcheck.rules.speed.amounts import amount
from dlcheck.rules.speed.picture import sound
from dlcheck.runs import Run
from dlcheck.runs.facts import MemoryNeed


@rule(
    "P509",
    "out-of-memory-risk",
    Severity.WARNING,
    needs=("memory_need",),
    thresholds={
        "used": Threshold(0.9, "PyTorch's TensorBoard profiler warned at a peak of 90 % of the memory"),
        "lost": Threshold(1.1, "beyond by more than predictions err: a tenth on a GPU"),
        "host_floor_gib": Threshold(1.0, "a CPU's free memory leaves out what caches would give back"),
    },
    references=(
        "PyTorch Profiler TensorBoard plugin, recommendations (memory usage)",
        "PyTorch documentation, CUDA semantics (memory management)",
    ),
)
def out_of_memory_risk(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find a training step that hardly fits into memory, or does not.

    What it finds:
        What a step needs (parameters, gradients, state of the optimizer, activations, the batch, and what
        operations need beside), or the peak that was measured, against the memory of the device. An error where
        it is certain not to fit.
    Why it matters:
        The run ends with out of memory at its first step, or at the first long batch, hours after its start.
    What to do:
        Use smaller batches and accumulate their gradients; mixed precision; recompute activations
        (checkpointing); an optimizer with less state.
    Limits:
        Evaluation, and batches longer than the one that was measured, may need more. On a CPU only a need
        beyond all free memory is told, as information: caches would give some of theirs back.
    Thresholds:
        used: Share of the device's memory from which it is told.
        lost: The same for an error.
        host_floor_gib: GiB that a step must need for a CPU's memory to be judged.
    Sources:
        PyTorch Profiler TensorBoard plugin; PyTorch documentation, CUDA semantics.
    """
    need = measured(run, MemoryNeed)
    capacity = sound(need.capacity)
    if not capacity:
        raise Unchecked("the memory of the device is not known")
    most = max(sound(need.total) or 0.0, sound(need.measured_peak) or 0.0)
    if most >= _limit(need, limits) * capacity and most >= _floor(need, limits):
        yield _finding(run, need, most, capacity, limits)


def _limit(need: MemoryNeed, limits: Limits) -> float:
    return 1.0 if need.device.startswith("cpu") else limits["used"]


def _floor(need: MemoryNeed, limits: Limits) -> float:
    return limits["host_floor_gib"] * 2**30 if need.device.startswith("cpu") else 1.0


def _severity(need: MemoryNeed, lost: bool) -> Severity:
    if need.device.startswith("cpu"):
        return Severity.INFO  # what a container's limit leaves counts caches as used
    return Severity.ERROR if lost else Severity.WARNING


def _finding(run: Run, need: MemoryNeed, most: float, capacity: float, limits: Limits) -> Finding:
    lost = most >= limits["lost"] * capacity and not need.device.startswith("cpu")
    known = need.largest_batch is not None and 0 < need.largest_batch < need.batch_size
    fits = f"; {need.largest_batch} would" if known else ""
    smaller = need.largest_batch if known and need.largest_batch is not None else max(1, need.batch_size // 2)
    patch = {"train.batch_size": smaller} if 0 < smaller < need.batch_size else {}
    return out_of_memory_risk.finding(
        f"a step of {need.batch_size} samples needs {amount(most)} of {amount(capacity)} on {need.device}, and "
        f"{'does not fit' if most > capacity else 'hardly fits'}{fits}",
        severity=_severity(need, lost),
        confidence=0.95 if lost else 0.8,
        evidence={
            "needed": int(most),
            "capacity": int(capacity),
            "measured_peak": need.measured_peak,
            "batch_size": need.batch_size,
            "largest_batch": need.largest_batch,
            "activations": need.activations,
            "per_sample": finite(need.per_sample),
        },
        cause="more is kept for the backward pass, or by the optimizer, than the device holds",
        remedies=(
            patched(run, "use smaller batches, and accumulate gradients to keep the step the same", patch),
            patched(run, "train in mixed precision", {"train.precision": "bf16"}),
        ),
    )
