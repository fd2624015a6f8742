"""Evaluations: the mode they ran in, what they came to, and what the network answered."""

from __future__ import annotations

import weakref
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dlcheck.runs.facts import EvaluationMode, Predictions, Site
from dlcheck.watching.listener import Call
from dlcheck.watching.loader_state import Block, Source
from dlcheck.watching.losses import BINARY, CLASSIFIES, DISTANCES

MOST_NAMES = 10
MOST_CLASSES = 1000
_DROPOUT = nn.modules.dropout._DropoutNd
_NORM = nn.modules.batchnorm._BatchNorm


@dataclass(slots=True)
class Modal:
    """The modules of a model that behave differently in both modes."""

    modules: list[tuple[str, str, weakref.ref[nn.Module]]] = field(default_factory=list)

    @classmethod
    def of(cls, model: nn.Module) -> Modal:
        """List dropouts that drop, and batch norms."""
        found: list[tuple[str, str, weakref.ref[nn.Module]]] = []
        for name, module in model.named_modules():
            if isinstance(module, _DROPOUT) and module.p > 0:
                found.append((name, "dropout", weakref.ref(module)))
            elif isinstance(module, _NORM):
                found.append((name, "batchnorm", weakref.ref(module)))
        return cls(found)

    def training(self) -> dict[str, str]:
        """Return the names and kinds of those that are in training mode now."""
        return {name: kind for name, kind, place in self.modules if (module := place()) is not None and module.training}


@dataclass(slots=True)
class Passes:
    """Forward passes without a backward pass, over one source; held back until it is known that none comes."""

    forwards: int = 0
    in_train_mode: int = 0
    modes: dict[str, str] = field(default_factory=dict)
    only_batchnorm: bool = True
    repeated: int = 0
    site: Site | None = None

    def add(self, model: nn.Module, modal: Modal, *, again: bool, site: Site | None) -> None:
        """Take note of one."""
        self.forwards += 1
        self.repeated += again
        self.site = self.site or site
        found = modal.training()
        if found:
            self.in_train_mode += 1
            self.modes.update(found)
            self.only_batchnorm = self.only_batchnorm and not model.training and "dropout" not in found.values()

    def give(self, source: Source) -> None:
        """Count them as evaluation of a source."""
        source.forwards += self.forwards
        source.in_train_mode += self.in_train_mode
        source.modes.update(self.modes)
        source.only_batchnorm = source.only_batchnorm and self.only_batchnorm
        source.repeated += self.repeated
        source.forward_site = source.forward_site or self.site


def mode_fact(sources: list[Source], *, explicit: bool) -> EvaluationMode | None:
    """Return the modes of all evaluations on data that is not trained on; None without any."""
    judged = [one for one in sources if not one.trained and one.forwards]
    if not judged:
        return None
    modes = {name: kind for one in judged for name, kind in one.modes.items()}
    wrong = [one for one in judged if one.in_train_mode]
    return EvaluationMode(
        passes=sum(one.forwards for one in judged),
        in_train_mode=sum(one.in_train_mode for one in judged),
        modules=tuple(modes)[:MOST_NAMES],
        batchnorm="batchnorm" in modes.values(),
        dropout="dropout" in modes.values(),
        repeated=any(one.repeated for one in wrong),
        stateful_only_batchnorm=bool(wrong) and all(one.only_batchnorm for one in wrong),
        explicit=explicit,
        site=next((one.forward_site for one in (*wrong, *judged) if one.forward_site is not None), None),
    )


@dataclass(slots=True)
class Answers:
    """What the network answered in the evaluation under way."""

    counts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    labels: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    recalled: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    moments: list[tuple[float, float, float, float, int]] = field(default_factory=list)
    """Of each batch: sum and sum of squares of the answers, the same of the targets, numbers."""

    def classes(self, predicted: Tensor, target: Tensor, classes: int) -> None:
        """Add class codes; shape (samples,) both."""
        if classes > MOST_CLASSES:
            return
        for name, codes in (("counts", predicted), ("labels", target), ("recalled", target[predicted == target])):
            found = torch.bincount(codes[codes >= 0].reshape(-1), minlength=classes).cpu().numpy()
            before = getattr(self, name)
            size = max(len(found), len(before))
            setattr(self, name, np.pad(before, (0, size - len(before))) + np.pad(found, (0, size - len(found))))

    def numbers(self, answer: Tensor, target: Tensor) -> None:
        """Add the answers of a regression; any shape, the same of both."""
        x, y = answer.double(), target.double()
        self.moments.append(
            (float(x.sum()), float(x.square().sum()), float(y.sum()), float(y.square().sum()), x.numel())
        )

    def fact(self, step: int) -> Predictions | None:
        """Return the fact; None when nothing was answered."""
        if self.labels.sum():
            counts, labels = (tuple(int(n) for n in row) for row in (self.counts, self.labels))
            return Predictions(samples=int(self.labels.sum()), counts=counts, labels=labels, step=step)
        count = sum(row[4] for row in self.moments)
        if count < 2:
            return None
        sx, sxx, sy, syy = (sum(row[place] for row in self.moments) for place in range(4))
        deviations = [
            max(squares / count - (total / count) ** 2, 0.0) ** 0.5 for total, squares in ((sx, sxx), (sy, syy))
        ]
        return Predictions(samples=count, output_std=deviations[0], target_std=deviations[1], step=step)


@torch.no_grad()
def score(block: Block, answers: Answers, name: str, call: Call, result: Tensor) -> None:
    """Add a loss that was computed without training to an evaluation, and how many answers were right."""
    given, target = call["input"].detach(), call["target"].detach()
    rows = len(given) if given.ndim else 1
    if result.ndim == 0:
        summed = call.get("reduction", "mean") == "sum"
        block.loss += float(result) * (1 if summed else rows)
        block.weight += rows
    elif result.ndim == 1:
        block.loss += float(result.sum())
        block.weight += rows
    if name in CLASSIFIES and given.ndim == 2 and target.ndim == 1 and not target.is_floating_point():
        _classified(block, answers, given.argmax(1), target, given.shape[1])
    elif name in BINARY and given.shape == target.shape and given.numel() == rows:
        middle = 0.0 if name.endswith("logits") else 0.5
        _classified(block, answers, (given.reshape(-1) > middle).long(), (target.reshape(-1) > 0.5).long(), 2)
    elif name in DISTANCES and given.shape == target.shape and given.is_floating_point():
        answers.numbers(given, target)


def _classified(block: Block, answers: Answers, predicted: Tensor, target: Tensor, classes: int) -> None:
    block.right += int((predicted == target).sum())
    block.judged += len(target)
    answers.classes(predicted, target, classes)
