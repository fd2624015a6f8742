"""From suggestions and truth to the table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from tests.benchmarks.lr_find.truth import Truth, regret

NEAR, FAR = 0.05, 0.5
"""Regrets up to which a suggestion is as good as the best, and from which it loses half of what was to be had."""
GOALS = {"constant": 0.085, "cosine": 0.08}
FAR_GOAL = 0.03


@dataclass(slots=True)
class Row:
    """What one finder suggested under one schedule, over tasks and seeds."""

    regrets: list[float] = field(default_factory=list)
    decades: list[float] = field(default_factory=list)
    """Signed error: log10 of suggestion over best rate."""
    silent: int = 0

    def add(self, truth: Truth, rate: float | None) -> None:
        """Take one suggestion in; none counts as a regret of 1."""
        self.regrets.append(regret(truth, rate))
        if rate is None or not rate > 0:
            self.silent += 1
        else:
            self.decades.append(float(np.log10(rate / truth.best)))

    @property
    def mean(self) -> float:
        """Mean regret."""
        return float(np.mean(self.regrets))

    @property
    def far(self) -> float:
        """Share of suggestions that lose half or more."""
        return float(np.mean(np.array(self.regrets) >= FAR))

    @property
    def near(self) -> float:
        """Share of suggestions as good as the best."""
        return float(np.mean(np.array(self.regrets) <= NEAR))


Table = dict[str, dict[str, Row]]
"""By finder, then by schedule."""
HEAD = "| finder | mean regret const / cosine | ≤ 5 % | ≥ 50 % | median log10 error | none |\n|---|---|---|---|---|---|"


def markdown(table: Table, schedules: Sequence[str]) -> str:
    """Return the table, best mean regret first."""
    ordered = sorted(table.items(), key=lambda item: sum(item[1][name].mean for name in schedules))
    lines = [HEAD]
    for finder, rows in ordered:
        chosen = [rows[name] for name in schedules]
        errors = (float(np.median(row.decades)) if row.decades else float("nan") for row in chosen)
        lines.append(
            f"| {finder} | {_both(f'{row.mean:.3f}' for row in chosen)} | {_both(f'{row.near:.0%}' for row in chosen)} "
            f"| {_both(f'{row.far:.1%}' for row in chosen)} | {_both(f'{error:+.2f}' for error in errors)} "
            f"| {sum(row.silent for row in chosen)} |"
        )
    return "\n".join(lines)


def _both(parts: Iterable[str]) -> str:
    return " / ".join(parts)


def judged(table: Table, schedules: Sequence[str], *, ours: str, constants: str) -> list[str]:
    """Return each goal that is missed, as one line."""
    missed = []
    for name in schedules:
        row, plain = table[ours][name], table[constants][name]
        if row.mean > GOALS[name]:
            missed.append(f"{name}: mean regret {row.mean:.3f} above {GOALS[name]}")
        if row.far > FAR_GOAL:
            missed.append(f"{name}: {row.far:.1%} of suggestions lose half or more, goal {FAR_GOAL:.0%}")
        if row.mean > plain.mean:
            missed.append(f"{name}: mean regret {row.mean:.3f}, constants {plain.mean:.3f}")
    return missed
