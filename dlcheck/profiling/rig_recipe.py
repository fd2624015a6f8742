"""A recipe's training under a meter: the same parts and steps as ``dlcheck train`` has, without its reports."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import Tensor

from dlcheck.components.batches import Batch
from dlcheck.components.data.loader_batches import LoaderBatches
from dlcheck.components.transfer import freeze_modes
from dlcheck.profiling.feed import Feed
from dlcheck.profiling.found import Found
from dlcheck.profiling.loader_hooks import LoaderHooks
from dlcheck.profiling.look import found_recipe
from dlcheck.profiling.meter import Meter
from dlcheck.profiling.overriding import recipe_changes
from dlcheck.profiling.recipe_probe import LoaderProbe
from dlcheck.profiling.settings import TrialSettings
from dlcheck.profiling.stepping import BACKWARD, FORWARD, OPTIMIZER
from dlcheck.recipe import load_recipe
from dlcheck.recipe.resolve import resolve
from dlcheck.training.assemble import assemble
from dlcheck.training.device import choose_device
from dlcheck.training.step import Stepper
from dlcheck.training.trainer import Trainer


class RecipeRig:
    """Builds what a recipe names, and trains on its batches, on a few of them over and over, or only loads them."""

    def __init__(self, settings: TrialSettings, hooks: LoaderHooks) -> None:
        subject = settings.subject
        loaded = load_recipe(subject.name, [*subject.changes, *recipe_changes(settings)])
        device = choose_device(subject.device)
        hooks.install(iterators=False)
        self.parts = assemble(resolve(loaded), folder=loaded.folder, device=device)
        self.trainer = Trainer(self.parts)
        probe, train = LoaderProbe(), self.parts.data.train
        if isinstance(train, LoaderBatches):
            train.watch(probe)
            hooks.time_transforms(train.dataset)
        self.transforms = hooks.transforms
        self.feed = Feed(
            epoch=train.epoch,
            place=self.trainer.place,
            taken=probe.taken,
            host=device.type == "cpu",
            mode=settings.mode,
            kept=settings.kept,
            augment=self.parts.data.augment,
        )

    def look(self) -> Found:
        """Return what is known of the training so far."""
        return found_recipe(self)

    def train(self, meter: Meter) -> str:
        """Train epoch after epoch, beyond the recipe's last one too, until the meter's rest raises."""
        stepper = _TimedStepper(self.trainer, meter)
        for batches in self.feed.epochs(meter):
            self.trainer.model.train()
            freeze_modes(self.trainer.model)
            if meter.untrained:
                for _ in batches:
                    pass
            else:
                self._epoch(batches, stepper, meter)
        return "finished"

    def _epoch(self, batches: Iterator[Batch], stepper: _TimedStepper, meter: Meter) -> None:
        accumulate, waiting = self.trainer.train.accumulate, []
        for batch in batches:
            waiting.append(batch)
            if len(waiting) == accumulate:
                self._step(waiting, stepper, meter)
                waiting = []
        if waiting:
            self._step(waiting, stepper, meter)

    def _step(self, batches: list[Batch], stepper: _TimedStepper, meter: Meter) -> None:
        trainer = self.trainer
        meter.lost(stepper.step(trainer.optimizer, batches, ()))
        trainer.state.step += 1
        if trainer.state.step < trainer.total_steps:
            trainer.schedule.after_step()
        if self.parts.average is not None:
            self.parts.average.update(trainer.state.step)


class _TimedStepper(Stepper):
    """A ``Stepper`` that tells a meter of its phases."""

    def __init__(self, trainer: Trainer, meter: Meter) -> None:
        plain = trainer.stepper
        super().__init__(plain.model, plain.loss, plain.hooks, plain.train, trainer.parts.device)
        self._meter = meter
        self.listener = _Backward(meter)
        trainer.optimizer.register_step_pre_hook(lambda *_: meter.begin(OPTIMIZER))
        trainer.optimizer.register_step_post_hook(lambda *_: meter.end(OPTIMIZER))

    def _forward(self, batch: Batch, share: float, *, again: bool = False) -> tuple[Tensor, Tensor]:
        self._meter.begin(FORWARD)
        try:
            return super()._forward(batch, share, again=again)
        finally:
            self._meter.end(FORWARD)


class _Backward:
    """Hears where the backward pass begins and ends."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter

    def batch(self, batch: object, wait_s: float | None = None) -> None:
        """Nothing to hear."""

    def loss(self, loss: Tensor, *, again: Any = None) -> None:
        """The backward pass begins."""
        self._meter.begin(BACKWARD)

    def backward_ended(self) -> None:
        """It is over."""
        self._meter.end(BACKWARD)

    def clipped(self, norm: Tensor | float, limit: float) -> None:
        """Nothing to hear."""
