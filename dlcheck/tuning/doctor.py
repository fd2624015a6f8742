"""Ends a trial at the step where it is certain that nothing will come of it, and says why."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from itertools import pairwise

import torch

from dlcheck.findings import Finding, Severity
from dlcheck.recipe.recipe import Recipe
from dlcheck.rules import diagnose
from dlcheck.runs import Run, RunFolder, read_run
from dlcheck.runs.facts import NonFinite
from dlcheck.runs.facts.fact import fact
from dlcheck.training.callbacks import Callback
from dlcheck.training.ledger import StepRow
from dlcheck.training.trainer import Trainer
from dlcheck.tuning.trials import Ending

STEPS, FACTOR = 30, 4.0
"""So many steps in succession, all so far above the untrained loss, are no spike (range tests stop at 4 times)."""
EPOCHS, WORSE = 2, 1.5
"""So many epochs in succession, not falling, that much worse than answering always the same."""
EVALUATED = ("train_eval_loss", "val_loss")
LEARNED = 0.98
"""A loss above this share of the best constant answer's is worth a look by the rules (C406's own gain is 0.02)."""
GRACE, GRACE_SHARE, RISING_SHARE = 3, 1 / 3, 0.5
"""Epochs, and share of all epochs (of a schedule that rises first: half), before a network may be called hopeless."""
SURE = 0.85
"""Least confidence of a finding that ends a trial."""
LIFELESS = ("M204", "M205", "G303", "G307")
"""Findings that say why nothing moves: dead or saturated units, no gradient, no update."""


class Doctor(Callback):
    """Watches losses at every step and judges by the rules at every epoch; ``ending`` is None while there is hope."""

    def __init__(self, folder: RunFolder, trivial: float | None) -> None:
        self.folder, self.trivial = folder, trivial
        self.ending: Ending | None = None
        self.reason = ""
        self._first: float | None = None
        self._latest: deque[float] = deque(maxlen=STEPS)
        self._evaluated: list[float] = []

    def on_losses(self, trainer: Trainer, rows: list[StepRow]) -> None:
        """Look at the losses of the steps since the last call."""
        for row in rows:
            if self.ending is not None:
                return
            if not math.isfinite(row.loss):
                self._lost(trainer, row)
                continue
            self._first = row.loss if self._first is None else self._first
            self._latest.append(row.loss)
            if self._far_above():
                self._end(trainer, Ending.diverged, f"loss {row.loss:.4g} at step {row.step}, {self._reference()}")

    def on_epoch_end(self, trainer: Trainer, metrics: dict[str, float]) -> None:
        """Look at the evaluation; numbers that are none end the trial here at the latest."""
        # The mean over an epoch's steps is not asked: a step that a loss scaler skipped makes it infinite.
        bad = next((name for name in EVALUATED if not math.isfinite(metrics.get(name, 0.0))), None)
        if bad is not None and self.ending is None:
            self._end(trainer, Ending.nan, f"{bad} {metrics[bad]} at step {metrics['step']:.0f}")
        loss = metrics.get("train_eval_loss", math.nan)
        if self.ending is None and math.isfinite(loss):
            self._evaluated.append(loss)
            self._judge_epoch(trainer)

    def on_train_end(self, trainer: Trainer) -> None:
        """Name the ending of a training that the trainer itself gave up."""
        if trainer.stop == "non-finite loss" and self.ending is None:
            self._end(trainer, Ending.nan, f"loss not finite for many steps up to step {trainer.state.step}")

    def _lost(self, trainer: Trainer, row: StepRow) -> None:
        """End the trial when its weights are lost; a loss scaler skips such steps and goes on."""
        if not weights_are_finite(trainer):
            self._end(trainer, Ending.nan, f"loss {row.loss} at step {row.step}")

    def _far_above(self) -> bool:
        known = [value for value in (self._first, self.trivial) if value is not None]
        reference = max(known, default=0.0)
        full = len(self._latest) == STEPS
        return full and reference > 0 and min(self._latest) > FACTOR * reference

    def _reference(self) -> str:
        known = f" (a constant answer: {self.trivial:.4g})" if self.trivial is not None else ""
        return f"where it began at {self._first:.4g}{known}"

    def _judge_epoch(self, trainer: Trainer) -> None:
        if self.trivial is None or self.trivial <= 0:
            return
        last = self._evaluated[-EPOCHS - 1 :]
        risen = len(last) > EPOCHS and all(loss > WORSE * self.trivial for loss in last[-EPOCHS:])
        if risen and all(after > 0.9 * before for before, after in pairwise(last)):
            told = f"training loss {last[-1]:.4g} after epoch {trainer.state.epoch}"
            self._end(trainer, Ending.diverged, f"{told}, {self._reference()}")
        elif len(self._evaluated) >= grace(trainer.parts.recipe) and min(self._evaluated) > LEARNED * self.trivial:
            self._consult(trainer)

    def _consult(self, trainer: Trainer) -> None:
        """Ask the rules whether a network that seems to learn nothing does so for certain."""
        stuck = next((one for one in self._sure("C406")), None)
        if stuck is None or self.trivial is None:
            return
        far = self._evaluated[-1] > WORSE * self.trivial
        ending = Ending.diverged if far else Ending.no_fit
        self._end(trainer, ending, f"{told(stuck)}, after epoch {trainer.state.epoch}")

    def _sure(self, *codes: str) -> list[Finding]:
        findings = diagnose(self._read(), select=codes).findings
        return [one for one in findings if one.severity >= Severity.WARNING and one.confidence >= SURE]

    def _end(self, trainer: Trainer, ending: Ending, reason: str) -> None:
        self.ending, self.reason = ending, reason
        trainer.stop = ending.value

    def _read(self) -> Run:
        return read_run(self.folder.path)

    def conclude(self) -> str:
        """Return the reason with what the monitor and the rules know now that all is written: the layer, the cause.

        A network that learned nothing because nothing in it moves is told apart here as dead.
        """
        if self.ending is Ending.no_fit and (lifeless := self._sure(*LIFELESS)):
            self.ending = Ending.dead
            self.reason = f"{told(lifeless[0])}; {self.reason}"
        if self.ending is not Ending.nan and self.ending is not Ending.diverged:
            return self.reason
        run = self._read()
        outcome = diagnose(run)
        first = next((one for one in outcome.findings if one.primary and one.severity >= Severity.WARNING), None)
        cause = f"; {told(first)}" if first is not None and told(first) not in self.reason else ""
        return f"{self.reason}{_where(run)}{cause}"


def told(finding: Finding) -> str:
    """Return a finding as part of a line."""
    return f"{finding.code} {finding.name}: {finding.summary}"


def grace(recipe: Recipe) -> int:
    """Return the epochs that a network gets before it may be said to learn nothing."""
    epochs, schedule = recipe.train.epochs, recipe.schedule
    share = RISING_SHARE if schedule.name in ("one_cycle", "cyclic") else GRACE_SHARE
    return math.ceil(schedule.warmup + max(GRACE, share * epochs))


@torch.no_grad()
def weights_are_finite(trainer: Trainer) -> bool:
    """Return whether every parameter still is a number."""
    return all(bool(torch.isfinite(parameter).all()) for parameter in trainer.model.parameters())


def _where(run: Run) -> str:
    found = fact(run, NonFinite)
    if found is None or not found.module:
        return ""
    kind = f" ({found.module_type})" if found.module_type else ""
    return f" in layer {found.module}{kind}"


def known_loss(facts: Mapping[str, object]) -> float | None:
    """Return the loss of the best constant answer, where the run's facts hold one."""
    value = facts.get("trivial_loss")
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None
