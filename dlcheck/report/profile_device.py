"""The tables of a profile about memory and devices."""

from __future__ import annotations

from collections.abc import Iterator

from dlcheck.report.plain import printable
from dlcheck.report.profile_table import Row, Table
from dlcheck.report.profile_words import count, flops, percent, size, span
from dlcheck.runs import Run
from dlcheck.runs.facts import DeviceUse, MemoryNeed, fact


def memory(run: Run) -> Table | None:
    """Return the bytes of a step by cause."""
    need = fact(run, MemoryNeed)
    if need is None:
        return None
    most = {part.name: part.bytes for part in need.most}
    total = max(need.total, 1)
    rows = []
    for key, name in MEMORY.items():
        value = max(int(getattr(need, key)), 0)
        if value or most.get(key):
            share = min(value / total, 1.0)
            rows.append(Row((name, size(value), percent(share), *([size(most.get(key))] if most else [])), share))
    rows.append(Row(("together", size(need.total), "", *([""] if most else [])), kind="sum"))
    head = ("cause", "at the peak", "share", *(["most at any moment"] if most else []))
    return Table("Memory of a step", head, tuple(rows), "; ".join(room(need)))


MEMORY = {
    "parameters": "parameters",
    "gradients": "gradients",
    "optimizer": "state of the optimizer",
    "activations": "activations",
    "workspace": "workspace",
    "batch": "batch",
    "buffers": "buffers",
}
"""Causes of memory, by field of ``MemoryNeed``."""
PHASES = {"forward": "the forward pass", "backward": "the backward pass", "optimizer": "the optimizer's step"}


def room(need: MemoryNeed) -> Iterator[str]:
    """Yield for which batch the memory is, what was measured, and what would fit."""
    yield f"for {need.batch_size} samples{f', at its peak in {PHASES[need.phase]}' if need.phase in PHASES else ''}"
    if need.measured_peak is not None:
        yield f"measured peak {size(need.measured_peak)}"
    if need.capacity is not None and need.capacity > 0:
        fits = f", room for {count(need.largest_batch)} samples" if need.largest_batch is not None else ""
        yield f"{size(need.capacity)} on {printable(need.device)}{fits}"
    if need.note:
        yield printable(need.note)


def devices(run: Run) -> Table | None:
    """Return what the device reaches, and beside it the machine's other one."""
    use = fact(run, DeviceUse)
    if use is None:
        return None
    rows = []
    for one in (use.device, *([use.other] if use.other is not None else [])):
        speed = f"{size(one.bandwidth)}/s" if one.bandwidth is not None else "-"
        rows.append(Row((printable(f"{one.name}, {one.dtype}"), flops(one.matmul_flops), speed, span(one.step_s))))
    head = ("device", "matrix product", "memory", "a step on ready batches")
    return Table("The device", head, tuple(rows), "; ".join(used(use)))


def used(use: DeviceUse) -> Iterator[str]:
    """Yield how much of the device the training uses."""
    if use.achieved_flops is not None:
        share = f", {percent(use.model_flop_utilization)} of it" if use.model_flop_utilization is not None else ""
        yield f"the training reaches {flops(use.achieved_flops)}{share}"
    if use.utilization is not None:
        yield f"a kernel at work {percent(use.utilization)} of the time"
    if use.memory_used is not None and use.memory_total is not None:
        yield f"{size(use.memory_used)} of {size(use.memory_total)} in use"
    if use.note:
        yield printable(use.note)
