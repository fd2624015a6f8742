"""What a device reaches, and what a training takes of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import nn

from dlcheck.checks.memory import Work
from dlcheck.profiling.device import CpuDevice, CudaDevice, best_rate, device_of, timed
from dlcheck.profiling.device_use import Speeds, device_use, measure_device, moved_to, speeds_here
from dlcheck.profiling.flops import flop_per_step
from dlcheck.profiling.nvml import Usage
from dlcheck.profiling.settings import Subject
from dlcheck.runs.facts import DeviceSpeed

LOSS = nn.CrossEntropyLoss()


def work(model: nn.Module) -> Work:
    return Work(model, LOSS, (torch.optim.Adam(model.parameters()),), torch.device("cpu"))


def test_best_rate_is_of_the_quickest_run() -> None:
    assert best_rate([2.0, 0.5, 1.0], 10.0) == 20.0


def test_runs_are_timed_until_the_limit() -> None:
    def ticks() -> Iterator[float]:
        moment = 0.0
        while True:
            yield moment
            moment += 0.1

    clock = ticks()
    assert len(timed(lambda: None, lambda: next(clock), limit_s=0.0)) == 3
    assert 3 < len(timed(lambda: None, lambda: next(clock), limit_s=2.0)) < 20


def test_interface_of_the_cpu() -> None:
    device = device_of(torch.device("cpu"))
    assert isinstance(device, CpuDevice)
    assert device.name()
    speed = device.speed()
    assert speed.matmul_flops is not None
    assert speed.matmul_flops > 1e8
    assert speed.bandwidth is not None
    assert speed.bandwidth > 1e7


def test_utilization_is_what_is_achieved_over_what_is_reached() -> None:
    speeds = Speeds(DeviceSpeed("gpu", "bf16", matmul_flops=1e12), flop_per_step=2e10, notes=("one",))
    found = device_use(speeds, 0.1, Usage(0.5, 7, 8, "two"))
    assert found.achieved_flops == pytest.approx(2e11)
    assert found.model_flop_utilization == pytest.approx(0.2)
    assert (found.utilization, found.memory_used, found.memory_total) == (0.5, 7, 8)
    assert found.note == "one; two"


def test_what_was_not_measured_stays_unknown() -> None:
    found = device_use(Speeds(DeviceSpeed("cpu")), 0.1, Usage())
    assert (found.achieved_flops, found.model_flop_utilization, found.utilization) == (None, None, None)
    assert device_use(Speeds(DeviceSpeed("cpu"), flop_per_step=5.0), 0.1, Usage()).model_flop_utilization is None


def test_operations_of_a_step_are_counted_without_making_it() -> None:
    model = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10))
    batch = (torch.randn(32, 64), torch.randint(10, (32,)))
    # Forward, gradient of the weights, and of the inputs of all but the first layer; two operations a product.
    expected = 2 * 32 * (64 * 128 * 2 + 128 * 10 * 3)
    assert flop_per_step(work(model), batch) == expected
    assert all(parameter.grad is None for parameter in model.parameters())


def test_operations_of_a_model_that_needs_values() -> None:
    class Reading(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Linear(64, 10)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            out: torch.Tensor = self.body(x)
            return out + torch.nonzero(x > 0).float().mean() * 0

    batch = (torch.randn(32, 64), torch.randint(10, (32,)))
    assert flop_per_step(work(Reading()), batch) == 3 * 2 * 32 * 64 * 10


def test_copy_for_another_device_is_independent() -> None:
    model: nn.Module = nn.Linear(4, 2)
    original = work(model)
    copied = moved_to(original, CpuDevice())
    steps = copied.steps([(torch.randn(3, 4), torch.randint(2, (3,)))])
    before = [parameter.clone() for parameter in model.parameters()]
    steps.once()
    assert all(map(torch.equal, model.parameters(), before))
    assert not any(map(torch.equal, copied.model.parameters(), before))
    assert not original.optimizers[0].state


def test_recipe_is_measured_on_the_cpu() -> None:
    found = speeds_here(Subject("recipe", "digits-mlp", device="cpu"), "cpu")
    assert found.flop_per_step is not None
    assert found.flop_per_step > 0
    assert found.device.step_s is not None
    assert found.device.step_s > 0
    assert (found.copies, found.notes) == (None, ())


def test_of_a_script_only_the_device_is_measured() -> None:
    found = speeds_here(Subject("script", "train.py"), "cpu", "fp32", 0.25)
    assert (found.flop_per_step, found.device.step_s) == (None, 0.25)
    assert "script" in found.notes[0]


@pytest.mark.gpu
def test_interface_of_cuda() -> None:
    device = device_of(torch.device("cuda", 0))
    assert isinstance(device, CudaDevice)
    fast, slow = device.speed("bf16"), CpuDevice().speed()
    assert fast.matmul_flops is not None
    assert slow.matmul_flops is not None
    assert fast.matmul_flops > slow.matmul_flops
    copies = device.copies()
    assert copies.pinned > copies.pageable


@pytest.mark.gpu
def test_cuda_is_compared_with_the_cpu() -> None:
    found, copies = measure_device(Subject("recipe", "digits", device="cuda"), "cuda:0", period_s=0.01)
    assert found.other is not None
    assert found.other.step_s is not None
    assert found.device.step_s is not None
    assert found.model_flop_utilization is not None
    assert copies is not None
