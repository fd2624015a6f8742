"""When gradients are clipped: after the step that it should protect, or while a scaler multiplies them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from dlcheck.runs.facts import Clipping, Site


@dataclass(slots=True)
class Clips:
    """Calls of ``clip_grad_norm_`` among backward passes and steps."""

    site: Site | None = None
    """Where the first one is."""
    scaled: bool = False
    """One was made while gradients were multiplied by a scale."""
    late: int = 0
    """Those between a step and the next backward pass."""
    _stepped_at: int = -1

    def stepped(self, backwards: int) -> None:
        """Take note of a step after so many backward passes in all."""
        self._stepped_at = backwards

    def called(self, backwards: int, scalers: Iterable[Any], *, site: Site | None) -> None:
        """Take note of a call."""
        self.site = site
        self.late += backwards == self._stepped_at
        self.scaled = self.scaled or any(_multiplies(one) for one in scalers)

    def completed(self, fact: Clipping) -> Clipping:
        """Return what the monitor knows of clipping, with what the order of calls tells."""
        late = self.late > fact.calls / 2
        return replace(fact, before_unscale=self.scaled, after_step=late, site=self.site)


def _multiplies(scaler: Any) -> bool:
    """Return whether gradients are multiplied by a scale now: ``unscale_`` was called for no optimizer."""
    if not scaler.is_enabled():
        return False
    states = getattr(scaler, "_per_optimizer_states", {})
    stages = [getattr(state.get("stage"), "name", "") for state in states.values()]
    return "UNSCALED" not in stages
