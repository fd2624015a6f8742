"""A trial's settings as changes of a recipe, or of the arguments of a loader."""

from __future__ import annotations

from typing import Any

from dlcheck.errors import DlcheckError
from dlcheck.profiling.settings import TrialSettings
from dlcheck.runs.facts import LoaderSetting


def recipe_changes(settings: TrialSettings) -> list[str]:
    """Return what is set, as ``--set`` takes it.

    Raises:
        DlcheckError: a recipe has no such key.
    """
    loader = settings.loader
    if loader.persistent is False:
        raise DlcheckError("a recipe's workers stay from epoch to epoch: no setting changes that")
    values: dict[str, object] = {
        "data.workers": loader.workers,
        "data.prefetch": loader.prefetch,
        "data.pin_memory": loader.pin_memory,
        "data.in_memory": loader.in_memory,
        "train.batch_size": loader.batch_size,
        "augment.where": None if loader.augment_on_device is None else ("sample", "batch")[loader.augment_on_device],
        "train.precision": settings.precision,
        "train.tf32": settings.tf32,
        "train.channels_last": settings.channels_last,
        "train.compile": settings.compile,
        "train.threads": settings.threads,
    }
    if settings.mode in ("ideal", "copied"):
        values["data.workers"] = 0  # a few batches are loaded once: idle workers would only be in the way
    return [f"{path}={_literal(value)}" for path, value in values.items() if value is not None]


def _literal(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def loader_arguments(arguments: dict[str, Any], wanted: LoaderSetting) -> dict[str, Any]:
    """Return the arguments of ``DataLoader.__init__`` with a setting's in their place; what is None stays.

    What makes sense with workers only is left out without any, as ``DataLoader`` demands.
    """
    given = {**arguments, **arguments.get("kwargs", {})}
    given.pop("kwargs", None)
    changes = {
        "num_workers": wanted.workers,
        "prefetch_factor": wanted.prefetch,
        "pin_memory": wanted.pin_memory,
        "persistent_workers": wanted.persistent,
        "in_order": wanted.in_order,
    }
    given |= {name: value for name, value in changes.items() if value is not None}
    if wanted.batch_size is not None and given.get("batch_size", 1) is not None and not given.get("batch_sampler"):
        given["batch_size"] = wanted.batch_size
    if not given.get("num_workers"):
        for name in ("prefetch_factor", "persistent_workers", "multiprocessing_context"):
            given.pop(name, None)
    return given


def refuse_for_factory(settings: TrialSettings) -> None:
    """Refuse what cannot be changed in what a factory returns.

    Raises:
        DlcheckError: such a setting is not None.
    """
    loader = settings.loader
    asked = {"data in memory": loader.in_memory, "augmentation on the device": loader.augment_on_device}
    _refuse(settings, asked, "a factory's data set")


def refuse_for_script(settings: TrialSettings) -> None:
    """Refuse what cannot be changed in somebody's script from outside.

    Raises:
        DlcheckError: such a setting is not None.
    """
    asked = {
        "data in memory": settings.loader.in_memory,
        "augmentation on the device": settings.loader.augment_on_device,
        "precision": settings.precision,
        "channels_last": settings.channels_last,
        "compile": settings.compile,
    }
    _refuse(settings, asked, "a script")


def _refuse(settings: TrialSettings, asked: dict[str, Any], what: str) -> None:
    for name, value in asked.items():
        if value is not None:
            raise DlcheckError(f"{settings.subject.name}: {name} cannot be set from outside {what}")
