"""P503."""

from collections.abc import Iterator

from dlcheck.findings import Finding, Remedy, Severity
from dlcheck.rules.remedy import patched
from dlcheck.rules.rule import Limits, rule
from dlcheck.rules.site import finite
from dlcheck.rules.speed.judging import confidence, judged, numbers, refuse_cpu, severity
from dlcheck.rules.speed.limits import thresholds
from dlcheck.rules.speed.picture import Picture, picture
from dlcheck.rules.speed.stall import Stall, launch_stall
from dlcheck.runs import Run


@rule(
    "P503",
    "launch-bound",
    Severity.WARNING,
    needs=("step_times",),
    thresholds=thresholds("share", "floor_ms", "idle", "growth", "kernel_us"),
    references=(
        "Holistic Trace Analysis documentation, CUDA kernel launch statistics",
        "PyTorch blog 2022, Accelerating PyTorch with CUDA Graphs",
    ),
)
def launch_bound(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find a device that waits for the host to launch its next kernel.

    What it finds:
        A device that has nothing to do during forward and backward pass, while the host waits for nothing. A
        warning where a second signal agrees: twice the batch takes hardly longer, or else the kernels are
        shorter than their launch.
    Why it matters:
        The device could do more work in the same time: a larger batch, or the same one in fewer kernels.
    What to do:
        Compile the model (torch.compile, CUDA graphs), use fused operations, or larger batches. A larger
        batch changes the optimisation: adapt the learning rate.
    Limits:
        Only devices with kernels of their own. Waiting for data and synchronisation come first: both leave the
        device idle as well.
    Thresholds:
        share: Share of the time.
        floor_ms: Milliseconds a step that it must cost.
        idle: Share of forward and backward pass without a kernel.
        growth: Growth of the step with twice the batch, below which launches were the limit.
        kernel_us: Median length of a kernel in microseconds, up to which it is shorter than its launch.
    Sources:
        Holistic Trace Analysis documentation; the TensorFlow input-pipeline analysis.
    """
    seen = picture(run)
    refuse_cpu(seen, "launches", seen.launches)
    stall = judged(seen, launch_stall, limits)
    if stall is not None and not stall.denied:
        yield _finding(run, seen, stall, limits)


def _finding(run: Run, seen: Picture, stall: Stall, limits: Limits) -> Finding:
    launches = seen.launches
    return launch_bound.finding(
        f"the device has nothing to do for {stall.share.value:.0%} of the time, which goes into {stall.words}",
        severity=severity(stall, limits),
        confidence=confidence(stall, seen),
        evidence=numbers(stall, seen)
        | {
            "kernels_per_step": finite(launches.kernels) if launches is not None else None,
            "kernel_s": finite(launches.kernel_s) if launches is not None else None,
            "idle_share": finite(launches.idle_share) if launches is not None else None,
            "doubled_growth": finite(launches.doubled_growth) if launches is not None else None,
        },
        cause="many small kernels, each launched by the host",
        remedies=(
            patched(run, "compile the model (torch.compile)", {"train.compile": True}),
            Remedy("use larger batches, with a learning rate to match"),
        ),
    )
