"""What the trained network answers, and what its dropout costs: facts of the end of a training."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import torch
from torch import Tensor, nn

from dlcheck.components.batches import Batches
from dlcheck.runs import RunFolder
from dlcheck.runs.facts import ClassBalance, Dropouts, Predictions
from dlcheck.runs.folder import read_object
from dlcheck.training.trainer import Trainer

MOST = 4096
"""Samples looked at, at most."""


def measure_answers(trainer: Trainer, folder: RunFolder) -> dict[str, object]:
    """Return the facts on the weights that the model now holds, to be added to the run's."""
    facts = [_answers(trainer), _balance(trainer), _dropouts(trainer, folder)]
    return {name: value for fact in facts if fact is not None for name, value in fact.as_dict().items()}


def _balance(trainer: Trainer) -> ClassBalance | None:
    info = trainer.data.info
    if info.task != "classification" or not info.class_counts:
        return None
    weighted = getattr(trainer.parts.recipe.loss, "class_weights", "none") not in (None, "none")
    fact = ClassBalance(tuple(info.class_counts), weighted=weighted)
    if trainer.data.val is None:
        return fact
    output, target = _outputs(trainer, trainer.data.val)
    said, labels = _classes(output, target)
    classes = max(len(info.class_counts), info.outputs)
    return replace(
        fact,
        predicted=_counts(said, classes),
        recalled=_counts(labels[said == labels], classes),
        actual=_counts(labels, classes),
    )


def _answers(trainer: Trainer) -> Predictions | None:
    info = trainer.data.info
    output, target = _outputs(trainer, trainer.data.val or trainer.data.train_eval)
    flat = output.float().reshape(len(output), -1)
    difference = float((flat.amax(0) - flat.amin(0)).max())
    fact = Predictions(samples=len(output), largest_difference=difference, step=trainer.state.step)
    if info.task == "classification" and output.ndim <= 2:
        said, labels = _classes(output, target)
        classes = max(len(info.class_counts), info.outputs, 2)
        return replace(fact, counts=_counts(said, classes), labels=_counts(labels, classes))
    if info.task in ("regression", "reconstruction"):
        goal = target.float().reshape(len(target), -1)
        deviations = (float(x.std(0, correction=0).mean()) for x in (flat, goal))
        return replace(fact, output_std=next(deviations), target_std=next(deviations))
    return None


def _dropouts(trainer: Trainer, folder: RunFolder) -> Dropouts | None:
    """Complete the fact that the monitor has left with losses on the same samples, with dropout and without."""
    known = read_object(folder.facts).get(Dropouts.NAME)
    if not isinstance(known, dict) or not known.get("layers"):
        return None
    without = _loss(trainer)
    with _only_dropout_trains(trainer.model):
        having = _loss(trainer)
    on_output = bool(known.get("on_output"))
    return Dropouts(tuple(known["layers"]), tuple(known["rates"]), having, without, on_output)


def _loss(trainer: Trainer) -> float:
    total, count = 0.0, 0
    with torch.inference_mode():
        for batch in _batches(trainer, trainer.data.train_eval):
            *inputs, target = batch
            with trainer.evaluator.autocast:
                loss = trainer.parts.loss(trainer.model(*inputs), target)
            total += float(loss) * len(target)
            count += len(target)
    return total / count


@contextmanager
def _only_dropout_trains(model: nn.Module) -> Iterator[None]:
    """Put dropout in force and nothing else, and leave random numbers and modes as they were."""
    modes = [(module, module.training) for module in model.modules()]
    with torch.random.fork_rng():
        for module in model.modules():
            module.training = isinstance(module, nn.modules.dropout._DropoutNd)
        try:
            yield
        finally:
            for module, mode in modes:
                module.training = mode


def _outputs(trainer: Trainer, batches: Batches) -> tuple[Tensor, Tensor]:
    """Return outputs and targets on the CPU, in evaluation mode."""
    was_training = trainer.model.training
    trainer.model.eval()
    try:
        with torch.inference_mode(), trainer.evaluator.autocast:
            pairs = [(trainer.model(*batch[:-1]), batch[-1]) for batch in _batches(trainer, batches)]
    finally:
        trainer.model.train(was_training)
    return torch.cat([output.cpu() for output, _ in pairs]), torch.cat([target.cpu() for _, target in pairs])


def _batches(trainer: Trainer, batches: Batches) -> Iterator[tuple[Tensor, ...]]:
    seen = 0
    for batch in batches.epoch(0):
        if seen >= MOST:
            return
        seen += len(batch[-1])
        yield trainer.place(batch)


def _classes(output: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Return the classes answered and the true ones; a single output is the logit of the second class."""
    labels = target.argmax(-1) if target.ndim == 2 and target.shape[-1] > 1 else target.flatten().long()
    if output.ndim == 1 or output.shape[-1] == 1:
        return (output.flatten() > 0).long(), labels
    return output.argmax(-1), labels


def _counts(codes: Tensor, classes: int) -> tuple[int, ...]:
    return tuple(torch.bincount(codes, minlength=classes).tolist())
