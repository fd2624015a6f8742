"""Where a step's time goes, and what a profile measured of loader, device and machine: what the rules P5 read.

Seconds are of wall time and bytes are bytes, everywhere; None is what was not measured, never 0.
"""

from dataclasses import dataclass
from typing import ClassVar

from dlcheck.runs.facts.fact import Fact, Site

PARTS = ("wait", "take", "copy", "forward", "backward", "optimizer", "inside", "outside")
"""What a step consists of, in order; together they are its period, from one request for a batch to the next.

``wait``: for a batch that was not ready; ``take``: work of the main process to get it, loading itself where there are
no workers; ``copy``: to the device; ``inside``: the rest between the batch and the end of the optimizer's step;
``outside``: from there to the next request.
"""


@dataclass(frozen=True, slots=True)
class PartTime:
    """One part of a step, over the steps of the steady state."""

    name: str
    """One of ``PARTS``."""
    median_s: float
    p95_s: float
    share: float
    """Its sum over the sum of all periods; the shares of all parts add up to 1."""
    device_s: float | None = None
    """Median time on the device itself, where events could be read."""


@dataclass(frozen=True, slots=True)
class StepTimes(Fact):
    """Where the time of a training step goes."""

    NAME: ClassVar[str] = "step_times"
    device: str
    steps: int
    """Steps of the steady state: neither the first ones nor the first of an epoch."""
    period_s: float
    """Median, from one request for a batch to the next."""
    period_p95_s: float
    samples: float
    """Mean number of samples a step."""
    parts: tuple[PartTime, ...]
    """All of ``PARTS``, in their order."""
    startup_s: float | None = None
    """Until the first batch of all was there."""
    epoch_starts: int = 0
    """Later epochs that were seen to begin."""
    epoch_start_s: float | None = None
    """Median wait for the first batch of a later epoch."""
    steps_per_epoch: int | None = None
    startup_share: float | None = None
    """Of all time after the very first batch, the share by which first batches of epochs come later than others do.

    Over epochs of their real length, where that is known: the observed steps may hold more beginnings.
    """
    calm_wait_share: float | None = None
    """Share of ``wait`` and ``take`` if no process had waited for a core, as a model of the loader tells it.

    None where it cannot be told. It is no measurement: on a busy machine it says which answer a calm one would give.
    """
    gap_site: Site | None = None
    """Line of the user's that was running in most of the time outside or inside the step that has no other name."""
    optimizer: str = ""
    """Class name of the optimizer."""


@dataclass(frozen=True, slots=True)
class TransformTime:
    """One named transform of a sample or batch."""

    name: str
    seconds: float
    """A batch, mean."""


@dataclass(frozen=True, slots=True)
class LoaderTimes(Fact):
    """What the making of a batch consists of, where it is made."""

    NAME: ClassVar[str] = "loader_times"
    kind: str
    """``workers``, ``main`` (fetched in the main process), ``memory`` (gathered from tensors), ``opaque`` (another's
    loader: only its ``__next__`` could be timed)."""
    workers: int
    batch_size: int
    batches: int = 0
    fetch_s: float | None = None
    """A batch, median: reading, decoding and per-sample transforms."""
    collate_s: float | None = None
    """A batch, median."""
    augment_s: float | None = None
    """A batch, median: transforms of the whole batch."""
    fetch_cpu_share: float | None = None
    """Of the time of fetching, the share in which the thread worked or waited for a core, not for a disk."""
    queue_share: float | None = None
    """Of the time of making batches, the share spent waiting for a core (run-queue delay)."""
    transforms: tuple[TransformTime, ...] = ()
    """Those that have a name of their own, longest first."""
    item_s: float | None = None
    """Median of a sample."""
    slowest_item_s: float | None = None
    slow_share: float | None = None
    """Of the time of fetching, the share of samples above 8 times the median, waiting for a core left out."""
    stuck_s: float | None = None
    """Median from a batch being ready in its worker to the main process having it, while that waited for it."""
    late_share: float | None = None
    """Of the batches, the share asked for before they were ready."""
    prefetch: int | None = None
    pin_memory: bool = False
    persistent: bool = False
    start_method: str = ""
    dataset: str = ""
    """Name of its class."""
    fetch_site: Site | None = None
    """Where the user's ``__getitem__`` stands."""
    collate_site: Site | None = None
    loader_site: Site | None = None
    """Where the loader was built."""
    note: str = ""
    """Why it could not be looked into, in words."""


@dataclass(frozen=True, slots=True)
class Rate:
    """Samples a second, with the ends of a 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Ceilings(Fact):
    """How fast training would be if one thing cost nothing, in samples a second."""

    NAME: ClassVar[str] = "ceilings"
    now: Rate
    ideal: Rate | None = None
    """The same training on batches that are on the device already: no loading, no copy."""
    copied: Rate | None = None
    """On batches that are in memory of the host: no loading."""
    loader: Rate | None = None
    """The loader alone, as fast as it goes."""
    note: str = ""
    """Why a ceiling is missing, or not to be trusted as a prediction."""


@dataclass(frozen=True, slots=True)
class Transfers(Fact):
    """Copies of batches to the device."""

    NAME: ClassVar[str] = "transfers"
    bytes: float
    """A step."""
    seconds: float
    """A step, during which nothing else went on."""
    pinned: bool | None = None
    gb_per_s: float | None = None
    """Achieved, in 10^9 bytes a second."""
    pinned_gb_per_s: float | None = None
    """What this machine reaches from page-locked memory."""


@dataclass(frozen=True, slots=True)
class Launches(Fact):
    """Kernels of a step, and how long the device had none."""

    NAME: ClassVar[str] = "launches"
    kernels: float
    """A step."""
    kernel_s: float
    """Median of a kernel."""
    idle_share: float
    """Of forward and backward, the share in which the device had nothing to do."""
    doubled_growth: float | None = None
    """Growth of the step with twice the batch: 0 is no longer, 1 is twice as long."""


@dataclass(frozen=True, slots=True)
class SyncPoint:
    """A place at which the host waits for the device."""

    what: str
    """As ``Tensor.item``."""
    per_step: float
    seconds: float
    """A step."""
    site: Site | None = None


@dataclass(frozen=True, slots=True)
class Syncs(Fact):
    """Places at which the host waits for the device in every step."""

    NAME: ClassVar[str] = "syncs"
    points: tuple[SyncPoint, ...]
    share: float
    """Of the period, the share in which the host was blocked there."""


@dataclass(frozen=True, slots=True)
class CpuUse(Fact):
    """Threads and processes that want a core, and how long they waited for one."""

    NAME: ClassVar[str] = "cpu_use"
    cores: float
    """That this process may use, quotas counted."""
    threads: int
    """Of the main process's own operations (intra-op)."""
    workers: int
    worker_threads: int
    """Of a worker's own operations."""
    main_queue_share: float | None = None
    """Of the period, the share in which the main thread waited for a core."""
    worker_queue_share: float | None = None
    own_cores: float | None = None
    """Cores kept busy by this training, workers included."""
    others_cores: float | None = None
    """Cores kept busy by other programs."""
    pressure: float | None = None
    """Percent of time in which something waited for a core (PSI, cpu some avg10)."""
    throttled_share: float | None = None
    """Of the time, the share in which a quota held this process back."""
    calm_ratio: float | None = None
    """Time of a step over that with ``calm_threads`` threads, measured in turns; above 1: fewer threads are faster."""
    calm_threads: int | None = None
    variables: tuple[str, ...] = ()
    """As ``OMP_NUM_THREADS=8``."""


@dataclass(frozen=True, slots=True)
class DeviceSpeed:
    """What one device reaches."""

    name: str
    dtype: str = "fp32"
    matmul_flops: float | None = None
    """Floating-point operations a second of a large matrix product, measured."""
    bandwidth: float | None = None
    """Bytes a second of a large copy within its memory, read and written, measured."""
    step_s: float | None = None
    """Of this training's step on batches that are there already, measured."""


@dataclass(frozen=True, slots=True)
class DeviceUse(Fact):
    """How much of the device the training uses."""

    NAME: ClassVar[str] = "device_use"
    device: DeviceSpeed
    other: DeviceSpeed | None = None
    """The other kind of device of this machine (CPU beside GPU)."""
    flop_per_step: float | None = None
    """Forward and backward, matrix products and convolutions."""
    achieved_flops: float | None = None
    """In the training as it is."""
    model_flop_utilization: float | None = None
    """Achieved over the measured matrix product of the same precision."""
    utilization: float | None = None
    """Share of time with at least one kernel at work (NVML), mean."""
    memory_used: int | None = None
    memory_total: int | None = None
    note: str = ""
    """What could not be read, in words."""


@dataclass(frozen=True, slots=True)
class ComputeTrial:
    """Another setting of the computation, tried in turns with the present one on the same batches."""

    name: str
    """As ``bf16``, ``channels_last``, ``compile``, ``tf32``, ``threads``."""
    path: str
    """Key of the recipe; empty: none."""
    value: str | int | bool | None = None
    ratio: float | None = None
    """Present time of a step over that of the trial; above 1: faster. None: it did not run."""
    low: float | None = None
    high: float | None = None
    """Ends of the 95 % interval of ``ratio``."""
    same_loss: bool | None = None
    """Whether the losses agree within what the precision explains."""
    startup_s: float | None = None
    """Spent once, as on compilation."""
    note: str = ""


@dataclass(frozen=True, slots=True)
class ComputeTrials(Fact):
    """What other precisions, memory formats and compilation would bring."""

    NAME: ClassVar[str] = "compute_trials"
    device: str
    trials: tuple[ComputeTrial, ...]


@dataclass(frozen=True, slots=True)
class LoaderSetting:
    """How a loader is set; None: as the user has it and unknown."""

    workers: int | None = None
    prefetch: int | None = None
    pin_memory: bool | None = None
    persistent: bool | None = None
    in_order: bool | None = None
    batch_size: int | None = None
    in_memory: bool | None = None
    augment_on_device: bool | None = None


@dataclass(frozen=True, slots=True)
class LoaderTrial:
    """One setting of the loader."""

    setting: LoaderSetting
    predicted_s: float | None = None
    """Of a step."""
    measured_s: float | None = None
    """Of a step, median."""
    steps: int = 0
    startup_s: float | None = None
    skipped: str = ""
    """Why it was not measured."""


@dataclass(frozen=True, slots=True)
class LoaderSweep(Fact):
    """Other settings of the loader, measured on the real training."""

    NAME: ClassVar[str] = "loader_sweep"
    current: LoaderSetting
    trials: tuple[LoaderTrial, ...]
    """The present setting first."""
    best: int | None = None
    """Index of the trial that is recommended; None or 0: the present setting."""
    gain: float | None = None
    """Present time of a step over that of the best, from steps made in turns."""
    gain_low: float | None = None
    gain_high: float | None = None
    """Ends of its 95 % interval."""
    seconds: float = 0.0
    """That the sweep took."""
    exhaustive: int = 0
    """Settings that a full grid would have measured."""
    note: str = ""


@dataclass(frozen=True, slots=True)
class SharedMemory(Fact):
    """Room in ``/dev/shm``, through which workers hand over batches."""

    NAME: ClassVar[str] = "shared_memory"
    need: int
    """Bytes: (workers × prefetch + 1) batches."""
    free: int
    batch: int
    """Bytes of one."""
    crashed: bool = False
    """A worker died of it."""


@dataclass(frozen=True, slots=True)
class MemoryGrowth(Fact):
    """Memory that grows from step to step."""

    NAME: ClassVar[str] = "memory_growth"
    kind: str
    """``device`` or ``host``."""
    bytes_per_step: float
    steps: int
    bytes: int
    """In use at the end."""
    capacity: int | None = None
    certain: bool = False
    """It grew in every part of the observed steps."""
