"""Modes and batches of a training: dropout and batch norm in force, and over how many values."""

from __future__ import annotations

from collections import Counter

from torch import nn

from dlcheck.monitor.parameters import full_name
from dlcheck.runs.facts import BatchNormBatches, Dropouts, TrainingMode

MOST_NAMES = 10
MOST_LAYERS = 20
_DROPOUT = nn.modules.dropout._DropoutNd
_NORM = nn.modules.batchnorm._BatchNorm


class Modes:
    """Follows the mode of one model's dropouts and batch norms through its training steps."""

    def __init__(self, model: nn.Module, prefix: str) -> None:
        self.model = model
        self._prefix = prefix
        self.steps = self.in_eval = 0
        self._first: int | None = None
        self._quiet: dict[str, nn.Module] = {}
        self._batches: Counter[int] = Counter()
        self._norms: dict[str, tuple[int, int]] = {}
        self.dropout_on_output = False
        self._modal: list[tuple[str, nn.Module]] = []
        self._root_eval = 0
        self.refresh()

    def refresh(self) -> None:
        """List the modules whose mode matters, as the model now has them."""
        self._modal = [
            (full_name(self._prefix, name), module)
            for name, module in self.model.named_modules()
            if (isinstance(module, _DROPOUT) and module.p > 0) or (isinstance(module, _NORM) and _trains(module))
        ]

    def forward(self, batch: int) -> None:
        """Take note of a forward pass that may train, on ``batch`` samples."""
        if batch:
            self._batches[batch] += 1

    def step(self, step: int) -> None:
        """Take note of an optimizer step after such passes."""
        self.steps += 1
        quiet = [item for item in self._modal if not item[1].training]
        if not quiet:
            return
        self.in_eval += 1
        self._root_eval += not self.model.training
        self._first = step if self._first is None else self._first
        self._quiet.update(quiet)

    def norms(self, found: dict[str, tuple[int, int]]) -> None:
        """Take note of values per channel and samples that batch norms saw."""
        self._norms.update(found)

    def mode_fact(self) -> TrainingMode | None:
        """Return the fact on modes; None when no module has any, or nothing trained."""
        if not self._modal or not self.steps:
            return None
        norms = [isinstance(module, _NORM) for module in self._quiet.values()]
        return TrainingMode(
            steps=self.steps,
            in_eval_mode=self.in_eval,
            modules=tuple(self._quiet)[:MOST_NAMES],
            dropout=bool(norms) and not all(norms),
            batchnorm=any(norms),
            only_batchnorm=bool(norms) and all(norms) and not self._root_eval,
            never_trained_mode=self.in_eval == self.steps,
            first_step=self._first,
            partly=bool(self._quiet) and not self._root_eval,
        )

    def norm_fact(self) -> BatchNormBatches | None:
        """Return the fact on batch norms; None when none was in force."""
        if not self._norms or not self._batches:
            return None
        batch, smallest = self._batches.most_common(1)[0][0], min(self._batches)
        per_sample = min(values / samples for values, samples in self._norms.values())
        return BatchNormBatches(
            layers=tuple(self._norms)[:MOST_LAYERS],
            layer_count=len(self._norms),
            batch=batch,
            smallest=smallest,
            values=round(per_sample * batch),
            smallest_values=round(per_sample * smallest),
        )

    def dropouts(self) -> dict[str, float]:
        """Return the dropouts and their rates."""
        return {name: float(module.p) for name, module in self._modal if isinstance(module, _DROPOUT)}


def dropout_fact(modes: list[Modes]) -> Dropouts | None:
    """Return the dropouts of all models; None when there are none."""
    rates = {name: rate for one in modes for name, rate in one.dropouts().items()}
    on_output = any(one.dropout_on_output for one in modes)
    return Dropouts(tuple(rates), tuple(rates.values()), on_output=on_output) if rates else None


def merged_modes(modes: list[Modes]) -> TrainingMode | None:
    """Return the fact of the model that has most steps in evaluation mode."""
    facts = [fact for one in modes if (fact := one.mode_fact()) is not None]
    return max(facts, key=lambda fact: fact.in_eval_mode, default=None)


def merged_norms(modes: list[Modes]) -> BatchNormBatches | None:
    """Return the fact of the model whose batch norms see fewest values."""
    facts = [fact for one in modes if (fact := one.norm_fact()) is not None]
    return min(facts, key=lambda fact: fact.smallest_values, default=None)


def _trains(module: nn.Module) -> bool:
    own = list(module.parameters(recurse=False))
    return not own or any(p.requires_grad for p in own)
