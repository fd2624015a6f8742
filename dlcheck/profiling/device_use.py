"""How much of a device a training uses: what the device reaches, what the training needs of it."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import TYPE_CHECKING

from dlcheck.errors import DlcheckError, one_line
from dlcheck.profiling.aside import Aside, aside
from dlcheck.profiling.nvml import Usage
from dlcheck.profiling.settings import Subject
from dlcheck.profiling.subject import patient_of
from dlcheck.runs.facts import DeviceSpeed, DeviceUse

if TYPE_CHECKING:  # PyTorch is loaded where it measures, and not where its answer is read
    from dlcheck.checks.memory import Work
    from dlcheck.components.batches import Batch
    from dlcheck.profiling.device import CopySpeed, Device


@dataclass(frozen=True, slots=True)
class Speeds:
    """What was measured of the machine with this training; None is what was not."""

    device: DeviceSpeed
    other: DeviceSpeed | None = None
    copies: CopySpeed | None = None
    flop_per_step: float | None = None
    notes: tuple[str, ...] = ()


def measure_device(
    subject: Subject,
    device: str,
    *,
    precision: str = "fp32",
    period_s: float | None = None,
    step_s: float | None = None,
    usage: Usage | None = None,
    timeout_s: float = 60.0,
    child: Aside | None = None,
) -> tuple[DeviceUse, CopySpeed | None]:
    """Measure what the device reaches, in a process of its own, and compare it with what the training reaches.

    Args:
        subject: What is trained; of a script nothing is known but its times.
        device: Where it runs, as ``Found.device``.
        precision: At which it runs: ``fp32``, ``bf16`` or ``fp16``.
        period_s: Of a step of the training as it is.
        step_s: Of a step on batches that are there already; None: it is measured.
        usage: What NVML told while the training ran.
        timeout_s: Longest wait.
        child: The process; None: one is made for it, and ended.

    Returns:
        The fact, and how fast batches can be copied to the device.

    Raises:
        DlcheckError: the process died or took too long; one line.
    """
    call = aside if child is None else child.call
    speeds: Speeds = call(speeds_here, subject, device, precision, step_s, timeout_s=timeout_s)
    return device_use(speeds, period_s, usage or Usage()), speeds.copies


def device_use(speeds: Speeds, period_s: float | None, usage: Usage) -> DeviceUse:
    """Put measurements together; what is missing stays None."""
    flop, most = speeds.flop_per_step, speeds.device.matmul_flops
    achieved = flop / period_s if flop and period_s else None
    return DeviceUse(
        device=speeds.device,
        other=speeds.other,
        flop_per_step=flop,
        achieved_flops=achieved,
        model_flop_utilization=achieved / most if achieved is not None and most else None,
        utilization=usage.utilization,
        memory_used=usage.memory_used,
        memory_total=usage.memory_total,
        note="; ".join(note for note in (*speeds.notes, usage.note) if note),
    )


def speeds_here(subject: Subject, device: str, precision: str = "fp32", step_s: float | None = None) -> Speeds:
    """Measure in this process, which spoils nothing but takes memory of the devices."""
    import torch

    from dlcheck.checks.memory import work_of
    from dlcheck.profiling.device import device_of, other_than
    from dlcheck.profiling.flops import flop_per_step

    here = device_of(torch.device(device))
    elsewhere = other_than(here.device)
    patient = patient_of(replace(subject, device=device))  # first: a recipe says how many threads there are
    notes: list[str] = []
    flop: float | None = None
    times: list[float | None] = [step_s, None]
    if patient is None:
        notes.append(f"operations of a {subject.kind} are not counted: its step cannot be taken out of it")
    else:
        batch = next(patient.augmented(1))
        patient.training_mode()
        work = work_of(patient)
        flop = flop_per_step(work, batch) or None
        for index, place in enumerate((here, elsewhere)):
            if place is not None and times[index] is None:
                times[index] = _step_seconds(work, batch, place, notes)
    return Speeds(
        replace(_speed(here, precision, notes), step_s=times[0]),
        None if elsewhere is None else replace(_speed(elsewhere, "fp32", notes), step_s=times[1]),
        here.copies(),
        flop,
        tuple(notes),
    )


def _speed(device: Device, precision: str, notes: list[str]) -> DeviceSpeed:
    try:
        return device.speed(precision)
    except (RuntimeError, MemoryError) as error:  # a precision that it lacks, or no room
        notes.append(f"{device.device}: not measured: {one_line(error)}")
        return DeviceSpeed(device.name(), precision)


def _step_seconds(work: Work, batch: Batch, device: Device, notes: list[str]) -> float | None:
    """Return the median time of a step on a device, of a copy of the training."""
    try:
        moved = moved_to(work, device)
        steps = moved.steps([moved.placed(tuple(one.to(device.device) for one in batch))] * moved.accumulated)
        return median_of(device.seconds(steps.once))
    except (DlcheckError, RuntimeError, MemoryError, TypeError) as error:  # the user's code, or no room
        notes.append(f"a step on {device.device} was not measured: {type(error).__name__}: {one_line(error)}")
        return None


def moved_to(work: Work, device: Device) -> Work:
    """Return an independent copy of what takes part in a step, on a device, optimizers as before their first step."""
    import torch

    copied = copy.deepcopy(work)
    copied.model.to(device.device)
    if isinstance(copied.loss, torch.nn.Module):
        copied.loss.to(device.device)
    for optimizer in copied.optimizers:
        optimizer.state.clear()
    copied.device = device.device
    return copied


def median_of(times: Sequence[float]) -> float | None:
    """Return the median; None of nothing."""
    return median(times) if times else None
