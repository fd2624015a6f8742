"""The mode in which a loop of the user's own trains and evaluates."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn

from dlcheck.checks.exam import Exam, Measured, Skipped
from dlcheck.checks.patient import Patient
from dlcheck.monitor.depth import BATCH_NORMS
from dlcheck.runs.facts import EvaluationMode, TrainingMode

STEPS = 3
MOST_NAMES = 10
DROPOUTS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, nn.FeatureAlphaDropout)


def measure_modes(patient: Patient) -> Measured:
    """Let the factory's own step train and its own evaluation evaluate, and look at the mode of what depends on it."""
    if patient.train_step is None and patient.evaluate is None:
        raise Skipped(
            "dlcheck sets the modes itself" if patient.recipe else "the factory has neither train_step nor evaluate"
        )
    moody = {m: name for name, m in patient.model.named_modules() if _depends_on_mode(m)}
    if not moody:
        raise Skipped("no dropout and no batch normalisation")
    facts: list[TrainingMode | EvaluationMode] = []
    if patient.train_step is not None:
        facts.append(_training(patient, moody))
    if patient.evaluate is not None:
        patient.model.train()  # as the epoch before leaves it
        facts.append(_evaluation(patient, moody))
    wrong = sum(fact.in_eval_mode if isinstance(fact, TrainingMode) else fact.in_train_mode for fact in facts)
    return Measured(tuple(facts), number=f"{wrong} passes in the wrong mode", expected="0")


def _depends_on_mode(module: nn.Module) -> bool:
    return isinstance(module, BATCH_NORMS) or (isinstance(module, DROPOUTS) and module.p > 0)


def _training(patient: Patient, moody: dict[nn.Module, str]) -> TrainingMode:
    assert patient.train_step is not None
    steps = in_eval = 0
    seen: set[nn.Module] = set()
    root: list[bool] = []
    for batch in patient.batches(STEPS):
        with _noted(patient.model, moody) as passes:
            patient.train_step(batch)
        quiet = {m for m, training in passes if not training and m in moody and _trains(m)}
        root += [training for m, training in passes if m is patient.model]
        seen |= quiet
        steps += 1
        in_eval += bool(quiet)
    batchnorm = any(isinstance(m, BATCH_NORMS) for m in seen)
    return TrainingMode(
        steps=steps,
        in_eval_mode=in_eval,
        modules=tuple(sorted(moody[m] for m in seen)[:MOST_NAMES]),
        dropout=any(isinstance(m, DROPOUTS) for m in seen),
        batchnorm=batchnorm,
        only_batchnorm=bool(seen) and all(isinstance(m, BATCH_NORMS) for m in seen) and all(root),
        never_trained_mode=bool(root) and not any(root),
        first_step=1 if in_eval else None,
    )


def _trains(module: nn.Module) -> bool:
    parameters = list(module.parameters())
    return not parameters or any(parameter.requires_grad for parameter in parameters)


def _evaluation(patient: Patient, moody: dict[nn.Module, str]) -> EvaluationMode:
    assert patient.evaluate is not None
    with _noted(patient.model, moody) as passes:
        patient.evaluate()
    loud = {m for m, training in passes if training and m in moody}
    roots = [training for m, training in passes if m is patient.model]
    return EvaluationMode(
        passes=len(roots),
        in_train_mode=len(roots) if loud else 0,
        modules=tuple(sorted(moody[m] for m in loud)[:MOST_NAMES]),
        batchnorm=any(isinstance(m, BATCH_NORMS) for m in loud),
        dropout=any(isinstance(m, DROPOUTS) for m in loud),
        stateful_only_batchnorm=bool(loud) and not any(roots) and all(isinstance(m, BATCH_NORMS) for m in loud),
        explicit=bool(roots) and not all(roots),
    )


@contextmanager
def _noted(model: nn.Module, moody: dict[nn.Module, str]) -> Iterator[list[tuple[nn.Module, bool]]]:
    """Collect the mode in which the model and the modules that depend on it are called."""
    passes: list[tuple[nn.Module, bool]] = []

    def note(module: nn.Module, inputs: tuple[Any, ...]) -> None:
        passes.append((module, module.training))

    handles = [module.register_forward_pre_hook(note) for module in {model, *moody}]
    try:
        yield passes
    finally:
        for handle in handles:
            handle.remove()


EXAM = Exam("train and eval mode", ("M212", "M213"), measure_modes, share=0.5)
