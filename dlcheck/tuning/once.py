"""One training of a search: from a recipe to what it reached, or to why it ended."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch

from dlcheck.recipe import Recipe, dump_recipe
from dlcheck.runs import RunFolder
from dlcheck.training.assemble import assemble
from dlcheck.training.callbacks import Callback
from dlcheck.training.device import choose_device
from dlcheck.training.monitoring import Monitoring
from dlcheck.training.recorder import Recorder
from dlcheck.training.session import describe_run
from dlcheck.training.trainer import Trainer
from dlcheck.tuning.doctor import Doctor, known_loss
from dlcheck.tuning.trials import Ending

MIB = 2**20


@dataclass(slots=True)
class Trained:
    """What a training reached."""

    ending: Ending = Ending.ok
    reason: str = ""
    diagnosis: str = ""
    rows: list[dict[str, float]] = field(default_factory=list)
    """The rows of ``metrics.csv``."""
    result: dict[str, float] = field(default_factory=dict)
    """The row that counts: the last, or with early stopping the best one."""
    costs: dict[str, float] = field(default_factory=dict)
    trivial: float | None = None
    """Loss of the best constant answer, where known."""
    broken: dict[str, float] = field(default_factory=dict)
    """How far each limit was exceeded; 0 or less: kept."""


Stop = Callable[[Trained], Ending | None]
"""Asked after each epoch but the last whether the trial shall end here."""


def train_once(
    recipe: Recipe,
    *,
    code: Path,
    path: Path,
    device: str,
    limits: Mapping[str, float] | None = None,
    stop: Stop | None = None,
) -> Trained:
    """Train a recipe into a new run folder, under the doctor.

    Args:
        recipe: What to train.
        code: Where the user's own code lies.
        path: The run folder to make.
        device: ``auto``, ``cpu`` or ``cuda[:N]``.
        limits: Largest value of each cost.
        stop: Asked after each epoch but the last.

    Raises:
        DlcheckError: the recipe cannot be built, or the disk is full.
        Exception: whatever the user's own code raises.
    """
    done = Trained()
    try:
        _train(done, recipe, code=code, path=path, device=device, limits=dict(limits or {}), stop=stop)
    except Exception as error:
        if not is_memory_error(error):
            raise
        done.ending, done.reason = Ending.memory, memory_reason(error)
    if done.ending is Ending.memory:
        gc.collect()  # the traceback that held the tensors is gone by now
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
    return done


def is_memory_error(error: BaseException) -> bool:
    """Return whether an exception says that there is not enough memory."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and "can't allocate memory" in str(error)


def memory_reason(error: BaseException) -> str:
    """Return the ending's reason in a line."""
    text = " ".join(str(error).split())
    return f"out of memory{': ' + text[:160] if text else ''}"


def _train(
    done: Trained,
    recipe: Recipe,
    *,
    code: Path,
    path: Path,
    device: str,
    limits: dict[str, float],
    stop: Stop | None,
) -> None:
    began, place = time.perf_counter(), choose_device(device)
    if place.type == "cuda":
        torch.cuda.reset_peak_memory_stats(place)
    folder = RunFolder.create(path, recipe=dump_recipe(recipe, "a trial of dlcheck tune"))
    parts = assemble(recipe, folder=code, device=place)
    facts = describe_run(parts, path.name, None)
    folder.add_facts(facts)
    done.trivial = known_loss(facts)
    done.costs["parameters"] = float(facts["parameters"])
    if _breaks(done, limits):
        return
    doctor = Doctor(folder, done.trivial)
    watch = _Watch(done, limits, stop, began=began)
    trainer = Trainer(parts, [Recorder(folder), Monitoring(folder), doctor, watch])
    trainer.fit()
    folder.add_facts({"stopped": trainer.stop, "best_epoch": trainer.state.best_epoch, "finished": True})
    done.costs["seconds"] = time.perf_counter() - began
    _conclude(done, doctor, trainer)


class _Watch(Callback):
    """Keeps the rows, measures costs, and asks whether to go on."""

    def __init__(self, done: Trained, limits: Mapping[str, float], stop: Stop | None, *, began: float) -> None:
        self.done, self.limits, self.stop, self.began = done, limits, stop, began

    def on_epoch_end(self, trainer: Trainer, metrics: dict[str, float]) -> None:
        self.done.rows.append(dict(metrics))
        self.done.costs |= self._costs(trainer, metrics)
        if trainer.stop is not None:
            return
        if _breaks(self.done, self.limits):
            trainer.stop = "limit"
        elif self.stop is not None and trainer.state.epoch < trainer.train.epochs:
            ending = self.stop(self.done)
            if ending is not None:
                self.done.ending = ending
                trainer.stop = ending.value

    def _costs(self, trainer: Trainer, metrics: Mapping[str, float]) -> dict[str, float]:
        costs = {"memory_mib": peak_memory_mib(trainer.parts.device), "seconds": time.perf_counter() - self.began}
        speed = metrics.get("samples_per_s", 0.0)
        if speed > 0 and trainer.state.step:
            costs["step_ms"] = 1000 * trainer.state.samples / trainer.state.step / speed
        return costs


def peak_memory_mib(device: torch.device) -> float:
    """Return the largest memory of a GPU since the trial began, or of this process since it began."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / MIB
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _breaks(done: Trained, limits: Mapping[str, float]) -> bool:
    """Compare what is known of the costs with the limits, and say so when one is exceeded."""
    done.broken = {name: done.costs[name] - most for name, most in limits.items() if name in done.costs}
    over = [name for name, excess in done.broken.items() if excess > 0]
    if over:
        done.ending = Ending.limit
        done.reason = ", ".join(f"{name} {done.costs[name]:.4g} above {limits[name]:.4g}" for name in over)
    return bool(over)


def _conclude(done: Trained, doctor: Doctor, trainer: Trainer) -> None:
    if doctor.ending is not None:
        done.diagnosis = doctor.conclude()
        done.ending, done.reason = doctor.ending, doctor.reason
    best = trainer.state.best_epoch
    early = trainer.train.patience is not None and trainer.train.restore_best and best is not None
    if done.rows:
        done.result = done.rows[best - 1] if early and best is not None and best <= len(done.rows) else done.rows[-1]


def columns(recipe: Recipe, code: Path) -> list[str]:
    """Return the metrics that a training of this recipe logs, without training it.

    Raises:
        DlcheckError: the recipe cannot be built, or its data is missing.
    """
    parts = assemble(recipe, folder=code, device=torch.device("cpu"))
    splits = ["train", "train_eval", *(["val"] if parts.data.val is not None else [])]
    names: Iterable[str] = ("loss", parts.metric.name)
    return [f"{split}_{name}" for split in splits for name in names]
