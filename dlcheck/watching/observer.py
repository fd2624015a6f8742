"""Listens to a script's training, and tells the monitor and the record what it hears."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from dlcheck.monitor.graphs import Graphs
from dlcheck.runs import RunFolder
from dlcheck.runs.facts import (
    Dropouts,
    Fact,
)
from dlcheck.watching.batches import first_tensor
from dlcheck.watching.evaluations import Answers, Modal, Passes, score
from dlcheck.watching.listener import Call, guarded
from dlcheck.watching.living import ByIdentity
from dlcheck.watching.loader_state import Block, Source
from dlcheck.watching.losses import Losses
from dlcheck.watching.models import Root, inner
from dlcheck.watching.place import user_site
from dlcheck.watching.steps import Steps
from dlcheck.watching.summary import Summary
from dlcheck.watching.symmetry import Symmetry
from dlcheck.watching.undropped import Undropped
from dlcheck.watching.workers import Probe, Workers

MOST_KEPT = 4096
"""Numbers of one weight that are kept, to tell whether it ever moved."""


@dataclass(slots=True)
class _Forward:
    """A forward pass under way or waiting for its backward pass."""

    root: Root
    module: weakref.ref[nn.Module]
    source: Source | None
    handle: Any = None
    graded: bool = True
    again: bool = False


@dataclass(slots=True)
class _Held:
    """What a source's passes with a graph came to; they are evaluation only if none of them is trained on."""

    passes: Passes = field(default_factory=Passes)


class Observer(Steps):
    """The listener of one run: to calls, losses, backward passes and loaders besides."""

    def __init__(self, folder: RunFolder, *, on_step: Callable[[Observer], None] | None = None) -> None:
        super().__init__(folder, on_step=on_step)
        self.losses = Losses(self.account)
        self.unneeded = Graphs()
        """Of losses of evaluations that recorded graphs."""
        self.detached = False
        """A backward pass was asked of a loss without a graph."""
        self.on_model: Callable[[nn.Module], None] | None = None
        """Told of each model that trains."""
        self._pid = os.getpid()
        self._open: list[_Forward] = []
        self._held: dict[int, _Held] = {}
        self._modal: ByIdentity[nn.Module, Modal] = ByIdentity()
        self._answers: dict[int, Answers] = {}
        self.last_answers: tuple[Answers, str, int] | None = None
        self.loaded = False
        self.symmetry, self._undropped = Symmetry(), Undropped()
        self.workers = Workers()
        self.retained = False
        """Some backward pass kept its graph."""
        self.start: tuple[Tensor, Tensor] | None = None

    @guarded
    def module_made(self, module: nn.Module) -> None:
        """A module's constructor has begun."""
        if os.getpid() != self._pid:
            self.active = False  # a forked worker: the doctor stays with the parent
            self.rest.end()
            return
        self.models.alive.add(module)

    @guarded
    def weights_loaded(self, module: nn.Module) -> None:
        """Values were loaded into a module."""
        self.loaded = True
        self.models.loaded |= {id(parameter) for parameter in module.parameters()}

    @guarded
    def call_begins(self, module: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any]) -> object | None:
        """A module is called from outside of all modules."""
        root = self.models.root(module)
        if root is None or not (self.awake or self._wakes(root)):
            return None
        root.calls += 1
        if not module.training:
            root.evaluated = True
        graded = torch.is_grad_enabled()
        rows = first_tensor(inputs) if inputs else first_tensor(named)
        source = self.sources.called_on(rows)
        if source is None:
            source = self._own_source(rows, graded)
        mark = _mark(rows)
        again, self._last_input = mark == self._last_input and mark != (0, 0), mark
        if graded and module.training and not self.steps:
            self.monitor.guard("depth", self.depths.begins, module, rows)
        return _Forward(root, weakref.ref(module), source, self.models.watch_calls(root, rows), graded, again)

    def _wakes(self, root: Root) -> bool:
        """Return whether a call that does not train is news: a teacher's call in every step is not."""
        train = self.sources.training
        return (root.trained or self.sources.current is not train) and self._wake()

    def _own_source(self, rows: Tensor | None, graded: bool) -> Source | None:
        source = self.sources.own(graded)
        self.sources.look(source, rows, None, self.steps)
        if graded and rows is not None:
            self.monitor.batch(rows)
        return source

    @guarded
    def call_ends(self, token: object | None, output: Any) -> None:
        """It has returned."""
        if not isinstance(token, _Forward):
            return
        if token.handle is not None:
            token.handle.remove()
            token.handle = None
        tensor = first_tensor(output)
        if not self.steps:
            self.monitor.guard("depth", self.depths.ends, *([] if tensor is None else [tensor]))
        graded = token.graded and tensor is not None and tensor.requires_grad
        if graded:
            self._open.append(token)
            if len(self._open) > 256:
                del self._open[:128]
        module = token.module()
        source = token.source
        if source is None or source.trained or module is None:
            return
        modal = self._modal.get(module)
        if modal is None:
            modal = self._modal[module] = Modal.of(module)
        passes = self._held.setdefault(id(source), _Held()).passes if graded else Passes()
        first = not passes.site and not source.forward_site
        passes.add(module, modal, again=token.again, site=user_site(4) if first else None)
        if not graded and not token.graded:
            passes.give(source)

    @guarded
    def loss_called(self, name: str, call: Call, result: Tensor | None) -> None:
        """A loss function has returned, or raised."""
        training = torch.is_grad_enabled() and (result is None or result.requires_grad)
        self.losses.called(name, call, result, training=training, steps=self.steps)
        source = self.sources.current or self.sources.own(training)
        if training and result is not None and self._evaluates(source):
            self.monitor.guard("graphs", self.unneeded.add, result)
        if training and self.monitor.looking:
            self.monitor.guard("dropout", self._undropped.note, self.monitor.calls, name, call)
        if training or result is None or not isinstance(call.get("target"), Tensor) or source.trained:
            return
        answers = self._answers.setdefault(id(source), Answers())
        score(source.block, answers, name, call, result)

    def _evaluates(self, source: Source) -> bool:
        """Return whether losses of a source are those of an evaluation: others train, and this one never did."""
        known = self.sources.training
        return known is not None and source is not known and known.trained > 0 and not source.trained

    @guarded
    def backward_begins(self, tensors: Any, retained: bool = False) -> None:
        """A backward pass is about to begin."""
        self.retained = self.retained or retained
        loss = tensors if isinstance(tensors, Tensor) else first_tensor([*tensors] if tensors is not None else [])
        loss = tensors[0] if loss is None and isinstance(tensors, list | tuple) and len(tensors) else loss
        if not isinstance(loss, Tensor):
            return
        self.backwards += 1
        true = self.scaled.true(loss)
        if self.awake:
            self.detached = self.detached or not loss.requires_grad
            self._trained()  # before the first one nobody knows which source trains, and which were evaluated
            self._evaluations_ended()
            self.clearing.backward()
        if true.numel() == 1:
            self.monitor.loss(true)
            value = self.monitor.value if true.is_cpu else None
            self._pending.append(true.detach() if value is None else value)

    def _trained(self) -> None:
        """Whatever ran forward with a graph since the last backward pass is what trains."""
        for forward in self._open:
            module = forward.module()
            forward.root.trained = True
            if forward.source is not None:
                forward.source.trained += 1
                self._held.pop(id(forward.source), None)
            if module is not None and not forward.root.attached:
                forward.root.attached = True
                weight = next((p for p in module.parameters() if p.requires_grad), None)
                if self.start is None and weight is not None:
                    self.start = weight, weight.detach().reshape(-1)[:MOST_KEPT].clone()
                self.monitor.add_model(module, self._prefix(module))
                if self.on_model is not None:
                    self.on_model(module)
                self.symmetry.begin(inner(module))
        self._open.clear()

    def _prefix(self, module: nn.Module) -> str:
        """Return what stands before the names of a model's layers: nothing for the only one."""
        top = self.models.top(module)
        if top is not module:
            return next((name for name, one in inner(top).named_modules() if one is module), "")
        return "" if len(self.models.trained()) < 2 else type(inner(module)).__name__.lower()

    @guarded
    def backward_ends(self) -> None:
        """It is over."""
        self.monitor.backward_ended()
        if not self.steps:
            self.monitor.guard("depth", self.depths.backward_ended)

    @guarded
    def workers_start(self, loader: Any) -> Probe | None:
        """A data loader starts its workers."""
        return self.workers.probe(loader)

    @guarded
    def loading_begins(self, loader: Any, iterator: Any) -> None:
        """A data loader is iterated from its beginning."""
        self._write()
        self.usual = 0
        source = self.sources.begins(loader, iterator)
        self.workers.belongs(loader, source)
        train = self.sources.training
        if source is train or (train is None and source.begun == 1):
            if source.begun > 1:
                self._evaluations_ended()
                self.curves.epoch_ended(self.steps, source.begun - 1)
            self.monitor.epoch(source.begun)
            self._epoch = self.epoch

    @guarded
    def batch_came(self, iterator: Any, batch: Any, wait_s: float) -> None:
        """A data loader's iterator yields a batch."""
        source = self.sources.came(iterator, batch, self.steps)
        usual = source is not None and source.current is None and source is self.sources.training
        self.usual = id(iterator) if usual else 0
        if not self.awake and (source is None or source is self.sources.training or not self._wake()):
            return
        if source is not None and torch.is_grad_enabled() and (source.trained or self.sources.training is None):
            self.monitor.batch(batch, wait_s)

    @guarded
    def loading_ended(self, iterator: Any) -> None:
        """It has no more."""
        source = self.sources.ended(iterator)
        if source is not None and not source.trained:
            held = self._held.pop(id(source), None)
            if held is not None:
                held.passes.give(source)
                self._open = [one for one in self._open if one.source is not source]

    def _evaluations_ended(self) -> None:
        """Training goes on: what was evaluated since is a point of the curves."""
        for source in self.sources.all:
            if not source.block.weight:
                continue
            split = self.sources.split(source)
            answers = self._answers.pop(id(source), Answers())
            self.curves.evaluated(split, source.block)
            if split == "val" or self.last_answers is None or self.last_answers[1] == "train_eval":
                self.last_answers = answers, split, self.steps
            source.block = Block()
        if self.epoch is None:  # no loader tells where an epoch ends: each evaluation is a row of its own
            self.curves.epoch_ended(self.steps, None)

    def close(self, *, finished: bool = True) -> None:
        """Put all facts into the record, and write everything."""
        self.drain()
        self._write()
        self._evaluations_ended()
        for source in self.sources.all:
            held = self._held.pop(id(source), None)
            if held is not None and not source.trained:
                held.passes.give(source)
        self.monitor.close()
        self.active = False
        self.rest.end()
        self._without_dropout()
        self.put_facts(finished=finished)
        self.workers.close()
        self.curves.close(self.steps, self.epoch)
        self.record.flush()
        self.active = False

    @guarded
    def _without_dropout(self) -> None:
        """Measure what dropout costs, now that nothing trains any more."""
        dropouts, found = self.record.known(Dropouts), self._undropped.measure()
        if dropouts is not None and found is not None:
            self.record.put(replace(dropouts, eval_loss=found[0], constant_loss=found[1]))

    def put_facts(self, *, finished: bool) -> None:
        """Put what is known so far into the record."""
        summary = Summary(self)
        for part in (summary.plain, summary.data, summary.usage, summary.model):
            for found in self._careful(part, finished):
                self.record.put(found)

    def _careful(self, part: Callable[[bool], list[Fact | None]], finished: bool) -> list[Fact]:
        try:
            return [found for found in part(finished) if found is not None]
        except Exception as error:  # one part's fault must not take the others along
            self.failed(part.__name__, error)
            return []


def _mark(rows: Tensor | None) -> tuple[int, int]:
    """Return what tells a batch from the one before, without looking at its numbers."""
    if rows is None or rows.is_sparse:
        return 0, 0
    return rows.data_ptr(), 0 if rows.is_inference() else rows._version
