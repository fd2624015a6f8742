"""A whole training: from a recipe to a run folder with a verdict."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from dlcheck.components.losses import expected_first_loss, trivial_loss
from dlcheck.components.transfer import transfer_advice
from dlcheck.errors import DlcheckError, one_line
from dlcheck.recipe import LoadedRecipe, Recipe, dump_recipe, load_recipe
from dlcheck.recipe.resolve import resolve, uses_own_code
from dlcheck.report.files import write_reports
from dlcheck.report.report import Report
from dlcheck.rules import diagnose, verdict
from dlcheck.runs import read_run
from dlcheck.runs.atomic import write_atomic
from dlcheck.runs.folder import RunFolder, default_run_path, read_object, refuse_existing_run
from dlcheck.training.answers import measure_answers
from dlcheck.training.assemble import assemble, describe_model
from dlcheck.training.callbacks import Callback
from dlcheck.training.checkpoint import BEST, LAST, Checkpointer, load_checkpoint, restore
from dlcheck.training.device import choose_device
from dlcheck.training.interrupt import StopOnInterrupt
from dlcheck.training.monitoring import Monitoring
from dlcheck.training.recorder import Recorder
from dlcheck.training.state import TrainState
from dlcheck.training.trainer import Parts, Trainer


@dataclass(frozen=True, slots=True)
class TrainResult:
    """What a training left behind."""

    folder: Path
    recipe: Recipe
    """As it ran: every default and path resolved."""
    report: Report
    facts: dict[str, Any]
    stopped: str | None
    """Why it ended before its last epoch: ``patience``, ``max_steps``, ``interrupted``, ``non-finite loss``."""


def train(
    loaded: LoadedRecipe,
    *,
    device: str = "auto",
    run_path: Path | None = None,
    callbacks: Iterable[Callback] = (),
    fold: int | None = None,
) -> TrainResult:
    """Train a recipe into a new run folder.

    Args:
        loaded: The recipe.
        device: ``auto``, ``cpu`` or ``cuda[:N]``.
        run_path: The run folder to make; unset: ``dlcheck-runs/NAME-DATE-TIME``.
        callbacks: Listeners beside the recorders.
        fold: The fold that validates, when cross-validating.

    Raises:
        DlcheckError: bad recipe, data or code of the user's; or the run folder exists.
    """
    recipe = resolve(loaded)
    place = choose_device(device)
    path = run_path or default_run_path(loaded.name)
    refuse_existing_run(path)
    with _explained(recipe, place):
        parts = assemble(recipe, folder=loaded.folder, device=place, fold=fold)
    threads = torch.get_num_threads()
    recipe = recipe.model_copy(update={"train": recipe.train.model_copy(update={"threads": threads})})
    folder = RunFolder.create(path)
    write_atomic(folder.recipe, dump_recipe(recipe, f"{loaded.name}, resolved"))
    folder.add_facts(describe_run(parts, loaded.name, fold) | {"device": str(place), "torch_threads": threads})
    trainer = Trainer(parts, _listeners(folder, recipe, callbacks))
    return _run(trainer, folder, recipe)


def resume(path: Path, *, device: str | None = None, callbacks: Iterable[Callback] = ()) -> TrainResult:
    """Go on with a run from its last checkpoint, or from the start when it died before the first.

    On a CPU the result is bit for bit that of a run that was never interrupted.

    Raises:
        DlcheckError: no run folder, or a training that already ended.
    """
    folder = RunFolder.open(path)
    loaded = load_recipe(folder.recipe)
    facts = read_object(folder.facts)
    if facts.get("finished"):
        raise DlcheckError(f"{path}: this training has ended; to train on, start a new run with more train.epochs")
    place = choose_device(device or str(facts.get("device", "auto")))
    last = folder.checkpoints / LAST
    saved = load_checkpoint(last, place) if last.exists() else None
    state = TrainState.from_dict(saved["state"]) if saved else TrainState()
    with _explained(loaded.recipe, place):
        parts = assemble(
            loaded.recipe,
            folder=loaded.folder,
            device=place,
            fold=fold if isinstance(fold := facts.get("fold"), int) else None,
            fresh=saved is None,
        )
        trainer = Trainer(parts, _listeners(folder, loaded.recipe, callbacks), state)
        if saved is not None:
            restore(trainer, saved)
    return _run(trainer, folder, loaded.recipe)


def _run(trainer: Trainer, folder: RunFolder, recipe: Recipe) -> TrainResult:
    with _explained(recipe, trainer.parts.device):
        trainer.fit()
        finished = trainer.stop != "interrupted"
        facts: dict[str, Any] = {"stopped": trainer.stop, "best_epoch": trainer.state.best_epoch, "finished": finished}
        facts |= _best_epoch(trainer)
        folder.add_facts(facts | (_test(trainer, folder) | measure_answers(trainer, folder) if finished else {}))
    run = read_run(folder.path)
    rules = recipe.rules
    outcome = diagnose(run, select=rules.select, ignore=rules.ignore, thresholds=rules.thresholds)
    report = write_reports(folder, run, outcome, verdict(outcome))
    return TrainResult(folder.path, recipe, report, read_object(folder.facts), trainer.stop)


def _listeners(folder: RunFolder, recipe: Recipe, callbacks: Iterable[Callback]) -> list[Callback]:
    """Return all callbacks; the recorder comes before the checkpoint that vouches for its rows."""
    listeners: list[Callback] = [Recorder(folder), Monitoring(folder), *callbacks]
    if recipe.train.tensorboard:
        from dlcheck.training.tensorboard import TensorBoardWriter

        listeners.append(TensorBoardWriter(folder.path / "tensorboard"))
    return [*listeners, StopOnInterrupt(), Checkpointer(folder)]


def _best_epoch(trainer: Trainer) -> dict[str, float]:
    """Return the validation metrics of the best epoch, as ``best_val_*``."""
    rows = [row for row in trainer.state.history if row["epoch"] == trainer.state.best_epoch]
    return {f"best_{name}": value for row in rows for name, value in row.items() if name.startswith("val_")}


def _test(trainer: Trainer, folder: RunFolder) -> dict[str, Any]:
    """Measure the weights that are the run's result on the test split."""
    best = folder.checkpoints / BEST
    kept = trainer.train.restore_best and best.exists()
    if kept:
        saved = load_checkpoint(best, trainer.parts.device)
        trainer.model.load_state_dict(saved["model"])
    if trainer.data.test is None:
        return {}
    if kept:  # best.pt holds averaged weights already
        measured = trainer.evaluator.measure(trainer.data.test, "test")
    else:
        with trainer.averaged():
            measured = trainer.evaluator.measure(trainer.data.test, "test")
    return measured | {"tested_weights": "best" if kept else "last"}


def describe_run(parts: Parts, name: str, fold: int | None) -> dict[str, Any]:
    """Return what is known of a training before its first step, for ``facts.json``."""
    info = parts.data.info
    facts: dict[str, Any] = {
        "recipe": name,
        "task": info.task,
        "metric": parts.metric.name,
        "metric_greater_is_better": parts.metric.greater_is_better,
        "outputs": info.outputs,
        "input_shape": list(info.input_shape),
        "samples": dict(info.sizes),
        "trivial_loss": trivial_loss(parts.loss, info),
        "expected_first_loss": expected_first_loss(parts.loss, info),
        "notes": list(info.notes),
        "fold": fold,
        **describe_model(parts.model),
    }
    if (advice := transfer_advice(parts.recipe.model, info)) is not None:
        facts["transfer"] = asdict(advice)
    return facts


class _explained:
    """Turns what the user's code or the machine cannot do into one clear line."""

    def __init__(self, recipe: Recipe, device: torch.device) -> None:
        self.recipe, self.device = recipe, device

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if error is None or isinstance(error, DlcheckError) or not isinstance(error, Exception):
            return
        if isinstance(error, torch.OutOfMemoryError):
            batch = self.recipe.train.batch_size
            raise DlcheckError(
                f"{self.device} is out of memory with train.batch_size = {batch}; "
                "take a smaller one, and train.accumulate for the same step"
            ) from error
        if "more than 1 value per channel" in str(error):
            raise DlcheckError(
                "batch normalisation cannot train on a batch of one sample; "
                "set train.drop_last = true or another train.batch_size"
            ) from error
        if uses_own_code(self.recipe):
            raise DlcheckError(f"the recipe's own code raised {type(error).__name__}: {one_line(error)}") from error
