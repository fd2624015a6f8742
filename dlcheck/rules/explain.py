"""The page of a rule, from its docstring and its thresholds."""

import re
from textwrap import wrap

from dlcheck.rules.registry import find_rule
from dlcheck.rules.rule import Need, Rule
from dlcheck.rules.unusual import suspects

SECTIONS = ("What it finds", "Why it matters", "What to do", "Limits", "Thresholds", "Sources")
_HEADING = re.compile(r"^([A-Z][a-z ]+):$", re.MULTILINE)


def explain(code: str) -> str:
    """Return the page of a rule given by code or name.

    Raises:
        DlcheckError: no such rule; names the nearest.
    """
    return page(find_rule(code))


def page(rule: Rule) -> str:
    """Return a rule's page: what it is, its sections, its thresholds with value and source, its signals."""
    parts = sections(rule)
    head = f"{rule.code} {rule.name} ({rule.severity.label})\n\n{parts.pop('')}"
    parts["Thresholds"] = _thresholds(rule, parts.get("Thresholds", ""))
    if remedies := _remedies(rule):
        parts["Remedies"] = "\n".join(f"    {line}" for line in remedies)
    parts["Signals"] = "    " + ("; ".join(_need(need) for need in rule.needs) or "none")
    return "\n\n".join([head, *(f"{title}:\n{text}" for title, text in parts.items())]) + "\n"


def sections(rule: Rule) -> dict[str, str]:
    """Return the texts of a rule's docstring by heading; the first sentence stands under the empty one."""
    first, *rest = _HEADING.split(rule.page)
    texts = (text.strip("\n").rstrip() for text in rest[1::2])
    return {"": first.strip()} | dict(zip(rest[::2], texts, strict=True))


def _thresholds(rule: Rule, text: str) -> str:
    """Put value and source into the line ``    name: meaning`` of each threshold."""
    for name, threshold in rule.thresholds.items():
        pattern = re.compile(rf"^(\s+){name}: ((?:.|\n\1\s)*)", re.MULTILINE)
        line = rf"\1{name} = {threshold.value:g}: \2\n\1  Source: {_literal(threshold.source)}"
        text = pattern.sub(line, text)
    return text


def _remedies(rule: Rule) -> list[str]:
    """Return the prescriptions, most likely first, each with what it sets, and the keys that are suspected first."""
    lines = [f"- {item.text}{f': {item.settings}' if item.patch else ''}" for item in rule.prescriptions]
    keys = suspects(rule.code)
    if not keys:
        return lines
    first = wrap(f"First of all set back what lies far from its usual range: {', '.join(keys)}", 96)
    return [*lines, *first]


def _literal(text: str) -> str:
    return text.replace("\\", "\\\\")


def _need(need: Need) -> str:
    return need if isinstance(need, str) else " or ".join(need)
