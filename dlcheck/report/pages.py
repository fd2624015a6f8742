"""The pages of rules, as text, Markdown or JSON."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from textwrap import wrap
from typing import TYPE_CHECKING

from dlcheck.errors import DlcheckError
from dlcheck.report.markdown import code, escape
from dlcheck.rules.explain import page, sections
from dlcheck.rules.prescription import Prescription
from dlcheck.rules.registry import all_rules, find_rule
from dlcheck.rules.rule import Rule
from dlcheck.rules.unusual import suspects
from dlcheck.runs.strict_json import dumps

if TYPE_CHECKING:
    from rich.text import Text

SCHEMA = "dlcheck.rules/1"
FULL = 90
"""Columns of a docstring's line from which it is broken for its length alone."""
MOST_SELECTED = 8
"""Rules that a command names."""


def rules_of(words: Iterable[str]) -> list[Rule]:
    """Return the rules with these codes, names, or prefixes of codes, each once, in the order of their codes.

    Raises:
        DlcheckError: a word fits none; names the nearest.
    """
    found = {rule.code: rule for word in words for rule in _matching(word)}
    return [found[key] for key in sorted(found)]


def render_pages(rules: Sequence[Rule], format_: str) -> str:
    """Return the pages as ``text``, ``markdown`` or ``json``, ending in a line break."""
    if format_ == "json":
        return dumps({"schema": SCHEMA, "rules": [_object(rule) for rule in rules]}, indent=2) + "\n"
    if format_ == "markdown":
        return "\n".join(_markdown(rule) for rule in rules)
    return f"\n{'-' * 80}\n\n".join(page(rule) for rule in rules)


def page_lines(rules: Sequence[Rule], width: int) -> Iterator[Text]:
    """Yield the pages for a terminal: headings stand out, long lines are folded, the last line says what to do."""
    from rich.text import Text

    from dlcheck.report.look import HEAD, NEXT, SEVERITIES, SOFT

    for place, rule in enumerate(rules):
        if place:
            yield Text(f"\n{'-' * min(width, 80)}\n", SOFT)
        for number, line in enumerate(_whole_lines(page(rule))):
            if not number:
                yield Text(line, SEVERITIES[rule.severity])
            elif len(line) > width:
                yield Text(_folded(line, width))
            else:
                yield Text(line, HEAD if line[:1].isalpha() and line.endswith(":") else "")
    chosen = f" --select {','.join(rule.code for rule in rules)}" if len(rules) <= MOST_SELECTED else ""
    yield Text(f"\nnext: dlcheck diagnose RUN{chosen}", NEXT)


def _folded(line: str, width: int) -> str:
    """Return a line in the width; items of a list hang, prose does not."""
    left = len(line) - len(line.lstrip()) + (2 if re.match(r"\s*(- |\w+ = )", line) else 0)
    return "\n".join(wrap(line, width, subsequent_indent=" " * left, break_long_words=False, break_on_hyphens=False))


def _whole_lines(text: str) -> list[str]:
    """Return lines, those that a docstring broke only because they were full put together again."""
    whole: list[str] = []
    last = ""
    for line in text.splitlines():
        first, left = next(iter(line.split()), ""), len(line) - len(line.lstrip())
        full = len(last) + 1 + len(first) > FULL and left >= len(last) - len(last.lstrip())
        if full and first not in ("", "-", "Source:"):
            whole[-1] = f"{whole[-1]} {line.strip()}"
        else:
            whole.append(line)
        last = line
    return whole


def _matching(word: str) -> list[Rule]:
    rules = all_rules()
    fitting = [rule for name, rule in rules.items() if word and name.casefold().startswith(word.casefold())]
    if fitting and not any(word.casefold() == rule.code.casefold() for rule in fitting):
        return fitting
    try:
        return [find_rule(word)]
    except DlcheckError:
        if fitting:
            return fitting
        raise


def _object(rule: Rule) -> dict[str, object]:
    texts = sections(rule)
    summary = texts.pop("")
    return {
        "code": rule.code,
        "name": rule.name,
        "severity": rule.severity.label,
        "summary": " ".join(summary.split()),
        "sections": {title: _unfolded(text) for title, text in texts.items()},
        "thresholds": {
            name: {"value": threshold.value, "source": threshold.source} for name, threshold in rule.thresholds.items()
        },
        "remedies": [{"text": item.text, "patch": dict(item.patch)} for item in rule.prescriptions],
        "suspects": list(suspects(rule.code)),
        "needs": [need if isinstance(need, str) else list(need) for need in rule.needs],
        "references": list(rule.references),
    }


def _markdown(rule: Rule) -> str:
    texts = sections(rule)
    lines = [f"## {rule.code} {rule.name}", "", f"_{rule.severity.label}_. {escape(_unfolded(texts.pop('')))}", ""]
    for title, text in texts.items():
        if title != "Thresholds":
            lines += [f"**{title}.** {escape(_unfolded(text))}", ""]
    if rule.thresholds:
        lines += ["| threshold | value | source |", "| --- | ---: | --- |"]
    for name, threshold in rule.thresholds.items():
        lines.append(f"| {code(name)} | {threshold.value:g} | {escape(threshold.source)} |")
    lines += ["", *(f"- {escape(item.text)}{_settings(item)}" for item in rule.prescriptions)]
    return "\n".join(lines).rstrip() + "\n"


def _settings(item: Prescription) -> str:
    return f": {code(item.settings)}" if item.patch else ""


def _unfolded(text: str) -> str:
    return " ".join(text.split())
