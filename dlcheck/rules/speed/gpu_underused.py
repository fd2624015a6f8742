"""P508."""

from collections.abc import Iterator

from dlcheck.findings import Finding, Remedy, Severity
from dlcheck.rules.remedy import patched
from dlcheck.rules.rule import Limits, Threshold, Unchecked, measured, rule
from dlcheck.rules.site import finite
from dlcheck.rules.speed.picture import MOST_S, Picture, picture, sound
from dlcheck.runs import Run
from dlcheck.runs.facts import DeviceUse


@rule(
    "P508",
    "gpu-underused",
    Severity.INFO,
    needs=("step_times", "device_use"),
    thresholds={
        "used": Threshold(0.5, "PyTorch's TensorBoard profiler asked for larger batches below 50 % utilisation"),
        "other": Threshold(2.0, "twice as fast on ready batches, measured: beyond what one more copy costs"),
        "memory": Threshold(0.5, "half of the memory is free: a batch of twice the size fits"),
    },
    references=(
        "PyTorch Profiler TensorBoard plugin, recommendations (GPU utilization)",
        "NVIDIA, NVML API Reference (nvmlUtilization_t: at least one kernel was executing)",
    ),
)
def gpu_underused(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find a GPU that has little to do.

    What it finds:
        A GPU without a kernel for more than half of the time, by its own counters or by events of the steps; a
        warning where both say so. Or a training on the CPU of a machine with a GPU that was measured to be
        twice as fast.
    Why it matters:
        The device is the dearest part of the machine. What keeps it waiting is told by the other rules of this
        family, and then explains this one.
    What to do:
        End what keeps it waiting. Where nothing does and memory is free, use larger batches; train on the GPU.
    Limits:
        Utilisation counts time with at least one kernel, however small: a high one proves nothing, and is not
        praised here.
    Thresholds:
        used: Share of the time with a kernel.
        other: Time of a step on the CPU over that on the GPU.
        memory: Share of the device's memory in use, below which a larger batch is advised.
    Sources:
        PyTorch Profiler TensorBoard plugin; NVIDIA, NVML API Reference.
    """
    seen, use = picture(run), measured(run, DeviceUse)
    if seen.on_cpu:
        yield from _elsewhere(seen, use, limits)
        return
    counted, events = sound(use.utilization, 1.0), seen.busy
    known = [share for share in (counted, events) if share is not None]
    if not known:
        raise Unchecked(use.note or "neither counters nor events of the device could be read")
    low = [share < limits["used"] for share in known]
    if all(low):
        yield _idle(run, use, counted, events, limits)


def _elsewhere(seen: Picture, use: DeviceUse, limits: Limits) -> Iterator[Finding]:
    """Yield that another device of this machine would be faster, where that was measured."""
    if use.other is None or use.other.name.lower().startswith("cpu"):
        return
    here, there = sound(use.device.step_s, MOST_S), sound(use.other.step_s, MOST_S)
    if not here or not there or here < limits["other"] * there:
        return
    yield gpu_underused.finding(
        f"the training runs on the CPU, and a step takes {here / there:.3g} times as long as on {use.other.name}",
        confidence=0.85,
        evidence={"cpu_step_s": here, "gpu_step_s": there, "faster": finite(here / there), "steps": seen.steps.steps},
        cause="a GPU of this machine has nothing to do",
        remedies=(Remedy("train on the GPU (--device cuda)"),),
    )


def _idle(run: Run, use: DeviceUse, counted: float | None, events: float | None, limits: Limits) -> Finding:
    both = counted is not None and events is not None
    known = [share for share in (counted, events) if share is not None]
    used, total = sound(use.memory_used), sound(use.memory_total)
    room = used is not None and bool(total) and used < limits["memory"] * (total or 0.0)
    larger = "use larger batches: memory is free" if room else "use larger batches, where memory allows"
    return gpu_underused.finding(
        f"the device computes for {max(known):.0%} of the time",
        severity=Severity.WARNING if both else Severity.INFO,
        confidence=0.85 if both else 0.65,
        evidence={
            "utilization": counted,
            "busy_share": events,
            "model_flop_utilization": finite(use.model_flop_utilization),
            "memory_used": use.memory_used,
            "memory_total": use.memory_total,
        },
        cause="the device waits: for data, copies, launches, or more work in a step",
        remedies=(Remedy("end what keeps it waiting, which other rules name"), patched(run, larger, {})),
    )
