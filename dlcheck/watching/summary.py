"""What a watched run comes to: the facts that rules read, from all that was listened to."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from dlcheck.rules.statistics import wilson_interval
from dlcheck.runs.facts import Clipping, Fact, GraphGrowth, OptimizerSettings, ValidationSize, WeightsMoving
from dlcheck.watching.evaluations import mode_fact
from dlcheck.watching.losses import BINARY, CLASSIFIES, DISTANCES
from dlcheck.watching.schedules import first_parameter

if TYPE_CHECKING:
    from dlcheck.watching.observer import Observer


class Summary:
    """Makes the facts of a run that has ended, or goes on (``finished`` is False)."""

    def __init__(self, seen: Observer) -> None:
        self.seen = seen

    def plain(self, finished: bool) -> list[Fact | None]:
        """Put what is no record of its own, the task and what a loss is compared with; return nothing."""
        seen = self.seen.losses.fact()
        names = {call.loss for call in seen.calls if call.trains} if seen is not None else set()
        self.seen.record.fact("finished", finished)
        if names & {*CLASSIFIES, *BINARY}:
            self.seen.record.fact("task", "classification")
            self.seen.record.fact("metric", "accuracy")
            self.seen.record.fact("metric_greater_is_better", True)
        elif names & set(DISTANCES):
            self.seen.record.fact("task", "regression")
        untrained = self.seen.losses.untrained()
        if untrained is not None and len(names) == 1 and not self.seen.loaded and not self.seen.curves.several:
            self.seen.record.fact("expected_first_loss", untrained)
        balance = self.seen.sources.balance()
        losses = self.seen.losses
        single = len(names) == 1 and names <= set(CLASSIFIES) and losses.plain and not losses.weighted
        if single and balance is not None and losses.classes == len(balance.counts):
            self.seen.record.fact("class_counts", list(balance.counts))
            self.seen.record.fact("outputs", losses.classes)
        return []

    def data(self, finished: bool) -> list[Fact | None]:
        """Return what is known of the data."""
        train = self.seen.sources.training
        inputs = self.seen.sources.inputs.get(id(train)) if train is not None else None
        normalizes = any(
            root is not None and root.trained and (root.first_norm or root.rescales)
            for root in self.seen.models.roots.values()
        )
        facts: list[Fact | None] = [
            inputs.fact(split="train", normalized_first=normalizes) if inputs is not None else None,
            self.seen.losses.label_range(),
            self.seen.losses.target_scale(),
            self.seen.sources.overlap(),
            self.seen.sources.order(),
            self.seen.sources.repeats(),
            self.seen.workers.fact(train) if train is not None else None,
        ]
        if self.seen.losses.classes and not self.seen.losses.weighted:
            facts.append(self._balance())
        return [*facts, self._size()]

    def _balance(self) -> Fact | None:
        balance = self.seen.sources.balance()
        if balance is None or self.seen.last_answers is None or not self.seen.last_answers[0].labels.sum():
            return balance
        answers = self.seen.last_answers[0]
        rows = [tuple(int(n) for n in row) for row in (answers.counts, answers.recalled, answers.labels)]
        return type(balance)(balance.counts, balance.weighted, rows[0], rows[1], rows[2])

    def _size(self) -> Fact | None:
        if self.seen.last_answers is None or self.seen.last_answers[1] != "val":
            return None
        labels = self.seen.last_answers[0].labels
        count = int(labels.sum())
        if not count:
            return None
        score = float(self.seen.last_answers[0].recalled.sum()) / count
        low, high = wilson_interval(score, count)
        present = labels[labels > 0]
        return ValidationSize(count, score, (high - low) / 2, len(present), int(present.min()))

    def usage(self, finished: bool) -> list[Fact | None]:
        """Return what is known of how the optimizer, its schedule and its graphs are used."""
        train = self.seen.sources.training
        steps = {first_parameter(one): held.steps for one, held in self.seen.models.optimizers.items() if held.steps}
        batches = None
        if train is not None and train.begun and train.loader is not None:
            batches = max(1, round(self.seen.steps / train.begun)) if finished else train.batches_per_pass
        schedule = self.seen.schedules.fact(
            steps, epochs=train.begun if train is not None else 0, batches=batches, skipped=0, finished=finished
        )
        clipping, graphs = self.seen.record.known(Clipping), self.seen.record.known(GraphGrowth)
        if clipping is not None:
            clipping = self.seen.clips.completed(clipping)
        if graphs is not None:
            graphs = replace(graphs, retained=self.seen.retained, site=self.seen.losses.training_site)
        unneeded = self.seen.unneeded.fact()
        if unneeded is not None and unneeded.alive > (graphs.alive if graphs is not None else 0):
            graphs = replace(unneeded, evaluation=True)
        return [self.seen.clearing.fact(), schedule, self._unmoved(), clipping, graphs, self._settings()]

    def _settings(self) -> Fact | None:
        """Return the settings of the optimizers with the line that built the one that stepped most."""
        settings = self.seen.record.known(OptimizerSettings)
        most = max(self.seen.models.optimizers.values(), key=lambda held: held.steps, default=None)
        return settings if settings is None or most is None else replace(settings, site=most.site)

    def model(self, finished: bool) -> list[Fact | None]:
        """Return what is known of the model and its evaluations."""
        explicit = any(root is not None and root.evaluated for root in self.seen.models.roots.values())
        judged = self.seen.sources.all if self.seen.backwards else []
        answers = self.seen.last_answers
        return [
            self.seen.losses.fact(),
            self.seen.losses.first_fact(self.seen.loaded),
            self._coverage(),
            self.seen.symmetry.fact(self.seen.steps),
            self._spread(),
            mode_fact(judged, explicit=explicit),
            answers[0].fact(answers[2]) if answers is not None and self.seen.steps else None,
        ]

    def _spread(self) -> Fact | None:
        fact = self.seen.depths.fact()
        return None if fact is None else replace(fact, pretrained=self.seen.loaded)

    def _coverage(self) -> Fact | None:
        return self.seen.models.coverage(detached=self.seen.detached)

    def _unmoved(self) -> Fact | None:
        """Return that no optimizer ever stepped, and whether the weights moved all the same."""
        if self.seen.steps or not self.seen.backwards or self.seen.start is None:
            return None
        tensor, before = self.seen.start
        moved = not torch.equal(tensor.detach().reshape(-1)[: len(before)], before)
        return WeightsMoving(0, self.seen.backwards, 1, optimizers=self.seen.made, moved=moved)
