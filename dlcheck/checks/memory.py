"""Bytes of a training step by cause, and the largest batch that would fit."""

from __future__ import annotations

import os
from collections.abc import Iterable

import torch
from torch import Tensor

from dlcheck.checks.exam import Exam, Measured
from dlcheck.checks.patient import Patient
from dlcheck.components.batches import Batch
from dlcheck.runs.facts import MemoryNeed

USABLE = 0.9
"""Part of the memory that counts as free for tensors; the rest goes to fragments and the libraries' own buffers."""
GIB = 1 << 30


def measure_memory(patient: Patient) -> Measured:
    """Add up parameters, gradients, optimizer state, what the backward pass keeps, buffers and the batch."""
    parameters = _bytes(patient.model.parameters())
    gradients = _bytes(p for p in patient.model.parameters() if p.requires_grad)
    buffers = _bytes(patient.model.buffers())
    optimizer = sum(_optimizer_bytes(one) for one in patient.optimizers)
    whole = next(patient.augmented(1))
    size = len(whole[-1])
    half = max(2, size // 2)  # batch normalisation takes no single sample
    patient.training_mode()
    kept = _kept(patient, whole)
    batch = _batch_bytes(whole)
    per_sample = _per_sample(patient, whole, half, kept + batch) if half < size else (kept + batch) / max(size, 1)
    fixed = parameters + gradients + buffers + optimizer + max(0.0, kept + batch - per_sample * size)
    capacity = _capacity(patient.device)
    largest = int((USABLE * capacity - fixed) / per_sample) if capacity is not None and per_sample > 0 else None
    total = parameters + gradients + buffers + optimizer + kept + batch
    fact = MemoryNeed(
        parameters=parameters,
        gradients=gradients,
        optimizer=optimizer,
        activations=kept,
        batch=batch,
        buffers=buffers,
        batch_size=size,
        total=total,
        per_sample=per_sample,
        capacity=capacity,
        largest_batch=None if largest is None else max(largest, 0),
        device=str(patient.device),
        measured_peak=_peak(patient, whole),
    )
    fits = "" if largest is None else f"largest batch {_rounded(max(largest, 0))}"
    return Measured((fact,), number=f"{_told(total)} at {size}", expected=fits)


def _per_sample(patient: Patient, whole: Batch, half: int, of_whole: int) -> float:
    part = tuple(tensor[:half] for tensor in whole)
    return max(0.0, (of_whole - _kept(patient, part) - _batch_bytes(part)) / (len(whole[-1]) - half))


def _kept(patient: Patient, batch: Batch) -> int:
    """Return the bytes that the backward pass of a batch keeps, parameters, buffers and the batch left out."""
    known = {t.untyped_storage().data_ptr() for t in (*patient.model.parameters(), *patient.model.buffers(), *batch)}
    kept: dict[int, int] = {}
    alive: list[Tensor] = []

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in known:
            kept[storage.data_ptr()] = storage.nbytes()
            alive.append(tensor)  # a freed storage could lend its address to another
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        patient.loss_of(batch)
    return sum(kept.values())


def _batch_bytes(batch: Batch) -> int:
    return sum(tensor.nbytes for tensor in batch)  # batches may be cut from one block, which is none of theirs


def _bytes(tensors: Iterable[Tensor]) -> int:
    return sum({t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in tensors}.values())


_COPIES = {"SGD": 0, "Adam": 2, "AdamW": 2, "RAdam": 2, "NAdam": 2, "Adamax": 2, "RMSprop": 1, "Adagrad": 1,
           "Adadelta": 2, "UncorrectedAdam": 2, "AngularGrad": 4, "AdaInject": 3, "DiffGrad": 3,
           "AdaBelief": 2}  # fmt: skip
"""Tensors of a parameter's size that an optimizer keeps for it."""


def _optimizer_bytes(optimizer: torch.optim.Optimizer) -> int:
    """Return what the optimizer keeps once it has made a step: what it has, or what its kind is known to need."""
    held = [value for state in optimizer.state.values() for value in state.values() if isinstance(value, Tensor)]
    if held:
        return _bytes(held)
    return sum(_copies(optimizer, group) * _bytes(group["params"]) for group in optimizer.param_groups)


def _copies(optimizer: torch.optim.Optimizer, group: dict[str, object]) -> int:
    name = type(optimizer).__name__
    if name == "LBFGS":
        history = group.get("history_size", 100)
        return 2 * (history if isinstance(history, int) else 100) + 4
    extra = bool(group.get("amsgrad")) + bool(name in ("SGD", "RMSprop") and group.get("momentum"))
    return _COPIES.get(name, 2) + extra + bool(name == "RMSprop" and group.get("centered"))


def _capacity(device: torch.device) -> int | None:
    """Return the memory of a GPU, or what is free of the machine's."""
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory)
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError, AttributeError):
        return None


def _peak(patient: Patient, batch: Batch) -> int | None:
    """Return what the allocator of a GPU saw at most during a forward and a backward pass."""
    if patient.device.type != "cuda":
        return None
    torch.cuda.reset_peak_memory_stats(patient.device)
    patient.loss_of(batch).backward()  # type: ignore[no-untyped-call]
    return int(torch.cuda.max_memory_allocated(patient.device))


def _rounded(samples: int) -> str:
    """Return a number of samples without false precision."""
    return str(samples) if samples < 100 else f"{float(f'{samples:.2g}'):,.0f}"


def _told(size: float) -> str:
    for unit, name in ((GIB, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
        if size >= unit:
            return f"{size / unit:.3g} {name}"
    return f"{size:.0f} bytes"


EXAM = Exam("memory", (), measure_memory, share=0.5)
