"""The numbers that enter the network, from a few batches of each source."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from dlcheck.runs.facts import InputValues, Site

LOOKS = 8
"""Batches of a source whose numbers are added up."""
MOST_NUMBERS = 1 << 20
"""Of a larger batch as many rows are taken as hold this many numbers."""
EXAMPLES = 10


@dataclass(slots=True)
class Inputs:
    """Adds up the numbers of one source's inputs."""

    looks: int = 0
    values: int = 0
    nonfinite: int = 0
    sums: list[Tensor] = field(default_factory=list)
    """Of each look: a table (3, features) of count, sum and sum of squares; of images by channel."""
    low: float = math.inf
    high: float = -math.inf
    whole: bool = True
    floating: bool = True
    rows: tuple[int, ...] = ()
    columns: tuple[int, ...] = ()
    step: int | None = None
    site: Site | None = None

    @torch.no_grad()
    def look(self, tensor: Tensor, step: int, site: Site | None) -> None:
        """Add a batch; shape (batch, …)."""
        if tensor.layout is not torch.strided or tensor.is_complex() or tensor.is_quantized or not tensor.numel():
            return
        rows = max(1, MOST_NUMBERS * len(tensor) // tensor.numel())
        raw = tensor.detach()[:rows]
        self.floating = self.floating and raw.is_floating_point()
        numbers = raw.double().cpu()
        finite = torch.isfinite(numbers)
        self.values += numbers.numel()
        bad = int((~finite).sum())
        if bad:
            self._spoiled(numbers, finite, bad, step, site)
            numbers = torch.where(finite, numbers, 0.0)
        if self.looks < LOOKS:
            self.looks += 1
            self._add(numbers, finite)

    def _add(self, numbers: Tensor, finite: Tensor) -> None:
        kept = numbers[finite]
        if kept.numel():
            self.low, self.high = min(self.low, float(kept.min())), max(self.high, float(kept.max()))
            self.whole = self.whole and bool((kept == kept.round()).all())
        axes = [axis for axis in range(numbers.ndim) if axis != 1] if numbers.ndim > 1 else [0]
        table = [finite.double().sum(axes), numbers.sum(axes), numbers.square().sum(axes)]
        found = torch.stack([one.reshape(-1) for one in table])
        if not self.sums or self.sums[0].shape == found.shape:
            self.sums.append(found)

    def _spoiled(self, numbers: Tensor, finite: Tensor, bad: int, step: int, site: Site | None) -> None:
        if not self.nonfinite:
            flat = finite.reshape(len(finite), -1)
            self.rows = tuple(torch.nonzero(~flat.all(1)).reshape(-1)[:EXAMPLES].tolist())
            if numbers.ndim == 2:
                self.columns = tuple(torch.nonzero(~flat.all(0)).reshape(-1)[:EXAMPLES].tolist())
            self.step, self.site = step, site
        self.nonfinite += bad

    def fact(self, *, split: str, normalized_first: bool) -> InputValues | None:
        """Return what was seen; None before any batch."""
        if not self.sums or not math.isfinite(self.low):
            return None
        count, total, squares = torch.stack(self.sums).sum(0)
        mean = float(total.sum() / count.sum())
        std = math.sqrt(max(float(squares.sum() / count.sum()) - mean * mean, 0.0))
        each = (squares / count.clamp(min=1) - (total / count.clamp(min=1)).square()).clamp(min=0).sqrt()
        varying = each[each > 1e-9 * max(1.0, abs(mean))]
        return InputValues(
            values=self.values,
            nonfinite=self.nonfinite,
            mean=mean,
            std=std,
            low=self.low,
            high=self.high,
            whole=self.whole,
            floating=self.floating,
            normalized_first=normalized_first,
            feature_std_low=float(varying.min()) if varying.numel() else None,
            feature_std_high=float(varying.max()) if varying.numel() else None,
            split=split,
            rows=self.rows,
            columns=self.columns,
            step=self.step,
            site=self.site,
        )
