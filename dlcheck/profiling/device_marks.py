"""Moments on a CUDA device, marked without waiting for it."""

from __future__ import annotations

from typing import Any

from dlcheck.profiling.stepping import DeviceMarks


class CudaMarks:
    """Events in the current stream; those that were read are used again, as making one costs more than recording."""

    def __init__(self) -> None:
        self._free: list[Any] = []
        self._used: list[Any] = []

    def mark(self) -> Any:
        """Return this moment, as the device will see it."""
        event = self._free.pop() if self._free else _event()
        event.record()
        self._used.append(event)
        return event

    def settle(self) -> None:
        """Wait until the device has done all that it was given."""
        import torch

        torch.cuda.synchronize()

    def between(self, first: Any, second: Any) -> float:
        """Return the seconds between two moments."""
        return float(first.elapsed_time(second)) / 1000

    def recycle(self) -> None:
        """Take back all events: their rows have been read."""
        self._free += self._used
        self._used = []


def _event() -> Any:
    import torch

    return torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]


def device_marks(device: str) -> DeviceMarks | None:
    """Return what marks moments on a device; None on a CPU, whose work is done when a call returns."""
    return CudaMarks() if device.startswith("cuda") else None
