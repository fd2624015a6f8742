"""Utilisation and memory of a GPU through NVML, where NVIDIA's bindings and driver are there."""

from __future__ import annotations

import importlib
import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

INTERVAL_S = 0.1
"""Seconds between readings; NVML itself averages over a sixth of a second to a second."""
MISSING = "GPU utilisation was not read: nvidia-ml-py is not installed (pip install 'dlcheck[gpu]')"


@dataclass(frozen=True, slots=True)
class Reading:
    """One reading of a GPU."""

    utilization: float
    """Share of the time just past with a kernel at work, 0 to 1."""
    memory_used: int
    memory_total: int


@dataclass(frozen=True, slots=True)
class Usage:
    """Readings over a time; None is what could not be read."""

    utilization: float | None = None
    """Mean."""
    memory_used: int | None = None
    """The most."""
    memory_total: int | None = None
    note: str = ""


def usage_of(readings: Sequence[Reading], note: str = "") -> Usage:
    """Return the mean utilisation and the most memory."""
    if not readings:
        return Usage(note=note)
    mean = sum(one.utilization for one in readings) / len(readings)
    return Usage(mean, max(one.memory_used for one in readings), readings[-1].memory_total, note)


class NvmlSampler:
    """Reads a GPU in a thread while its context lasts; ``usage`` tells afterwards what was seen.

    Never fails: without bindings, driver or GPU, ``usage`` carries a note.
    """

    def __init__(self, device: str, *, binding: ModuleType | None = None, identity: str | None = None) -> None:
        self._device, self._binding, self._identity = device, binding, identity
        self._readings: list[Reading] = []
        self._note = ""
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> NvmlSampler:
        if not self._device.startswith("cuda"):
            return self
        read = self._opened()
        if read is not None:
            self._thread = threading.Thread(target=self._sample, args=(read,), daemon=True)
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join(timeout=2.0)

    @property
    def usage(self) -> Usage:
        """What was read so far."""
        return usage_of(tuple(self._readings), self._note)

    def _opened(self) -> Callable[[], Reading] | None:
        try:
            nvml = self._binding or importlib.import_module("pynvml")
        except ImportError:
            self._note = MISSING
            return None
        try:
            nvml.nvmlInit()
            handle = _handle(nvml, self._device, self._identity)
            return lambda: _reading(nvml, handle)
        except Exception as error:  # NVMLError in its many kinds
            self._note = f"GPU utilisation was not read: {error}"
            return None

    def _sample(self, read: Callable[[], Reading]) -> None:
        while True:
            try:
                self._readings.append(read())
            except Exception as error:  # as a GPU without this counter raises
                self._note = f"GPU utilisation was not read: {error}"
                return
            if self._over.wait(INTERVAL_S):
                return


def _reading(nvml: Any, handle: Any) -> Reading:
    memory = nvml.nvmlDeviceGetMemoryInfo(handle)
    share = nvml.nvmlDeviceGetUtilizationRates(handle).gpu / 100
    return Reading(share, int(memory.used), int(memory.total))


def _handle(nvml: Any, device: str, identity: str | None) -> Any:
    """Return NVML's handle: NVML counts all GPUs in another order than CUDA, and ignores what hides some of them.

    PyTorch is asked, which takes memory of the GPU for this process, only where there are several.
    """
    index = int(device.partition(":")[2] or 0)
    if nvml.nvmlDeviceGetCount() == 1:
        return nvml.nvmlDeviceGetHandleByIndex(0)
    identity = identity or _visible(os.environ.get("CUDA_VISIBLE_DEVICES", ""), index) or _identity(index)
    return nvml.nvmlDeviceGetHandleByUUID(identity) if identity else nvml.nvmlDeviceGetHandleByIndex(index)


def _visible(listed: str, index: int) -> str | None:
    """Return the UUID that a list of visible devices has at an index; None where it has numbers or nothing."""
    names = [name.strip() for name in listed.split(",")]
    return names[index] if index < len(names) and names[index].startswith("GPU-") else None


def _identity(index: int) -> str | None:
    import torch

    if not torch.cuda.is_available():
        return None
    found = getattr(torch.cuda.get_device_properties(index), "uuid", None)
    return None if found is None else f"GPU-{str(found).removeprefix('GPU-')}"
