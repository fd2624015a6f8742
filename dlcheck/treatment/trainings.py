"""The trainings of a treatment: one run folder each, none made twice, those that a kill cut short gone on with."""

from __future__ import annotations

import hashlib
import json
import math
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd

from dlcheck.errors import DlcheckError
from dlcheck.recipe import LoadedRecipe, Recipe, dump_recipe
from dlcheck.recipe.resolve import resolve
from dlcheck.runs.folder import is_run_folder, read_object
from dlcheck.training.callbacks import Callback
from dlcheck.training.session import TrainResult, resume, train
from dlcheck.training.trainer import Trainer
from dlcheck.treatment.budget import Purse
from dlcheck.treatment.proof import Score

DIED = "non-finite loss"
KEY_LENGTH = 10


class Interrupted(Exception):
    """Ctrl-C, or a wish of the scheduler to end; what was trained is kept."""

    def __init__(self, number: int = int(signal.SIGINT)) -> None:
        super().__init__(number)
        self.number = number


@dataclass(frozen=True, slots=True)
class Training:
    """One training, or the beginning of one."""

    key: str
    seed: int
    folder: Path
    score: float
    """Of the epoch that counts; NaN where the training died."""
    whole: bool
    """Trained to its end."""


@dataclass(frozen=True, slots=True)
class _Left:
    """What a training left in its folder, read once."""

    facts: Mapping[str, object]
    rows: pd.DataFrame

    @classmethod
    def read(cls, path: Path) -> _Left:
        try:
            rows = pd.read_csv(path / "metrics.csv")
        except (OSError, pd.errors.EmptyDataError):
            rows = pd.DataFrame()
        return cls(read_object(path / "facts.json"), rows)

    @property
    def died(self) -> bool:
        return self.facts.get("stopped") == DIED

    def samples(self, split: str) -> float:
        """Return the samples of a split, 0 where it has none."""
        sizes = self.facts.get("samples")
        return float(sizes.get(split) or 0) if isinstance(sizes, Mapping) else 0.0


@dataclass(slots=True)
class Trainings:
    """Makes trainings, and knows those that were made."""

    folder: Path
    """Holds one run folder a training."""
    device: str
    purse: Purse
    tell: Callable[[str], None]
    score: Score = field(default_factory=lambda: Score("", greater_is_better=True, samples=0))
    base_samples: float = math.nan
    """Training samples that a whole training of the original recipe sees."""
    _paid: dict[str, float] = field(default_factory=dict)
    _adopted: dict[str, Path] = field(default_factory=dict)

    def whole(self, loaded: LoadedRecipe, seed: int, *, use: str, label: str) -> Training:
        """Train a recipe with a seed to its end, or return the training that was made before.

        Raises:
            Interrupted: by Ctrl-C or another signal.
            DlcheckError: the recipe cannot be built; this is no death, nothing was trained.
        """
        return self._made(loaded, seed, None, use=use, label=label)

    def short(self, loaded: LoadedRecipe, seed: int, *, share: float, label: str, use: str = "short runs") -> Training:
        """Train the first part of a training, under its whole schedule; ``whole`` goes on with it.

        Raises:
            Interrupted: by Ctrl-C or another signal.
            DlcheckError: the recipe cannot be built.
        """
        return self._made(loaded, seed, _until(loaded, share), use=use, label=label)

    def cost(self, loaded: LoadedRecipe, share: float = 1.0) -> float:
        """Return what a training of this recipe costs, in trainings of the original one, were its data as much."""
        return share * loaded.recipe.train.epochs / max(1.0, self.purse.epochs)

    def steps(self, loaded: LoadedRecipe) -> int:
        """Return about how many optimizer steps a whole training of this recipe makes, by the data of the original."""
        train = loaded.recipe.train
        samples = self.base_samples / max(1.0, self.purse.epochs)
        batch = samples if train.batch_size == "full" else train.batch_size * train.accumulate
        return max(1, math.ceil(samples / batch)) * train.epochs

    def known(self, loaded: LoadedRecipe, seed: int, share: float = 1.0) -> bool:
        """Return whether this training was made, or so much of it."""
        path = self._path(seeded(loaded, seed))
        if self._finished(path):
            return True
        return share < 1 and is_run_folder(path) and len(_Left.read(path).rows) >= _until(loaded, share)

    def gained(self, loaded: LoadedRecipe, seed: int, share: float) -> float:
        """Return by how much the score changed after a share of a whole training; NaN where that cannot be told."""
        values = self._values(self._left(loaded, seed))
        if len(values) < loaded.recipe.train.epochs:
            return math.nan
        return self._counting(loaded, values) - self._counting(loaded, values[: _until(loaded, share)])

    def reached(self, loaded: LoadedRecipe, seed: int) -> float:
        """Return the score of a training so far: of its best epoch where that one is kept; NaN where it died."""
        values = self._values(self._left(loaded, seed))
        return self._counting(loaded, values) if values else math.nan

    def _left(self, loaded: LoadedRecipe, seed: int) -> _Left:
        return _Left.read(self._path(seeded(loaded, seed)))

    def _values(self, left: _Left) -> list[float]:
        """Return the score of each epoch, nothing where the training died."""
        return [] if left.died or self.score.name not in left.rows else left.rows[self.score.name].tolist()

    def _counting(self, loaded: LoadedRecipe, values: list[float]) -> float:
        best = max if self.score.greater_is_better else min
        return float(best(values) if loaded.recipe.train.restore_best else values[-1])

    def adopt(self, loaded: LoadedRecipe, seed: int, run: Path) -> Training:
        """Take a run that dlcheck made elsewhere as the training of a recipe; costs nothing."""
        own = seeded(loaded, seed)
        left = _Left.read(run)
        self._learn(own, left)
        found = self._scored(own, seed, run, left)
        self._adopted[found.key] = run
        return found

    def _made(self, loaded: LoadedRecipe, seed: int, until: int | None, *, use: str, label: str) -> Training:
        own = seeded(loaded, seed)
        path = self._path(own)
        left = _Left.read(path)
        ended = is_run_folder(path) and left.facts.get("finished")
        if not ended and not (until is not None and len(left.rows) >= until):
            self.tell(f"{label}, seed {seed}")
            self._train(own, path, until)
            left = _Left.read(path)
        self._learn(own, left)
        self._pay(own, path, left, use)
        return self._scored(own, seed, path, left)

    def _train(self, own: LoadedRecipe, path: Path, until: int | None) -> None:
        pause = _Pause(until)
        result: TrainResult
        if is_run_folder(path):
            result = resume(path, device=self.device, callbacks=[pause])
        else:
            if path.exists():
                raise DlcheckError(f"{path}: not a run that dlcheck made; choose another --run-dir")
            result = train(own, device=self.device, run_path=path, callbacks=[pause])
        if result.stopped == "interrupted" and not pause.paused:
            raise Interrupted(result.signal or int(signal.SIGINT))

    def _learn(self, own: LoadedRecipe, left: _Left) -> None:
        """Learn from the first training what is compared, and how much a whole one is."""
        if self.score.name:
            return
        if not left.samples("val"):
            raise DlcheckError("dlcheck treat compares on validation data, and this recipe has none: data.split.val")
        self.score = Score(
            f"val_{left.facts.get('metric')}",
            greater_is_better=bool(left.facts.get("metric_greater_is_better")),
            samples=int(left.samples("val")),
        )
        self.base_samples = (left.samples("train") or 1.0) * own.recipe.train.epochs
        self.purse.epochs = float(own.recipe.train.epochs)

    def _pay(self, own: LoadedRecipe, path: Path, left: _Left, use: str) -> None:
        """Count the samples trained since the last time, in whole trainings of the original recipe."""
        epochs = len(left.rows)
        if left.died or left.facts.get("stopped") == "max_steps":
            epochs = min(epochs + 1, own.recipe.train.epochs)  # the last one in part
        spent = epochs * (left.samples("train") or 1.0) / self.base_samples
        before = self._paid.get(path.name, 0.0)
        self._paid[path.name] = spent
        self.purse.pay(use, max(0.0, spent - before))

    def _scored(self, own: LoadedRecipe, seed: int, path: Path, left: _Left) -> Training:
        """Return a training with the score of the epoch that counts: the best one by its monitor, or the last."""
        whole = bool(left.facts.get("finished"))
        values = self._values(left)
        best = left.facts.get("best_epoch")
        kept = whole and own.recipe.train.restore_best and isinstance(best, int) and 0 < best <= len(values)
        place = best - 1 if kept and isinstance(best, int) else -1
        score = float(values[place]) if values else math.nan
        return Training(content_key(own.recipe), seed, path, score, whole)

    def _path(self, own: LoadedRecipe) -> Path:
        key = content_key(own.recipe)
        return self._adopted.get(key, self.folder / f"seed{own.recipe.train.seed}-{key}")

    @staticmethod
    def _finished(path: Path) -> bool:
        return is_run_folder(path) and bool(read_object(path / "facts.json").get("finished"))


class _Pause(Callback):
    """Stops a training after some epochs, so that it can be gone on with."""

    def __init__(self, until: int | None) -> None:
        self.until, self.paused = until, False

    def on_epoch_end(self, trainer: Trainer, metrics: dict[str, float]) -> None:
        """Stop after the epoch that was asked for."""
        del metrics
        if self.until is not None and self.until <= trainer.state.epoch < trainer.train.epochs and not trainer.stop:
            self.paused, trainer.stop = True, "interrupted"


def _until(loaded: LoadedRecipe, share: float) -> int:
    """Return the epochs of a share of a training."""
    return max(1, round(share * loaded.recipe.train.epochs))


def seeded(loaded: LoadedRecipe, seed: int) -> LoadedRecipe:
    """Return the recipe with another ``train.seed``; the split of the data keeps its own."""
    recipe = loaded.recipe
    return replace(loaded, recipe=recipe.model_copy(update={"train": recipe.train.model_copy(update={"seed": seed})}))


def content_key(recipe: Recipe) -> str:
    """Return what tells two recipes apart by what they train, titles left aside."""
    plain = recipe.model_copy(update={"title": "", "expect": "", "source": "", "tune": None, "search": None})
    text = json.dumps(plain.model_dump(mode="json"), sort_keys=True)  # a TOML text takes 200 times as long
    return hashlib.sha256(text.encode()).hexdigest()[:KEY_LENGTH]


def content(loaded: LoadedRecipe) -> str:
    """Return a recipe as text that is the same wherever it is read from."""
    return dump_recipe(resolve(loaded))
