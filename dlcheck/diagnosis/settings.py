"""Which rules judge and by which thresholds: from the command line, the run's recipe, or pyproject.toml."""

import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dlcheck.errors import DlcheckError, nearest, one_line
from dlcheck.findings import Outcome, Severity
from dlcheck.rules.registry import registry
from dlcheck.rules.selection import checked_thresholds, selected
from dlcheck.runs import Run

FAIL_ON = (*(severity.label for severity in Severity), "never")
KEYS = ("select", "ignore", "fail-on", "thresholds")


@dataclass(frozen=True, slots=True)
class Settings:
    """What a person chose; what is empty or None was left open."""

    select: tuple[str, ...] = ()
    """Code prefixes to apply."""
    ignore: tuple[str, ...] = ()
    """Code prefixes to leave out; the longest prefix wins."""
    fail_on: str | None = None
    """Severity from which the exit status is 1, or ``never``; left open it is ``error``."""
    thresholds: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Other values by rule code and threshold name."""

    def over(self, lower: "Settings") -> "Settings":
        """Return these settings, with those of ``lower`` where these are open; thresholds name by name."""
        codes = {*lower.thresholds, *self.thresholds}
        return Settings(
            self.select or lower.select,
            self.ignore or lower.ignore,
            self.fail_on or lower.fail_on,
            {code: {**lower.thresholds.get(code, {}), **self.thresholds.get(code, {})} for code in codes},
        )

    def fails(self, outcome: Outcome) -> bool:
        """Return whether a finding is at or above ``fail_on``."""
        word = self.fail_on or Severity.ERROR.label
        return word != "never" and outcome.worst is not None and outcome.worst >= Severity[word.upper()]


def refuse_unknown(settings: Settings) -> None:
    """Refuse codes and thresholds that do not exist, before time is spent on measuring.

    Raises:
        DlcheckError: one of them.
    """
    rules = registry().rules
    selected(rules, settings.select, settings.ignore)
    checked_thresholds(rules, settings.thresholds)


def project_settings(start: Path) -> Settings:
    """Return ``[tool.dlcheck]`` of the nearest ``pyproject.toml``, in ``start`` or above it.

    Raises:
        DlcheckError: that file cannot be read, or its table has an unknown key or a wrong value.
    """
    for folder in (start.absolute(), *start.absolute().parents):
        path = folder / "pyproject.toml"
        if path.is_file():
            return parse_settings(_tool_table(path), f"{path}: tool.dlcheck")
    return Settings()


def recipe_settings(run: Run, source: str) -> Settings:
    """Return ``[rules]`` of the recipe that a run was trained from; open where it has none.

    Raises:
        DlcheckError: the section has an unknown key or a wrong value.
    """
    recipe = run.meta.get("recipe")
    table = recipe.get("rules", {}) if isinstance(recipe, Mapping) else {}
    return parse_settings(table, f"{source}: recipe.toml: rules")


def parse_settings(table: object, place: str) -> Settings:
    """Return the settings in a table of TOML, keys spelled with ``-`` or ``_``.

    Raises:
        DlcheckError: an unknown key or a wrong value; names it after ``place``.
    """
    if not isinstance(table, Mapping):
        raise DlcheckError(f"{place}: expected a table with {', '.join(KEYS)}")
    known = {str(key).replace("_", "-"): value for key, value in table.items()}
    for key in known:
        if key not in KEYS:
            raise DlcheckError(f"{place}.{key}: no such key; {nearest(key, KEYS)}")
    return Settings(
        _codes(known.get("select", []), f"{place}.select"),
        _codes(known.get("ignore", []), f"{place}.ignore"),
        _fail_on(known.get("fail-on"), f"{place}.fail-on"),
        _thresholds(known.get("thresholds", {}), f"{place}.thresholds"),
    )


def _tool_table(path: Path) -> object:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DlcheckError(f"{path}: cannot read: {one_line(error)}") from None
    tool = content.get("tool", {})
    return tool.get("dlcheck", {}) if isinstance(tool, Mapping) else {}


def _codes(value: object, place: str) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(code, str) and code for code in value):
        raise DlcheckError(f'{place}: expected a list of codes or prefixes, as ["C4", "R701"]')
    return tuple(value)


def _fail_on(value: object, place: str) -> str | None:
    if value is None:
        return None
    if value not in FAIL_ON:
        raise DlcheckError(f"{place} = {value!r}: expected one of {', '.join(FAIL_ON)}")
    return str(value)


def _thresholds(value: object, place: str) -> dict[str, dict[str, float]]:
    if not isinstance(value, Mapping):
        raise DlcheckError(f"{place}: expected a table by rule code, as [thresholds.C409]")
    return {str(code): _numbers(names, f"{place}.{code}") for code, names in value.items()}


def _numbers(names: object, place: str) -> dict[str, float]:
    if not isinstance(names, Mapping):
        raise DlcheckError(f"{place}: expected a table of thresholds by name")
    for name, number in names.items():
        if isinstance(number, bool) or not isinstance(number, int | float):
            raise DlcheckError(f"{place}.{name} = {number!r}: expected a number")
        if isinstance(number, int) and abs(number) > sys.float_info.max:
            raise DlcheckError(f"{place}.{name}: expected a number of at most {sys.float_info.max:.2g}")
    return {str(name): float(number) for name, number in names.items()}
