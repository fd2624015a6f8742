"""A trial's settings as changes of a recipe, or of the arguments of a loader."""

from __future__ import annotations

from dlcheck.errors import DlcheckError
from dlcheck.profiling.settings import TrialSettings


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
