"""From a finding's remedies to recipes that can be trained."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from dlcheck.errors import DlcheckError, one_line
from dlcheck.findings import Finding, Remedy
from dlcheck.recipe import LoadedRecipe
from dlcheck.recipe.patch import patched, value_at
from dlcheck.report.treated import Attempt, Change, Fate, Value
from dlcheck.rules.prescription import RATE
from dlcheck.treatment.rates import Rates
from dlcheck.treatment.trainings import content_key

BEYOND = ("data.split", "data.limit", "data.memory_limit_gib", "rules.", "tune.", "search.")
"""Keys that change what is compared, or nothing of the training."""
ELSEWHERE = {"data.split": "it changes the validation data, so that scores before and after cannot be compared"}
SAME_RATE = 1.25
"""Rates this close are one."""
SEARCHED = "take the learning rate that a range test and short runs suggest"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A remedy that can be tried."""

    remedy: Remedy
    changes: tuple[Change, ...]
    loaded: LoadedRecipe
    source: str = "remedy"
    """Where its values come from: ``remedy`` or ``lr-find``."""

    def attempt(self, fate: Fate, reason: str = "") -> Attempt:
        """Return how an attempt with it ended."""
        return Attempt(self.remedy.text, self.changes, fate, reason, self.source)


def candidates(finding: Finding, base: LoadedRecipe, seen: set[str]) -> tuple[list[Candidate], list[Attempt]]:
    """Return what can be tried against a finding, most likely first, and what cannot, with the reason.

    Args:
        finding: With its remedies.
        base: The recipe as it is now.
        seen: Keys of recipes that were tried.
    """
    found: list[Candidate] = []
    left: list[Attempt] = []
    known = set(seen)  # a remedy that is not reached this time may be the next one's
    for remedy in finding.remedies:
        if not remedy.patch and not remedy.search:
            continue
        made = _candidate(finding, remedy, base)
        if isinstance(made, Attempt):
            left.append(made)
        elif content_key(made.loaded.recipe) not in known:
            known.add(content_key(made.loaded.recipe))
            found.append(made)
    return found, left


def searched_rate(finding: Finding, base: LoadedRecipe, rates: Rates, seen: set[str]) -> Candidate | None:
    """Return the recipe with the rate that a search suggests; None without one, or where it is about the present."""
    made = _rated(finding, Remedy(SEARCHED, search=RATE), base, rates)
    return None if made is None or content_key(made.loaded.recipe) in seen else made


def _candidate(finding: Finding, remedy: Remedy, base: LoadedRecipe) -> Candidate | Attempt:
    if remedy.hides:
        return Attempt(remedy.text, _changes(finding, remedy.patch, base), Fate.HIDES, remedy.hides)
    beyond = next((path for path in remedy.patch if path.startswith(BEYOND)), None)
    if beyond is not None:
        why = next((why for start, why in ELSEWHERE.items() if beyond.startswith(start)), "it changes the data itself")
        return Attempt(remedy.text, (), Fate.NOT_TRIED, f"{beyond}: {why}")
    return _built(finding, remedy, dict(remedy.patch), base, "remedy")


def with_searched_rate(finding: Finding, candidate: Candidate, base: LoadedRecipe, rates: Rates) -> Candidate:
    """Return the candidate with the rate that a search suggests, where its remedy asks for one.

    Where the search cannot tell, or suggests the present rate, the remedy's own value stands.
    """
    if candidate.remedy.search != RATE:
        return candidate
    return _rated(finding, candidate.remedy, base, rates) or candidate


def _rated(finding: Finding, remedy: Remedy, base: LoadedRecipe, rates: Rates) -> Candidate | None:
    """Return a remedy with the rate that a search suggests, None without one or where it is about the present."""
    others = {path: value for path, value in remedy.patch.items() if path != RATE}
    rate = rates.suggested(_with(base, others))
    if rate is None or _near(rate, value_at(base.recipe, RATE)):
        return None
    # Its own words count where it is about more than the rate.
    told = replace(remedy, text=f"{SEARCHED} and {remedy.text}" if others else SEARCHED)
    made = _built(finding, told, {**others, RATE: rate}, base, "lr-find")
    return None if isinstance(made, Attempt) else made


def _near(rate: float, other: object) -> bool:
    return isinstance(other, float) and 1 / SAME_RATE < rate / other < SAME_RATE


def _built(
    finding: Finding, remedy: Remedy, values: dict[str, object], base: LoadedRecipe, source: str
) -> Candidate | Attempt:
    changes = _changes(finding, values, base)
    if not changes:
        return Attempt(remedy.text, (), Fate.SET_ALREADY, "the recipe has these values already")
    try:
        loaded = _with(base, {change.path: change.new for change in changes})
    except DlcheckError as error:
        return Attempt(remedy.text, changes, Fate.NOT_TRIED, f"does not fit this recipe: {one_line(error)}")
    return Candidate(remedy, changes, loaded, source)


def _with(base: LoadedRecipe, values: dict[str, object]) -> LoadedRecipe:
    return replace(base, recipe=patched(base.recipe, values)) if values else base


def _changes(finding: Finding, values: Mapping[str, object], base: LoadedRecipe) -> tuple[Change, ...]:
    why = f"{finding.code} {finding.name}: {finding.summary}"
    pairs = [(path, value_at(base.recipe, path), value) for path, value in values.items()]
    return tuple(Change(path, plain(old), plain(new), why) for path, old, new in pairs if plain(old) != plain(new))


def merged(before: Sequence[Change], more: Sequence[Change]) -> list[Change]:
    """Return changes with one entry a key: its first old value, its last new one."""
    found = {change.path: change for change in before}
    for change in more:
        first = found.get(change.path)
        found[change.path] = change if first is None else replace(change, old=first.old)
    return [change for change in found.values() if change.old != change.new]


def plain(value: object) -> Value:
    """Return a recipe's value as TOML knows it."""
    dump: Callable[[], object] | None = getattr(value, "model_dump", None)
    if dump is not None:
        return str(dump())
    return value if value is None or isinstance(value, str | int | float | bool | list) else str(value)
