"""The pages of rules, as text, Markdown or JSON."""

from collections.abc import Iterable, Sequence

from dlcheck.errors import DlcheckError
from dlcheck.report.markdown import code, escape
from dlcheck.rules.explain import page, sections
from dlcheck.rules.prescription import Prescription
from dlcheck.rules.registry import all_rules, find_rule
from dlcheck.rules.rule import Rule
from dlcheck.rules.unusual import suspects
from dlcheck.runs.strict_json import dumps

SCHEMA = "dlcheck.rules/1"


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
