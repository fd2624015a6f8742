"""Which other settings of a loader are worth measuring, and which cannot work here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Protocol

from dlcheck.profiling.found import Found
from dlcheck.profiling.predict import Prediction
from dlcheck.profiling.queue_model import PREFETCH
from dlcheck.recipe import Recipe
from dlcheck.runs.facts import LoaderSetting

WORKERS = (0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32)
"""Numbers of workers that are considered, up to ``WORKERS_A_CORE`` times the cores."""
WORKERS_A_CORE = 4
"""Workers that wait for a disk need no core; more of them than this are seldom of use."""
PREFETCHES = (2, 4, 8)
DEEPER = (2, 4)
"""Times as many batches made ahead as the user has."""
ALIKE = 0.02
"""Predictions that differ by less are alike: the setting that asks for less is taken."""
UNEVEN = 0.2
"""Share of slow samples in the time of fetching from which on batches vary enough for more prefetch to help."""
ROUNDED = 4
"""Norm that joins the time of making a batch by so many workers and that of cores or device: on simulated machines that
share their cores out evenly it is within a few percent."""
SHM_SHARE = 0.9
"""Of the free shared memory; others may want some as well."""
MEMORY_SHARE = 0.5
"""Of the free memory that data may fill."""
PREPARING_SHARE = 0.25
"""Of the budget that reading all data into memory may take."""


class Forecast(Protocol):
    """Tells from the observed run what other settings would do; ``predict.Predictor`` is one."""

    def step(self, workers: int, *, prefetch: int | None = None, in_order: bool | None = None) -> Prediction:
        """Predict a step, or say that it cannot be told."""
        ...


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a training and its machine before other settings of its loader are tried."""

    found: Found
    cores: float
    """That it may use, quotas counted."""
    period_s: float
    """Mean of a step in the observed run."""
    forecast: Forecast | None = None
    ideal_s: float | None = None
    """Of a step on batches that are there already: no setting of the loader gets below."""
    item_s: float | None = None
    """To make one sample."""
    slow_share: float = 0.0
    """As ``LoaderTimes.slow_share``."""
    startup_share: float = 0.0
    """As ``StepTimes.startup_share``."""
    shm_free: int | None = None
    """Bytes."""
    memory_free: int | None = None
    """Bytes."""
    recipe: Recipe | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A setting of the loader, and what is expected of it. Seconds of a step."""

    setting: LoaderSetting
    workers: int
    predicted_s: float | None = None
    least_s: float = 0.0
    """It takes no less."""
    rough_s: float = 0.0
    """What is expected where it cannot be predicted; 0: nothing."""
    skipped: str = ""
    """Why it cannot work here."""

    @property
    def on_ladder(self) -> bool:
        """Return whether it differs from the present setting in how many workers there are, before all else."""
        return not (self.setting.in_memory or self.setting.augment_on_device)


def present_setting(found: Found) -> LoaderSetting:
    """Return the setting that the user has, as far as it was found out."""
    workers = found.workers
    return LoaderSetting(
        workers=workers,
        prefetch=(found.prefetch or PREFETCH) if workers else None,
        pin_memory=found.pin_memory,
        persistent=found.persistent if workers else None,
        in_order=found.in_order if workers else None,
        batch_size=found.batch_size,
        in_memory=True if found.kind == "memory" else None,
    )


def candidates(known: Known, *, budget_s: float) -> list[Candidate]:
    """Return the settings that may be faster than the present one, those that cannot work here with the reason.

    None at all for loaders without a setting: data in memory, and loaders of others.
    """
    if known.found.kind not in ("workers", "main"):
        return []
    present = known.found.workers
    single = [_on_ladder(known, workers) for workers in ladder(known)]
    others = [one for one in single if one.workers != present or one.setting.prefetch]
    return [*others, *_same_workers(known), *_elsewhere(known, budget_s)]


def variants(known: Known, winner: Candidate) -> list[Candidate]:
    """Return what may still improve on the best number of workers.

    Augmentation on the device, which makes less of the loader's work; and where samples were seen to take unevenly
    long, more batches made ahead if it could not be predicted whether they help, and another order, which costs
    repeatability.
    """
    if not winner.on_ladder:
        return []
    present = winner.setting == present_setting(known.found)
    setting = LoaderSetting(workers=winner.workers) if present else winner.setting
    made = []
    if _augments(known):
        made.append(Candidate(replace(setting, augment_on_device=True), winner.workers))
    if winner.workers == 0 or known.slow_share < UNEVEN:
        return made
    if winner.predicted_s is None:
        made.append(_judged(known, replace(setting, prefetch=2 * prefetch_of(known, setting))))
    if known.recipe is None and known.found.in_order:
        made.append(_judged(known, replace(setting, in_order=False)))
    return made


def ladder(known: Known) -> list[int]:
    """Return the numbers of workers that are considered, the present one among them."""
    most = max(WORKERS_A_CORE * round(known.cores), 4)
    return sorted({known.found.workers, *(workers for workers in WORKERS if workers <= most)})


def grid_size(known: Known) -> int:
    """Return how many settings an exhaustive sweep of the same keys would measure."""
    if known.found.kind not in ("workers", "main"):
        return 1
    with_workers = len(ladder(known)) - 1
    deep = len(PREFETCHES)
    pins = 2 if known.found.device != "cpu" else 1
    lives = 2 if known.recipe is None else 1
    places = 2 if _augments(known) else 1
    return places * pins * (1 + with_workers * deep * lives) + _may_keep(known)


def _on_ladder(known: Known, workers: int) -> Candidate:
    """Return a number of workers, with as much made ahead as is predicted to help."""
    plain = replace(_companions(known, workers), workers=workers)
    if workers == 0:
        return _judged(known, plain)
    ahead = prefetch_of(known, plain)
    made = [_judged(known, plain), *(_judged(known, replace(plain, prefetch=times * ahead)) for times in DEEPER)]
    least = min((one.predicted_s for one in made if one.predicted_s is not None and not one.skipped), default=None)
    if least is None:
        return made[0]
    return next(one for one in made if one.predicted_s is not None and one.predicted_s <= least * (1 + ALIKE))


def _companions(known: Known, workers: int) -> LoaderSetting:
    """Return what goes with workers: it costs little, and spares trials of its own."""
    pin = True if known.found.device != "cpu" and not known.found.pin_memory and known.recipe is None else None
    if workers == 0:
        return LoaderSetting(pin_memory=pin)
    kept = True if known.recipe is None and not known.found.persistent else None  # a recipe's workers always persist
    return LoaderSetting(pin_memory=pin, persistent=kept)


def _same_workers(known: Known) -> Iterator[Candidate]:
    """Yield the present number of workers with other companions, where there is something for them to gain."""
    found = known.found
    wanted = _companions(known, found.workers)
    if wanted == LoaderSetting():
        return
    made = _judged(known, replace(wanted, workers=found.workers))
    gained = known.startup_share if wanted.persistent else 0.0
    least = 0.0 if wanted.pin_memory else known.period_s * (1 - gained)
    yield replace(made, predicted_s=None, least_s=least)


def _elsewhere(known: Known, budget_s: float) -> Iterator[Candidate]:
    if _may_keep(known):
        yield Candidate(LoaderSetting(in_memory=True), known.found.workers, skipped=_no_room(known, budget_s))


def _may_keep(known: Known) -> bool:
    """Return whether a recipe's data could be kept in memory, and is not."""
    return known.recipe is not None and known.recipe.data.in_memory is not True


def _augments(known: Known) -> bool:
    """Return whether a recipe changes samples one by one as they are loaded, and could do it on whole batches."""
    if known.recipe is None or known.recipe.augment.where == "batch":
        return False
    return any(known.recipe.augment.model_dump(exclude={"where", "eval_crops"}).values())


def _judged(known: Known, setting: LoaderSetting) -> Candidate:
    """Return a candidate with what is predicted of it, or why it cannot work here."""
    workers = setting.workers or 0
    skipped = _no_shm(known, setting)
    if known.forecast is None:
        return Candidate(setting, workers, skipped=skipped)
    told = known.forecast.step(workers, prefetch=setting.prefetch, in_order=setting.in_order)
    return Candidate(setting, workers, told.step_s, told.least_s, _rough(known, workers), skipped)


def _rough(known: Known, workers: int) -> float:
    """Return what a step takes where processes contend for cores: the two limits, rounded off where they meet."""
    if known.forecast is None or workers == 0:
        return 0.0
    alone, crowd = known.forecast.step(1).least_s, known.forecast.step(ladder(known)[-1]).least_s
    return float(((alone / workers) ** ROUNDED + crowd**ROUNDED) ** (1 / ROUNDED))


def prefetch_of(known: Known, setting: LoaderSetting) -> int:
    """Return the batches that each worker makes ahead under a setting."""
    return setting.prefetch or known.found.prefetch or PREFETCH


def _no_shm(known: Known, setting: LoaderSetting) -> str:
    """Return why batches under way would not fit; their need is that of PyTorch's queues, measured to 1.5 %."""
    batch, free, workers = known.found.batch_bytes, known.shm_free, setting.workers or 0
    if not batch or free is None or workers == 0:
        return ""
    need = (workers * prefetch_of(known, setting) + 1) * batch
    if need <= SHM_SHARE * free:
        return ""
    return f"needs {need / 2**20:,.0f} MiB of shared memory, {free / 2**20:,.0f} MiB are free in /dev/shm"


def _no_room(known: Known, budget_s: float) -> str:
    """Return why the whole data cannot be kept in memory, or not be read in time."""
    found = known.found
    if found.samples is None or not found.batch_bytes or not found.batch_size:
        return "its size is not known"
    need = found.samples * found.batch_bytes / found.batch_size
    if known.memory_free is not None and need > MEMORY_SHARE * known.memory_free:
        return f"needs {need / 2**30:.1f} GiB of memory, {known.memory_free / 2**30:.1f} GiB are free"
    seconds = found.samples * (known.item_s or 0.0)
    if seconds > PREPARING_SHARE * budget_s:
        return f"reading all {found.samples:,} samples first takes some {seconds:.0f} s"
    return ""
