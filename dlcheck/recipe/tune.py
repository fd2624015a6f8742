"""The ``[tune]`` and ``[search]`` sections: how ``dlcheck tune`` searches, and where; ``train`` ignores both."""

import re
import sys
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from dlcheck.recipe.data import Fraction
from dlcheck.recipe.section import Section

Count = Annotated[int, Field(ge=1)]
Bound = Annotated[float, Field(gt=0)]
Numbers = Annotated[list[float], Field(min_length=2, max_length=2)]
Wholes = Annotated[list[int], Field(min_length=2, max_length=2)]
Scalar = str | int | float | bool
RANGES = ("log", "float", "int", "pow2", "near_one", "times")
KINDS = (*RANGES, "choice")
_LARGEST = sys.float_info.max

Sampler = Literal["auto", "tpe", "gp", "cmaes", "qmc", "random", "grid"]
Pruner = Literal["auto", "asha", "hyperband", "median", "none"]


class Confirm(Section):
    """``[tune.confirm]``: how the best trials are trained again before one of them is called best."""

    top: Annotated[int, Field(ge=0)] = 3
    """Trials to train again, on all data and for all epochs; 0: none."""
    seeds: Count = 3
    """Seeds of each."""


class TuneLimits(Section):
    """``[tune.limits]``: what no trial may exceed; the search avoids what does."""

    parameters_max: Bound | None = None
    """Parameters of the network."""
    step_ms_max: Bound | None = None
    """Milliseconds of a training step."""
    memory_mib_max: Bound | None = None
    """Largest memory of the device (on a CPU: of the process) in MiB."""
    seconds_max: Bound | None = None
    """Seconds of a whole trial."""


class Tune(Section):
    """``[tune]``: how a search goes about it."""

    metric: str | Annotated[list[str], Field(min_length=1)] = "val_loss"
    """What to optimise: a column of ``metrics.csv``, or ``seconds``, ``parameters``, ``step_ms``, ``memory_mib``."""
    direction: Literal["min", "max"] | list[Literal["min", "max"]] | None = None
    """Unset: known from the metric's name (losses and errors down, accuracies up)."""
    trials: Count | None = None
    """Trials of the whole study, however often it is resumed; unset: 40, or what ``budget`` or ``timeout`` allow."""
    budget: str | None = None
    """Stop after this much training in all: ``"360 epochs"`` or ``"2h"``."""
    timeout: Bound | None = None
    """Seconds after which the command ends."""
    sampler: Sampler = "auto"
    pruner: Pruner = "auto"
    seed: int = 0
    """Of the search; trainings keep ``train.seed``."""
    subset: Fraction | None = None
    """Share of the training samples that trials see; the best ones are confirmed on all."""
    confirm: Confirm = Confirm()
    limits: TuneLimits = TuneLimits()

    @field_validator("budget")
    @classmethod
    def _readable(cls, value: str | None) -> str | None:
        if value is not None:
            read_budget(value)
        return value


def read_budget(text: str) -> tuple[int | None, float | None]:
    """Return the epochs or the seconds of a budget, the other None.

    Raises:
        ValueError: neither ``"360 epochs"`` nor a time as ``"2h"``, ``"30m"``, ``"90s"``.
    """
    found = re.fullmatch(r"\s*(\d{1,15}(?:\.\d{1,15})?)\s*(epochs?|h|m|min|s)\s*", text)
    if found is None or not (amount := float(found[1])) or (found[2].startswith("e") and amount != int(amount)):
        raise ValueError('expected a budget as "360 epochs", "2h", "30m" or "90s"')
    if found[2].startswith("epoch"):
        return int(amount), None
    return None, amount * {"h": 3600, "m": 60, "min": 60, "s": 1}[found[2]]


class SearchEntry(Section):
    """One key of ``[search]``: the values to try for one key of the recipe."""

    log: bool | Numbers | None = None
    """A range on a logarithmic scale; beside ``int`` or ``float``: true makes their scale logarithmic."""
    float: Numbers | None = None
    """A range of numbers."""
    int: Wholes | None = None
    """A range of whole numbers, both ends included."""
    pow2: Wholes | None = None
    """Powers of two, both ends included."""
    near_one: Numbers | None = None
    """A range below 1 on a logarithmic scale of the distance from 1: momentum, decay rates."""
    times: Numbers | None = None
    """Factors on the recipe's own value, on a logarithmic scale."""
    choice: Annotated[list[Scalar | list[Scalar]], Field(min_length=1)] | None = None
    """Values to choose from."""
    or_zero: bool = False
    """Try 0 too."""
    when: dict[str, Scalar | Annotated[list[Scalar], Field(min_length=1)]] = {}
    """Search this key only while other searched keys have these values."""

    @property
    def kind(self) -> str:
        """The one of ``KINDS`` that is set."""
        return next(kind for kind in _given(self))

    @property
    def conditions(self) -> dict[str, tuple[Scalar, ...]]:
        """``when``, each value as a tuple."""
        return {path: tuple(v) if isinstance(v, list) else (v,) for path, v in self.when.items()}

    @model_validator(mode="after")
    def _one_kind(self) -> "SearchEntry":
        given = _given(self)
        if len(given) != 1:
            raise ValueError(f"expected exactly one of {', '.join(KINDS)}")
        if isinstance(self.log, bool) and given[0] not in ("int", "float"):
            raise ValueError(f"log = true goes with int or float; {given[0]} has a scale of its own")
        if self.or_zero and given[0] == "choice":
            raise ValueError("or_zero goes with a range; put 0 among the choices instead")
        return self

    @model_validator(mode="after")
    def _sound_range(self) -> "SearchEntry":
        kind = self.kind
        if kind == "choice":
            _refuse_equal(self.choice or [])
            return self
        low, high = getattr(self, kind)
        if not all(abs(bound) <= _LARGEST for bound in (low, high)):  # NaN is not either
            raise ValueError(f"{kind} expects two finite numbers of at most {_LARGEST:.2g}")
        if not low < high:
            raise ValueError(f"{kind} = [{low:g}, {high:g}] is an empty range; expected [low, high] with low < high")
        if (kind in ("log", "times", "pow2") or self.log is True) and low <= 0:
            raise ValueError(f"{low:g} has no place on a logarithmic scale; expected numbers above 0")
        if kind == "near_one" and not 0 <= low < high < 1:
            raise ValueError("near_one expects numbers from 0 to below 1")
        if kind == "pow2" and any(bound & (bound - 1) for bound in (low, high)):
            raise ValueError("pow2 expects powers of two as its ends")
        return self

    @model_serializer(mode="wrap")
    def _as_written(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # Defaults would say nothing, and kinds that are not set would be seven more keys.
        return {key: value for key, value in serialize(self).items() if key in self.model_fields_set}


def _given(entry: SearchEntry) -> list[str]:
    return [
        kind
        for kind in KINDS
        if getattr(entry, kind) is not None and not (kind == "log" and entry.log in (True, False))
    ]


def _refuse_equal(choices: list[Any]) -> None:
    texts = [choice_text(choice) for choice in choices]
    twice = next((text for text in texts if texts.count(text) > 1), None)
    if twice is not None:
        raise ValueError(f"the choice {twice} stands there twice")


def choice_text(value: object) -> str:
    """Return a choice as a study stores it: text, so that a list of choices may hold any type and grow later."""
    import json

    return value if isinstance(value, str) else json.dumps(value)


def _flatten(value: object) -> object:
    """Return ``[search]`` by dotted path, as lists of entries; nested tables are paths written without quotes."""
    if not isinstance(value, Mapping):
        return value
    flat: dict[str, object] = {}
    for key, item in value.items():
        _put(flat, str(key), item)
    return flat


def _put(flat: dict[str, object], path: str, item: object) -> None:
    if (
        isinstance(item, Mapping)
        and item
        and "when" not in item
        and all(isinstance(value, Mapping) for value in item.values())
    ):
        for key, value in item.items():
            _put(flat, f"{path}.{key}", value)
    else:
        flat[path] = item if isinstance(item, list) else [item]


Search = Annotated[
    dict[str, Annotated[list[SearchEntry], Field(min_length=1)]],
    BeforeValidator(_flatten),
]
"""``[search]``: entries by path; several entries of one path hold under different conditions."""
