"""What a device reaches: one interface for the CPU and for CUDA."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch

from dlcheck.runs.facts import DeviceSpeed

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
LIMIT_S = 0.4
"""Seconds for one measurement, warming up left aside."""
TRIES = 20
CPU_SIDE, GPU_SIDE = 1024, 4096
"""Of the square matrices: large enough for the best rate, small enough to repeat."""
CPU_COPY, GPU_COPY = 1 << 26, 1 << 28
"""Bytes copied at once: more than any cache."""
TRANSFER = 1 << 26
"""Bytes copied to the device at once."""
CPUINFO = Path("/proc/cpuinfo")


@dataclass(frozen=True, slots=True)
class CopySpeed:
    """Copies from the memory of the host to the device, in 10^9 bytes a second."""

    pinned: float
    pageable: float


class Device(Protocol):
    """Where work is done, and how it is timed."""

    device: torch.device

    def name(self) -> str:
        """Return what the maker calls it."""
        ...

    def seconds(self, work: Callable[[], object]) -> list[float]:
        """Return the times of some runs of a piece of work, the first ones left out."""
        ...

    def speed(self, precision: str = "fp32") -> DeviceSpeed:
        """Return what it reaches at a precision; a busy machine makes it less, never more."""
        ...

    def copies(self) -> CopySpeed | None:
        """Return how fast batches come to it; None where they are there already."""
        ...


class CpuDevice:
    """The processor; work is done when a call returns."""

    def __init__(self) -> None:
        self.device = torch.device("cpu")

    def name(self) -> str:
        """Return the processor's model, as far as the system tells it."""
        try:
            lines = CPUINFO.read_text(encoding="utf-8").splitlines()
        except OSError:
            lines = []
        models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
        return next(models, platform.processor() or platform.machine())

    def seconds(self, work: Callable[[], object]) -> list[float]:
        """Return the times of some runs."""
        return timed(work, time.perf_counter)

    def speed(self, precision: str = "fp32") -> DeviceSpeed:
        """Return what the present number of threads reaches."""
        return _speed(self, precision, side=CPU_SIDE, copied=CPU_COPY)

    def copies(self) -> None:
        """Return None: batches are in its memory."""


class CudaDevice:
    """A GPU; work is timed by events in its stream."""

    def __init__(self, device: torch.device) -> None:
        self.device = device

    def name(self) -> str:
        """Return the GPU's model."""
        return torch.cuda.get_device_name(self.device)

    def seconds(self, work: Callable[[], object]) -> list[float]:
        """Return the times of some runs, as the device saw them."""
        for _ in range(3):
            work()
        torch.cuda.synchronize(self.device)
        spans: list[tuple[Any, Any]] = []
        began = time.perf_counter()
        while len(spans) < TRIES and time.perf_counter() - began < LIMIT_S:
            first, last = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
            first.record()
            work()
            last.record()
            last.synchronize()
            spans.append((first, last))
        return [first.elapsed_time(last) / 1000 for first, last in spans]

    def speed(self, precision: str = "fp32") -> DeviceSpeed:
        """Return what it reaches."""
        return _speed(self, precision, side=GPU_SIDE, copied=GPU_COPY)

    def copies(self) -> CopySpeed:
        """Return how fast it is given page-locked and ordinary memory."""
        there = torch.empty(TRANSFER, dtype=torch.uint8, device=self.device)
        plain = torch.zeros(TRANSFER, dtype=torch.uint8)
        pinned = plain.pin_memory()
        return CopySpeed(self._copied(pinned, there), self._copied(plain, there))

    def _copied(self, source: torch.Tensor, there: torch.Tensor) -> float:
        return best_rate(self.seconds(lambda: there.copy_(source, non_blocking=True)), source.nbytes) / 1e9


def device_of(device: torch.device) -> Device:
    """Return the device's interface."""
    return CudaDevice(device) if device.type == "cuda" else CpuDevice()


def other_than(device: torch.device) -> Device | None:
    """Return the other kind of device of this machine; None when there is none."""
    if device.type == "cuda":
        return CpuDevice()
    return CudaDevice(torch.device("cuda", 0)) if torch.cuda.is_available() else None


def timed(work: Callable[[], object], clock: Callable[[], float], *, limit_s: float = LIMIT_S) -> list[float]:
    """Return the times of runs of what is done when it returns: at least three, then until the limit."""
    work()
    times: list[float] = []
    began = clock()
    while len(times) < 3 or (len(times) < TRIES and clock() - began < limit_s):
        before = clock()
        work()
        times.append(clock() - before)
    return times


def best_rate(times: Sequence[float], amount: float) -> float:
    """Return the amount a second of the quickest run: others' work can only slow a run down."""
    return amount / max(min(times), 1e-9)


def _speed(device: Device, precision: str, *, side: int, copied: int) -> DeviceSpeed:
    """Measure a matrix product and a copy within memory."""
    with torch.no_grad():
        one, other = (torch.randn(side, side, device=device.device).to(DTYPES[precision]) for _ in range(2))
        product = torch.empty(side, side, device=device.device, dtype=DTYPES[precision])
        flops = best_rate(device.seconds(lambda: torch.mm(one, other, out=product)), 2.0 * side**3)
        source = torch.zeros(copied, dtype=torch.uint8, device=device.device)
        target = torch.empty_like(source)
        # Each byte is read and written.
        bandwidth = best_rate(device.seconds(lambda: target.copy_(source)), 2.0 * copied)
    return DeviceSpeed(device.name(), precision, flops, bandwidth)
