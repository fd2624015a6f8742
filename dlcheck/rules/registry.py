"""All rules: built-in ones by lying in a family's folder, others by the entry-point group dlcheck.rules."""

import importlib
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType

from dlcheck.errors import DlcheckError, nearest, one_line
from dlcheck.findings import Crashed
from dlcheck.rules.rule import Rule

GROUP = "dlcheck.rules"


@dataclass(frozen=True, slots=True)
class Registry:
    """The rules that loaded, by code in alphabetical order, and what did not load."""

    rules: dict[str, Rule]
    broken: tuple[Crashed, ...] = ()


@cache
def registry() -> Registry:
    """Load every rule, once. A third party's rule that fails is reported, and the others stand."""
    rules = {rule.code: rule for module in _built_in() for rule in _rules_of(module)}
    broken: list[Crashed] = []
    for entry in entry_points(group=GROUP):
        try:
            rules |= _foreign(entry, rules)
        except Exception as error:  # whatever a stranger's import raises must not stop the others
            broken.append(Crashed(entry.name, f"{entry.value} does not load: {one_line(error)}"))
    return Registry(dict(sorted(rules.items())), tuple(broken))


def all_rules() -> dict[str, Rule]:
    """Return all rules by code."""
    return registry().rules


def find_rule(word: str) -> Rule:
    """Return the rule with this code or name, in any case of letters.

    Raises:
        DlcheckError: there is none; names the nearest.
    """
    rules = all_rules()
    for found in rules.values():
        if word.casefold() in (found.code.casefold(), found.name.casefold()):
            return found
    names = [*rules, *(found.name for found in rules.values())]
    raise DlcheckError(f"{word}: no such rule; {nearest(word, names, 'rules')}")


def _built_in() -> Iterator[ModuleType]:
    package = importlib.import_module("dlcheck.rules")
    for family in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        if family.ispkg:
            folder = importlib.import_module(family.name)
            for module in pkgutil.iter_modules(folder.__path__, f"{family.name}."):
                yield importlib.import_module(module.name)


def _rules_of(module: ModuleType) -> list[Rule]:
    return [item for item in vars(module).values() if isinstance(item, Rule)]


def _foreign(entry: EntryPoint, known: dict[str, Rule]) -> dict[str, Rule]:
    loaded = entry.load()
    found = [loaded] if isinstance(loaded, Rule) else _rules_of(loaded)
    taken = [rule.code for rule in found if rule.code in known]
    if taken:
        raise ValueError(f"the code {taken[0]} is taken")
    return {rule.code: rule for rule in found}
