"""Readings of NVML, with bindings of our own making."""

from __future__ import annotations

import sys
import time
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from dlcheck.profiling.nvml import MISSING, NvmlSampler, Reading, Usage, usage_of


class Bindings(ModuleType):
    """As ``pynvml``, for one GPU."""

    def __init__(self, *, driver: bool = True, counter: bool = True, count: int = 2) -> None:
        super().__init__("pynvml")
        self.driver, self.counter, self.count = driver, counter, count
        self.asked: list[str] = []

    def nvmlInit(self) -> None:
        if not self.driver:
            raise RuntimeError("NVML Shared Library Not Found")

    def nvmlDeviceGetCount(self) -> int:
        return self.count

    def nvmlDeviceGetHandleByUUID(self, identity: str) -> str:
        self.asked.append(identity)
        return "handle"

    def nvmlDeviceGetHandleByIndex(self, index: int) -> str:
        self.asked.append(str(index))
        return "handle"

    def nvmlDeviceGetMemoryInfo(self, handle: Any) -> Any:
        return SimpleNamespace(used=3 << 30, total=80 << 30)

    def nvmlDeviceGetUtilizationRates(self, handle: Any) -> Any:
        if not self.counter:
            raise RuntimeError("Not Supported")
        return SimpleNamespace(gpu=40)


def sampled(binding: Bindings, identity: str | None = "GPU-1", device: str = "cuda:0") -> Usage:
    with NvmlSampler(device, binding=binding, identity=identity) as sampler:
        until = time.monotonic() + 10
        while sampler.usage == Usage() and time.monotonic() < until:
            time.sleep(0.005)
    return sampler.usage


def test_mean_of_utilization_and_most_memory() -> None:
    found = usage_of([Reading(0.2, 5, 80), Reading(0.6, 9, 80), Reading(0.4, 7, 80)])
    assert found.utilization == pytest.approx(0.4)
    assert (found.memory_used, found.memory_total) == (9, 80)
    assert usage_of([], "why") == Usage(note="why")


def test_gpu_is_read_while_the_context_lasts() -> None:
    binding = Bindings()
    found = sampled(binding)
    assert found.utilization == pytest.approx(0.4)
    assert (found.memory_used, found.memory_total, found.note) == (3 << 30, 80 << 30, "")
    assert binding.asked == ["GPU-1"]


def test_gpu_is_found_whatever_hides_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-7, GPU-8")
    several, single = Bindings(), Bindings(count=1)
    sampled(several, None, "cuda:1")
    sampled(single, None, "cuda:1")
    assert (several.asked, single.asked) == (["GPU-8"], ["0"])


def test_driver_without_nvml_is_a_note() -> None:
    found = sampled(Bindings(driver=False))
    assert "Shared Library Not Found" in found.note
    assert found.utilization is None


def test_gpu_without_the_counter_is_a_note() -> None:
    found = sampled(Bindings(counter=False))
    assert "Not Supported" in found.note
    assert found.utilization is None


def test_missing_bindings_are_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    with NvmlSampler("cuda:0") as sampler:
        pass
    assert sampler.usage.note == MISSING


def test_cpu_has_nothing_to_read() -> None:
    with NvmlSampler("cpu", binding=Bindings()) as sampler:
        pass
    assert sampler.usage == Usage()
