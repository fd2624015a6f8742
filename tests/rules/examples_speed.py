"""Recorded profiles: a sick and a healthy run for each rule of the family P5, and whole ones for reports."""

from collections.abc import Mapping
from dataclasses import replace

from dlcheck.runs import Run
from dlcheck.runs.facts import (
    Ceilings,
    ComputeTrial,
    ComputeTrials,
    CpuUse,
    DeviceSpeed,
    DeviceUse,
    Fact,
    Launches,
    LoaderSetting,
    LoaderSweep,
    LoaderTimes,
    LoaderTrial,
    MemoryGrowth,
    MemoryNeed,
    PartTime,
    Rate,
    SharedMemory,
    Site,
    StepTimes,
    SyncPoint,
    Syncs,
    Transfers,
    TransformTime,
)
from dlcheck.runs.facts.profile import PARTS
from tests.rules.fact_runs import fact_run

TRAIN = Site("train.py", 41)
ITEM = Site("data.py", 17)
MIB = 2**20
Parts = Mapping[str, float]

COMPUTING: Parts = {"wait": 1.0, "take": 0.5, "forward": 30.0, "backward": 60.0, "optimizer": 4.0, "inside": 0.5}
"""Milliseconds of a step that computes."""
DECODING: Parts = {"wait": 60.0, "take": 1.0, "forward": 10.0, "backward": 20.0, "optimizer": 2.0, "outside": 1.0}
ON_GPU: Parts = {"wait": 0.5, "take": 1.0, "copy": 0.5, "forward": 10.0, "backward": 20.0, "optimizer": 3.0}


def times(parts: Parts, *, device: str = "cpu", events: Parts | None = None, **more: object) -> StepTimes:
    """Return the times of a step from milliseconds by part, and on the device by part."""
    period = sum(parts.values())
    seen = tuple(
        PartTime(
            name,
            parts.get(name, 0.0) / 1e3,
            1.2 * parts.get(name, 0.0) / 1e3,
            parts.get(name, 0.0) / period,
            events[name] / 1e3 if events is not None and name in events else None,
        )
        for name in PARTS
    )
    known = StepTimes(device, 40, period / 1e3, 1.2 * period / 1e3, 32.0, seen, startup_s=0.4, optimizer="Adam")
    return replace(known, **more)  # type: ignore[arg-type]


def rate(value: float, spread: float = 0.02) -> Rate:
    return Rate(value, value * (1 - spread), value * (1 + spread))


def loader(**more: object) -> LoaderTimes:
    """Return what two workers take for a batch of 32 images: 30 ms, well in time for steps of 90 ms."""
    known = LoaderTimes(
        "workers",
        2,
        32,
        batches=40,
        fetch_s=0.028,
        collate_s=0.002,
        fetch_cpu_share=0.95,
        queue_share=0.02,
        item_s=0.0009,
        slowest_item_s=0.0016,
        slow_share=0.0,
        stuck_s=0.0004,
        late_share=0.02,
        prefetch=2,
        start_method="fork",
        dataset="Photos",
        fetch_site=ITEM,
        loader_site=TRAIN,
    )
    return replace(known, **more)  # type: ignore[arg-type]


CALM = CpuUse(8.0, 4, 2, 1, 0.01, 0.02, own_cores=5.0, others_cores=0.2, pressure=2.0)
SLOW = loader(fetch_s=0.16, late_share=0.97, transforms=(TransformTime("Resize", 0.05), TransformTime("Flip", 0.004)))
NOW_SLOW = 32 / 0.094
SMALL = MemoryNeed(
    parameters=40 * MIB,
    gradients=40 * MIB,
    optimizer=80 * MIB,
    activations=210 * MIB,
    batch=18 * MIB,
    buffers=MIB,
    batch_size=32,
    total=389 * MIB,
    per_sample=7.1 * MIB,
    capacity=16 * 1024 * MIB,
    largest_batch=2100,
)
SETTING = LoaderSetting(workers=2, prefetch=2, pin_memory=False, persistent=False)
MORE_WORKERS = replace(SETTING, workers=6, persistent=True)
SWEPT = LoaderSweep(
    SETTING,
    (
        LoaderTrial(SETTING, 0.095, 0.094, 40, 0.4),
        LoaderTrial(replace(SETTING, workers=4), 0.05, 0.051, 40, 0.5),
        LoaderTrial(MORE_WORKERS, 0.036, 0.0365, 40, 0.6),
        LoaderTrial(replace(SETTING, workers=0), 0.194),
        LoaderTrial(replace(SETTING, workers=32), skipped="32 workers on 8 cores"),
    ),
    best=2,
    gain=2.57,
    gain_low=2.41,
    gain_high=2.74,
    seconds=71.0,
    exhaustive=60,
)
NO_WORKERS = LoaderSweep(
    SETTING,
    (LoaderTrial(SETTING, None, 0.0046, 60), LoaderTrial(LoaderSetting(workers=0), None, 0.0031, 60)),
    best=1,
    gain=1.48,
    gain_low=1.39,
    gain_high=1.58,
    seconds=22.0,
    exhaustive=12,
)
SLOWER = replace(SWEPT, best=0, gain=None, gain_low=None, gain_high=None)
CPU = DeviceSpeed("CPU, 8 cores", matmul_flops=4.1e11, bandwidth=2.4e10, step_s=0.0945)
GPU = DeviceSpeed("NVIDIA L4", "tf32", 4.4e13, 2.6e11, 0.033)
BUSY: Parts = {"copy": 0.4, "forward": 10.0, "backward": 19.0, "optimizer": 3.0}
IDLE: Parts = {"copy": 0.2, "forward": 3.0, "backward": 6.0, "optimizer": 1.0}
ITEM_CALL = SyncPoint("Tensor.item", 1.0, 0.012, Site("train.py", 58))
KERNELS = Launches(1840.0, 4.1e-6, 0.55, 0.04)
PRECISE = ComputeTrials(
    "cuda:0",
    (
        ComputeTrial("bf16", "train.precision", "bf16", 1.62, 1.58, 1.66, True),
        ComputeTrial("channels_last", "train.channels_last", True, 1.08, 1.03, 1.12, True),
        ComputeTrial("compile", "train.compile", True, 1.21, 1.17, 1.25, True, 38.0),
        ComputeTrial("tf32", "train.tf32", True, note="TF32 is on already"),
    ),
)

HEALTHY_CPU: tuple[Fact, ...] = (
    times(COMPUTING, steps_per_epoch=500, epoch_starts=2, epoch_start_s=0.05, startup_share=0.001),
    loader(),
    Ceilings(rate(32 / 0.096), rate(32 / 0.0955), None, rate(2000.0)),
    CALM,
    SMALL,
    DeviceUse(CPU, None, 3.1e9, 3.2e10, 0.078),
    replace(SWEPT, best=0, gain=None, gain_low=None, gain_high=None),
    SharedMemory(5 * 18 * MIB, 8000 * MIB, 18 * MIB),
    MemoryGrowth("host", 120.0, 80, 900 * MIB, 16_000 * MIB),
)
"""A training that computes, on a calm machine."""
DECODE_BOUND: tuple[Fact, ...] = (
    times(DECODING, steps_per_epoch=700),
    SLOW,
    Ceilings(rate(NOW_SLOW), rate(32 / 0.033), None, rate(NOW_SLOW * 1.01)),
    CALM,
    SMALL,
    DeviceUse(CPU, None, 3.1e9, 3.2e10, 0.078),
    SWEPT,
    SharedMemory(5 * 18 * MIB, 8000 * MIB, 18 * MIB),
)
"""JPEG files that two workers decode too slowly, and the sweep that ends it."""
TINY_EPOCHS: tuple[Fact, ...] = (
    times(
        {"wait": 2.0, "take": 1.0, "forward": 8.0, "backward": 14.0, "optimizer": 1.0},
        steps_per_epoch=4,
        epoch_starts=11,
        epoch_start_s=0.19,
        startup_share=0.62,
    ),
    loader(fetch_s=0.01),
    Ceilings(rate(32 / 0.071), rate(32 / 0.024)),
    CALM,
)
"""Epochs of four steps, each with new workers."""
CROWDED_CPU = CpuUse(
    2.0, 8, 2, 1, 0.34, 0.2, own_cores=1.9, others_cores=0.02, calm_ratio=1.9, calm_threads=1, pressure=61.0
)
OVERSUBSCRIBED: tuple[Fact, ...] = (times(COMPUTING), loader(), CROWDED_CPU)
"""Eight threads on two cores."""
BUSY_CPU = CpuUse(2.0, 2, 2, 1, 0.3, 0.35, own_cores=1.0, others_cores=1.0, pressure=74.0)
BUSY_MACHINE: tuple[Fact, ...] = (
    times({"wait": 25.0, "take": 2.0, "forward": 30.0, "backward": 40.0, "optimizer": 3.0}),
    loader(late_share=0.5, fetch_s=0.11),
    BUSY_CPU,
)
"""Another program holds one of two cores, and a quarter of the time is waiting."""
LAUNCH_BOUND: tuple[Fact, ...] = (
    times({**ON_GPU, "outside": 1.0}, device="cuda:0", events=BUSY),
    loader(pin_memory=True),
    Ceilings(rate(32 / 0.036), rate(32 / 0.035), rate(32 / 0.0355), rate(5000.0)),
    CALM,
    KERNELS,
    Syncs((), 0.0),
    Transfers(19.3e6, 0.0005, True, 24.1, 25.0),
    DeviceUse(GPU, CPU, 3.1e10, 8.9e11, 0.02, 0.93, 3 * 2**30, 24 * 2**30),
    PRECISE,
)
"""Thousands of small kernels."""
SYNC_BOUND: tuple[Fact, ...] = (
    times(
        {"wait": 0.5, "take": 0.5, "copy": 0.3, "forward": 3.0, "backward": 4.0, "optimizer": 1.0, "inside": 14.0},
        device="cuda:0",
        events=IDLE,
    ),
    loader(pin_memory=True),
    CALM,
    replace(KERNELS, idle_share=0.05),
    Syncs((ITEM_CALL, SyncPoint("Tensor.cpu", 0.1, 0.0002)), 0.52),
    Transfers(19.3e6, 0.0003, True, 24.1, 25.0),
    DeviceUse(GPU, CPU, 3.1e10, 8.9e11, 0.02, 0.42, 3 * 2**30, 24 * 2**30),
)
"""``loss.item()`` in every step, and a device that runs dry."""
COPY_BOUND: tuple[Fact, ...] = (
    times({**ON_GPU, "copy": 14.0}, device="cuda:0", events={**IDLE, "copy": 14.0, "forward": 10.0, "backward": 19.0}),
    loader(),
    Ceilings(rate(32 / 0.048), rate(32 / 0.034), rate(32 / 0.0475)),
    Transfers(154e6, 0.014, False, 6.1, 25.0),
    CALM,
)
"""Pageable memory."""
GAP: tuple[Fact, ...] = (times({**COMPUTING, "outside": 40.0}, gap_site=Site("train.py", 77)), loader(), CALM)
"""Logging after every step."""
SLOW_ADAM: tuple[Fact, ...] = (
    times({**COMPUTING, "optimizer": 90.0}),
    loader(),
    CALM,
    replace(SMALL, parameters=4 * MIB, gradients=4 * MIB, optimizer=8 * MIB, total=245 * MIB),
    DeviceUse(CPU),
)
"""An optimizer with 90 ms for 4 MiB of parameters."""

WHOLE: dict[str, tuple[Fact, ...]] = {
    "compute": HEALTHY_CPU,
    "input": DECODE_BOUND,
    "startup": TINY_EPOCHS,
    "cpu": OVERSUBSCRIBED,
    "inconclusive": BUSY_MACHINE,
    "launch": LAUNCH_BOUND,
    "sync": SYNC_BOUND,
    "copy": COPY_BOUND,
    "gap": GAP,
}
"""Whole profiles by what they are bound by."""

ON_THE_GPU = fact_run(
    times(ON_GPU, device="cuda:0", events=BUSY),
    loader(pin_memory=True),
    Launches(300.0, 9e-5, 0.02, 0.95),
    Syncs((ITEM_CALL,), 0.4),
    Transfers(19.3e6, 0.0005, True, 24.1, 25.0),
    DeviceUse(GPU, CPU, 3.1e10, 8.9e11, 0.4, 0.97, 12 * 2**30, 24 * 2**30),
)
COMPUTES = fact_run(*HEALTHY_CPU)
LARGE = replace(SMALL, device="cuda:0", total=15_000 * MIB, batch_size=2048, largest_batch=1900)

SICK: dict[str, Run] = {
    "P501": fact_run(*DECODE_BOUND),
    "P502": fact_run(*COPY_BOUND),
    "P503": fact_run(*LAUNCH_BOUND),
    "P504": fact_run(*SYNC_BOUND),
    "P505": fact_run(*TINY_EPOCHS),
    "P506": fact_run(*OVERSUBSCRIBED),
    "P507": fact_run(replace(PRECISE, trials=(replace(PRECISE.trials[0], ratio=1.3, low=1.25, high=1.35),))),
    "P508": fact_run(times(ON_GPU, device="cuda:0"), DeviceUse(GPU, utilization=0.3)),
    "P509": fact_run(LARGE),
    "P510": fact_run(MemoryGrowth("host", 3.1 * MIB, 80, 900 * MIB, 16_000 * MIB, certain=True)),
    "P511": COMPUTES,
    "P512": fact_run(NO_WORKERS, loader()),
    "P513": fact_run(times({**COMPUTING, "outside": 40.0})),
    "P514": fact_run(times({**COMPUTING, "optimizer": 90.0})),
    "P515": fact_run(SharedMemory(5 * 18 * MIB, 64 * MIB, 18 * MIB), loader()),
}

HEALTHY: dict[str, Run] = {
    code: ON_THE_GPU if code in ("P502", "P503", "P504", "P508") else COMPUTES for code in SICK
} | {
    "P507": fact_run(replace(PRECISE, trials=PRECISE.trials[1:])),
    "P511": fact_run(*DECODE_BOUND),
}
