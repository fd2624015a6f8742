"""One attempt to learn a batch by heart, at one learning rate."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from dlcheck.checks.model.yardstick import Yardstick
from dlcheck.checks.patient import Patient, answer
from dlcheck.components.batches import Batch

WORSE = 2.0
"""Times the first misfit from which answers have become worse."""
LOOK = 50
"""Steps between two looks at whether they do."""
HOPELESS = 1e3
"""Times the first loss at which an attempt is given up."""
ENOUGH = 0.999
"""Share of the right answers that can be reached which counts as all."""


@dataclass(frozen=True, slots=True)
class Goal:
    """When a batch counts as learned by heart."""

    loss: float
    """Loss to reach."""
    hits: float
    """Right answers to reach, a share; 0 for numbers."""
    stick: Yardstick
    unit: float
    """Loss of the best constant answer less the least possible: what there is to learn."""


@dataclass(slots=True)
class Attempt:
    """What one attempt came to."""

    lr: float
    losses: list[float] = field(default_factory=list)
    hits: float | None = None
    """Share of right answers before the last step."""
    misfits: list[float] = field(default_factory=list)
    """Cross-entropy or mean squared difference as we measure it: at the first step, and at the last."""
    solved: bool = False
    late: bool = False
    """Time ran out."""

    @property
    def best(self) -> float:
        """Lowest finite loss; infinite without any."""
        return min((loss for loss in self.losses if math.isfinite(loss)), default=math.inf)


def attempt(patient: Patient, batch: Batch, goal: Goal, *, lr: float, steps: int) -> Attempt:
    """Train on one batch with Adam until it is learned, hopeless, or ``steps`` are made."""
    *inputs, target = batch
    optimizer = torch.optim.Adam([p for p in patient.model.parameters() if p.requires_grad], lr=lr)
    made = Attempt(lr)
    output: Tensor | None = None
    for step in range(steps):
        output_of_model = patient.predict(tuple(inputs))
        loss = patient.loss(output_of_model, target)
        value = float(loss.detach())
        made.losses.append(value)
        output = answer(output_of_model)
        if output is not None and step == 0:
            made.misfits.append(_misfit(goal, output, target))
        if not math.isfinite(value) or value > HOPELESS * (abs(made.losses[0]) + goal.unit):
            break
        if reached(made, goal, output, target):
            made.solved = True
            break
        if output is not None and step and step % LOOK == 0 and _turns_wrong(made, goal, output, target):
            break
        if patient.left_s < 0:
            made.late = step + 1 < steps
            break
        if not loss.requires_grad:
            break
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    if output is not None:
        made.hits = goal.stick.hits(output, target)
        made.misfits.append(_misfit(goal, output, target))
        # Every answer right is learned by heart too, however high a loss of bounded inputs must stay.
        made.solved = made.solved or (made.hits is not None and made.hits >= ENOUGH * goal.hits > 0)
    return made


def reached(made: Attempt, goal: Goal, output: Tensor | None, target: Tensor) -> bool:
    """Return whether the last loss and, by our own measure, the last answers are those of a batch learned by heart.

    The loss alone could lie: one of the wrong sign falls without end.
    """
    if made.losses[-1] > goal.loss or output is None:
        return made.losses[-1] <= goal.loss and output is None
    hits = goal.stick.hits(output, target)
    if hits is not None:
        return hits >= ENOUGH * goal.hits
    misfit = goal.stick.misfit(output, target)
    return not math.isfinite(misfit) or not made.misfits or misfit < max(made.misfits[0], 1e-12)


def _turns_wrong(made: Attempt, goal: Goal, output: Tensor, target: Tensor) -> bool:
    first = made.misfits[:1]
    return grows_wrong(replace(made, misfits=[*first, _misfit(goal, output, target)]), goal)


def grows_wrong(made: Attempt, goal: Goal) -> bool:
    """Return whether the loss falls while answers become ever worse: a wrong sign."""
    if len(made.misfits) < 2 or not all(map(math.isfinite, made.misfits)) or not made.losses:
        return False
    first, last = made.misfits[0], made.misfits[-1]
    return last > WORSE * first + 0.1 * goal.unit and made.losses[-1] < made.losses[0] - goal.unit


def _misfit(goal: Goal, output: Tensor, target: Tensor) -> float:
    return goal.stick.misfit(output, target)
