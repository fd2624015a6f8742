"""A study's making and resuming: what it is for stands in it, and another recipe's is refused."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dlcheck.errors import DlcheckError
from dlcheck.recipe import Recipe, dump_recipe
from dlcheck.tuning.plan import Plan
from dlcheck.tuning.space import describe, own_point
from dlcheck.tuning.trials import BASELINE, END, PREFIX, START, Ending, encode_space

if TYPE_CHECKING:
    import optuna

MOST_TOLD = 4
"""Differences named in a refusal."""
GIVEN, DEATHS = f"{PREFIX}given", f"{PREFIX}deaths"
"""Of a study: what it is for; of a trial that is queued again: how often its own process died."""
MOST_DEATHS, MOST_RETRIES = 1, 5
"""How often a trial is queued again when its own process died, and in all."""


@dataclass(frozen=True, slots=True)
class Purpose:
    """What a study is for; the same when it is resumed."""

    recipe: Recipe
    """As given, before paths were made absolute."""
    plan: Plan
    subset: float | None
    architecture: bool = False
    """Of a space that was chosen for the recipe: whether sizes of layers belong to it."""

    @property
    def auto(self) -> bool:
        """Whether the space was chosen for the recipe; then the one that the study began with holds."""
        return not self.recipe.search

    def as_dict(self) -> dict[str, object]:
        """Return what must be equal for a study to be resumed."""
        keep = self.recipe.model_copy(update={"tune": None, "search": None, "title": "", "expect": "", "source": ""})
        return {
            "recipe": flat(keep.model_dump(mode="json", exclude_none=True)),
            "space": [] if self.auto else describe(self.plan.space),
            "metrics": list(self.plan.metrics),
            "minimize": list(self.plan.minimize),
            "subset": self.subset,
            "architecture": self.architecture,
        }


def flat(tree: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Return nested tables as one, keys joined by dots."""
    found: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping) and value:
            found |= flat(value, f"{above}{key}.")
        else:
            found[f"{above}{key}"] = value
    return found


def open_or_create(storage: optuna.storages.BaseStorage, purpose: Purpose) -> optuna.Study:
    """Return the plan's study, made if it is not there, and with the recipe as it is as its first trial.

    Raises:
        DlcheckError: a study of that name is for something else, and is left as it is.
    """
    import optuna

    plan = purpose.plan
    Direction = optuna.study.StudyDirection
    directions = [Direction.MINIMIZE if small else Direction.MAXIMIZE for small in plan.minimize]
    try:
        study = optuna.create_study(storage=storage, study_name=plan.name, directions=directions)
    except optuna.exceptions.DuplicatedStudyError:
        study = optuna.load_study(study_name=plan.name, storage=storage)
        refuse_other_purpose(study, purpose)
    if GIVEN not in study.user_attrs:  # which comes last: whoever finds it finds the rest too
        study.set_user_attr(f"{PREFIX}recipe", dump_recipe(plan.recipe, defaults=False))
        study.set_user_attr(f"{PREFIX}space", encode_space(plan.space))
        study.set_user_attr(GIVEN, json.dumps(purpose.as_dict()))
    if not study.get_trials(deepcopy=False):
        raw, _ = own_point(plan.recipe, plan.space)
        study.enqueue_trial(raw, user_attrs={BASELINE: True})
    return study


def refuse_other_purpose(study: optuna.Study, purpose: Purpose) -> None:
    """Refuse a study of another recipe, space or metric; nothing in it is changed.

    Raises:
        DlcheckError: with the first few differences.
    """
    stored = study.user_attrs.get(GIVEN)
    if stored is None:
        if study.get_trials(deepcopy=False):
            raise DlcheckError(
                f"{study.study_name}: this study was not made by dlcheck tune; choose another --study-name"
            )
        return
    found = list(_differences(json.loads(stored), json.loads(json.dumps(purpose.as_dict()))))
    if found:
        more = f" (and {len(found) - MOST_TOLD} more)" if len(found) > MOST_TOLD else ""
        told = "; ".join(found[:MOST_TOLD])
        where = purpose.plan.folder
        raise DlcheckError(f"{where}: this study is another one's: {told}{more}; choose another --study-dir")


def _differences(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    before, after = old.pop("recipe"), new.pop("recipe")
    told = [
        f"{key} was {_short(before.get(key))}, is {_short(after.get(key))}"
        for key in sorted(before.keys() | after.keys())
        if before.get(key) != after.get(key)
    ]
    told += [f"search had {line}" for line in old["space"] if line not in new["space"]]
    told += [f"search has {line}" for line in new.pop("space") if line not in old["space"]]
    old.pop("space")
    return told + [f"{key} was {_short(old[key])}, is {_short(new[key])}" for key in old if old[key] != new[key]]


def _short(value: object) -> str:
    text = "not set" if value is None else json.dumps(value)
    return text if len(text) <= 60 else f"{text[:59]}…"


def note_command(study: optuna.Study, plan: Plan, **more: object) -> None:
    """Write into the study how this command goes about it, for those who look at it meanwhile."""
    facts: dict[str, object] = {
        "metrics": list(plan.metrics),
        "total": plan.trials,
        "budget_epochs": plan.budget_epochs,
        "deadline": None if plan.deadline is None else time.time() + plan.deadline - time.monotonic(),
        "sampler": plan.sampler,
        "pruner": plan.pruner,
        "epochs": plan.epochs,
        "seed": plan.seed,
        "workers": plan.workers,
        "why": plan.why,
        **more,
    }
    for name, value in facts.items():
        if study.user_attrs.get(PREFIX + name, math.nan) != value:
            study.set_user_attr(PREFIX + name, value)


def sweep(study: optuna.Study, gone: Callable[[Mapping[str, Any]], bool], *, command: bool = False) -> list[int]:
    """Mark running trials whose process is gone as lost, and queue each again; return their numbers.

    A trial whose own process dies may be what kills it: it is queued again once. Where the whole command died it is
    less likely to be at fault, and may come a few times more.

    Args:
        study: The study.
        command: It was the command that died.
        gone: Whether the process is gone, by what a trial noted at its start (nothing, if it did not come to that).
    """
    import warnings

    from optuna.exceptions import ExperimentalWarning
    from optuna.storages import RetryHeartbeatStaleTrialCallback
    from optuna.trial import TrialState

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        queue = RetryHeartbeatStaleTrialCallback(max_retry=MOST_RETRIES)
    swept: list[int] = []
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        if not gone(trial.user_attrs.get(START, {})):
            continue
        study._storage.set_trial_user_attr(trial._trial_id, END, Ending.lost.value)
        study._storage.set_trial_user_attr(trial._trial_id, f"{PREFIX}reason", "its process was killed")
        study.tell(trial.number, state=TrialState.FAIL)
        frozen = study.get_trials(deepcopy=True)[trial.number]
        deaths = int(frozen.user_attrs.get(DEATHS, 0)) + (not command)
        kept = {key: value for key, value in frozen.user_attrs.items() if key == BASELINE}
        frozen.user_attrs = kept | {DEATHS: deaths}
        if deaths <= MOST_DEATHS:
            queue(study, frozen)
        swept.append(trial.number)
    return swept
