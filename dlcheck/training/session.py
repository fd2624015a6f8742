"""A whole training: from a recipe to a run folder with a verdict."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from dlcheck.components.data.order import seed_of
from dlcheck.components.losses import expected_first_loss, trivial_loss
from dlcheck.components.transfer import transfer_advice
from dlcheck.errors import DlcheckError, one_line
from dlcheck.recipe import LoadedRecipe, Recipe, dump_recipe, load_recipe
from dlcheck.recipe.code import uses_own_code
from dlcheck.recipe.resolve import resolve
from dlcheck.report.files import write_reports
from dlcheck.report.report import Report
from dlcheck.rules import diagnose, verdict
from dlcheck.runs import Event, read_run
from dlcheck.runs.folder import RunFolder, default_run_path, read_object, refuse_existing_run
from dlcheck.runs.hold import Hold
from dlcheck.training.answers import measure_answers
from dlcheck.training.assemble import assemble, describe_model
from dlcheck.training.callbacks import Callback
from dlcheck.training.checkpoint import BEST, LAST, Checkpointer, load_newest, restore, settle_best
from dlcheck.training.device import choose_device, seed_everything
from dlcheck.training.interrupt import StopOnInterrupt
from dlcheck.training.monitoring import Checksums, Monitoring
from dlcheck.training.ranks import ALONE, Ranks, joined, rank_device
from dlcheck.training.recorder import Recorder
from dlcheck.training.sharding import is_sharded
from dlcheck.training.shares import rate_rules, share_out, take_whole, unshard
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
    signal: int | None = None
    """The signal that interrupted it, where one did."""


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
    result = train_share(loaded, ALONE, device=device, run_path=run_path, callbacks=callbacks, fold=fold)
    assert result is not None  # who trains alone leads
    return result


def train_share(
    loaded: LoadedRecipe,
    ranks: Ranks,
    *,
    device: str = "auto",
    run_path: Path | None = None,
    callbacks: Iterable[Callback] = (),
    fold: int | None = None,
    tell: Callable[[str], None] = lambda line: None,
) -> TrainResult | None:
    """Train a recipe as one of several processes, which share every batch and make the steps of one.

    The leading process alone writes, tells and judges; in the others the result is None. Arguments as ``train``.

    Raises:
        DlcheckError: as ``train``; or the processes see different data, or one of them is gone.
    """
    recipe = resolve(loaded)
    place = choose_device(rank_device(device, ranks))
    path = run_path or default_run_path(loaded.name)
    if ranks.leads:
        refuse_existing_run(path)
    with joined(ranks, place):
        with _explained(recipe, place):
            parts = assemble(recipe, folder=loaded.folder, device=place, fold=fold)
            share_out(parts, ranks)
        threads = torch.get_num_threads()
        recipe = recipe.model_copy(update={"train": recipe.train.model_copy(update={"threads": threads})})
        if not ranks.leads:
            seed_everything(seed_of(recipe.train.seed, ranks.rank))  # a stream of its own: dropout, augmentation
            _follow(parts, ranks, recipe)
            return None
        facts = describe_run(parts, loaded.name, fold) | {"device": str(place), "torch_threads": threads}
        facts |= _told_ranks(parts, ranks, tell)
        folder = RunFolder.create(path, recipe=dump_recipe(recipe, f"{loaded.name}, resolved"), facts=facts)
        with Hold(path):
            return _run(
                Trainer(parts, _listeners(folder, recipe, callbacks, several=ranks.size > 1), ranks=ranks),
                folder,
                recipe,
            )


def resume(
    path: Path,
    *,
    device: str | None = None,
    callbacks: Iterable[Callback] = (),
    tell: Callable[[str], None] = lambda line: None,
) -> TrainResult:
    """Go on with a run from its last checkpoint, or from the start when it died before the first.

    On a CPU the result is bit for bit that of a run that was never interrupted.

    Args:
        path: The run folder.
        device: Where to train; None: where it trained before.
        callbacks: Listeners beside the recorders.
        tell: Called with a line where the newest checkpoint cannot be read, and what takes its place.

    Raises:
        DlcheckError: no run folder, one that is being written to, or a training that already ended.
    """
    result = resume_share(path, ALONE, device=device, callbacks=callbacks, tell=tell)
    assert result is not None  # who trains alone leads
    return result


def resume_share(
    path: Path,
    ranks: Ranks,
    *,
    device: str | None = None,
    callbacks: Iterable[Callback] = (),
    tell: Callable[[str], None] = lambda line: None,
) -> TrainResult | None:
    """Go on with a run as one of several processes, whatever their number was before.

    Each step is that of the same batch, so that the training goes on as it would have; bit for bit where as many
    processes go on as there were. All of them read the run folder. Arguments as ``resume``.

    Raises:
        DlcheckError: as ``resume``; or the processes see different data, or one of them is gone.
    """
    folder = RunFolder.open(path)
    with Hold(path) if ranks.leads else nullcontext():
        return _resume(folder, ranks, device, callbacks, tell)


def _resume(
    folder: RunFolder,
    ranks: Ranks,
    device: str | None,
    callbacks: Iterable[Callback],
    tell: Callable[[str], None],
) -> TrainResult | None:
    loaded = load_recipe(folder.recipe)
    facts = read_object(folder.facts)
    if facts.get("finished"):
        raise DlcheckError(
            f"{folder.path}: this training has ended; to train on, start a new run with more train.epochs"
        )
    before = str(facts.get("device", "auto"))
    place = choose_device(rank_device(device or (before if ranks.size == 1 else before.partition(":")[0]), ranks))
    kept = load_newest(folder.checkpoints, LAST, place)
    saved = (kept.values if kept is not None else None) or None
    if ranks.leads and kept is not None and kept.note is not None:
        tell(kept.note)
    state = TrainState.from_dict(saved["state"]) if saved else TrainState()
    with joined(ranks, place):
        with _explained(loaded.recipe, place):
            parts = assemble(
                loaded.recipe,
                folder=loaded.folder,
                device=place,
                fold=fold if isinstance(fold := facts.get("fold"), int) else None,
                fresh=saved is None,
            )
            share_out(parts, ranks)
        ranks.everywhere(None)  # all have read what the leading one is about to write to
        if not ranks.leads:
            seed_everything(seed_of(loaded.recipe.train.seed, ranks.rank))
            _follow(parts, ranks, loaded.recipe, state, saved)
            return None
        folder.go_on(state.step)
        settle_best(folder.checkpoints, state.best_epoch, place)
        note = {"note": kept.note} if kept is not None and kept.note is not None else {}
        folder.add_event(Event("resume", state.step, state.epoch + 1, state.wall_s, note))
        folder.add_facts(_told_ranks(parts, ranks, tell))
        with _explained(loaded.recipe, place):
            trainer = Trainer(parts, _listeners(folder, loaded.recipe, callbacks, several=ranks.size > 1), state, ranks)
            if saved is not None:
                restore(trainer, saved)
        return _run(trainer, folder, loaded.recipe)


def _follow(
    parts: Parts, ranks: Ranks, recipe: Recipe, state: TrainState | None = None, saved: dict[str, Any] | None = None
) -> None:
    """Train this process's share, and leave the rest to the leading one."""
    with _explained(recipe, parts.device):
        listeners = [StopOnInterrupt(), Checkpointer(None), *([] if is_sharded(parts.model) else [Checksums()])]
        trainer = Trainer(parts, listeners, state, ranks)
        if saved is not None:
            restore(trainer, saved)
        trainer.fit()
        unshard(trainer)


def _told_ranks(parts: Parts, ranks: Ranks, tell: Callable[[str], None]) -> dict[str, Any]:
    """Return the number of processes as a fact, once it has been told with what it means for batch and rate."""
    if ranks.size > 1:
        train, lr = parts.recipe.train, float(parts.recipe.optimizer.lr)
        size = train.batch_size if isinstance(train.batch_size, int) else parts.data.train.samples
        tell(rate_rules(size * train.accumulate, ranks.size, lr))
    return {"processes": ranks.size}


def _run(trainer: Trainer, folder: RunFolder, recipe: Recipe) -> TrainResult:
    asked = next(one for one in trainer.notify.callbacks if isinstance(one, StopOnInterrupt))
    with _explained(recipe, trainer.parts.device):
        trainer.fit()
        unshard(trainer)
        if trainer.ranks.size > 1:  # what follows the leading process does alone
            take_whole(trainer.data)
            trainer.evaluator = replace(trainer.evaluator, ranks=ALONE)
        finished = trainer.stop != "interrupted"
        facts: dict[str, Any] = {"stopped": trainer.stop, "best_epoch": trainer.state.best_epoch, "finished": finished}
        facts |= _best_epoch(trainer)
        folder.add_facts(facts | (_test(trainer, folder) | measure_answers(trainer, folder) if finished else {}))
    run = read_run(folder.path)
    rules = recipe.rules
    outcome = diagnose(run, select=rules.select, ignore=rules.ignore, thresholds=rules.thresholds)
    report = write_reports(folder, run, outcome, verdict(outcome))
    return TrainResult(folder.path, recipe, report, read_object(folder.facts), trainer.stop, asked.number)


def _listeners(
    folder: RunFolder, recipe: Recipe, callbacks: Iterable[Callback], *, several: bool = False
) -> list[Callback]:
    """Return all callbacks; the checkpoint comes before the recorder, whose rows of epochs it vouches for."""
    # Looking at a sharded weight is a message to all: the monitor, which looks when it likes, would wait for ever.
    sharded = recipe.train.parallel == "fsdp" and several
    listeners: list[Callback] = [*([] if sharded else [Monitoring(folder)]), *callbacks]
    if recipe.train.tensorboard:
        from dlcheck.training.tensorboard import TensorBoardWriter

        listeners.append(TensorBoardWriter(folder.path / "tensorboard"))
    return [*listeners, StopOnInterrupt(), Checkpointer(folder), Recorder(folder)]


def _best_epoch(trainer: Trainer) -> dict[str, float]:
    """Return the validation metrics of the best epoch, as ``best_val_*``."""
    return {f"best_{name}": value for name, value in trainer.state.best_row.items() if name.startswith("val_")}


def _test(trainer: Trainer, folder: RunFolder) -> dict[str, Any]:
    """Measure the weights that are the run's result on the test split."""
    found = load_newest(folder.checkpoints, BEST, trainer.parts.device) if trainer.train.restore_best else None
    kept = found is not None and bool(found.values)
    if found is not None and kept:
        trainer.model.load_state_dict(found.values["model"])
    if trainer.data.test is None:
        return {}
    if kept:  # best.pt holds averaged weights already
        measured = trainer.evaluator.measure(trainer.data.test, "test")
    else:
        with trainer.averaged():
            measured = trainer.evaluator.measure(trainer.data.test, "test")
    facts = measured | {"tested_weights": "best" if kept else "last"}
    return facts if found is None or found.note is None else facts | {"tested_note": found.note}


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
