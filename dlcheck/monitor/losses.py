"""Losses of every step, read without waiting for a device."""

from __future__ import annotations

import time
from collections.abc import Callable

from torch import Tensor

from dlcheck.monitor.transfer import Transfer

READ_EVERY = 32
"""Losses between two transfers from a device …"""
READ_S = 0.25
"""… or seconds, whatever comes first."""

Seen = Callable[[float, int, Tensor | None], None]


class Losses:
    """Hands over the value of every loss: at once on a CPU, with its graph; some steps late from another device."""

    def __init__(self, transfer: Transfer, seen: Seen) -> None:
        self._transfer, self._seen = transfer, seen
        self._waiting: list[tuple[Tensor, int]] = []
        self._read_s = time.monotonic()

    def add(self, loss: Tensor, step: int, scale: Tensor | None) -> None:
        """Take note of a loss of a step.

        Args:
            loss: With its graph.
            step: Which it leads to.
            scale: Of a loss scaler; a loss that was multiplied by it is told without it.
        """
        scaled = scale is not None and _is_multiplied(loss, scale)
        if loss.device.type == "cpu":
            value = loss.item() if loss.numel() == 1 else loss.detach().mean().item()
            self._seen(value / float(scale) if scaled and scale is not None else value, step, loss)
            return
        # A copy: a captured graph writes the next loss into the same place.
        value_there = loss.detach().mean() if loss.numel() > 1 else loss.detach().clone().reshape(())
        self._waiting.append((value_there / scale if scaled and scale is not None else value_there, step))
        if len(self._waiting) >= READ_EVERY or time.monotonic() - self._read_s > READ_S:
            self.read()

    def read(self) -> None:
        """Ask the device for what it still has."""
        waiting, self._waiting = self._waiting, []
        self._read_s = time.monotonic()
        if waiting:
            steps = [step for _, step in waiting]
            self._transfer.read([loss for loss, _ in waiting], lambda numbers: self._hand_over(numbers, steps))

    def _hand_over(self, numbers: list[float], steps: list[int]) -> None:
        for value, step in zip(numbers, steps, strict=True):
            self._seen(value, step, None)


def _is_multiplied(loss: Tensor, scale: Tensor) -> bool:
    """Return whether a loss is what ``scaler.scale`` returned."""
    saved = getattr(loss.grad_fn, "_saved_other", None)
    return isinstance(saved, Tensor) and saved.data_ptr() == scale.data_ptr()
