"""Words of a report that hold in every format: text without escapes, numbers to read, what to do next."""

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path

from dlcheck.errors import printable as printable
from dlcheck.findings import Finding, Outcome, Value
from dlcheck.report.report import Report, counts

MOST_NAMES = 20
"""Columns named of those that were not used."""


def number(value: Value) -> str:
    """Return a value of the evidence in at most four significant digits; absent is ``none``."""
    if value is None:
        return "none"
    if isinstance(value, str | int):
        return printable(str(value))
    if isinstance(value, tuple):
        return ", ".join(number(item) for item in value)
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "inf" if value > 0 else "-inf"
    return f"{value:.4g}"


def place(finding: Finding) -> str:
    """Return where a finding is, as ``val_loss, layer fc, step 70, epoch 7``; empty when nowhere."""
    where = finding.where
    parts = [where.metric, where.layer and f"layer {where.layer}"]
    parts += [f"{name} {value}" for name, value in (("step", where.step), ("epoch", where.epoch)) if value is not None]
    if where.file:
        parts.append(f"{where.file}:{where.line}" if where.line else where.file)
    return printable(", ".join(part for part in parts if part))


def patch_text(finding: Finding) -> list[tuple[str, str]]:
    """Return each remedy with its patch as ``--set`` options, empty when it has none."""
    return [
        (printable(remedy.text), " ".join(f"--set {_assignment(key, value)}" for key, value in remedy.patch.items()))
        for remedy in finding.remedies
    ]


def headline(report: Report) -> str:
    """Return the verdict in one sentence."""
    primary = [finding for finding in report.outcome.findings if finding.primary and finding.severity.label != "info"]
    if report.verdict == "sick":
        named = ", ".join(f"{finding.code} {finding.name}" for finding in primary)
        return f"sick: {printable(named)}"
    if report.verdict == "healthy":
        return "healthy: the rules that could have told otherwise ran clean"
    return "unknown: too little was measured to call it healthy; nothing shows it to be sick"


def counts_line(outcome: Outcome) -> str:
    """Return how many rules ended in each way, in one line."""
    found = counts(outcome)
    words = {"findings": "finding" if found["findings"] == 1 else "findings"}
    return "; ".join(f"{count} {words.get(name, name)}" for name, count in found.items())


def flat(content: object, prefix: str = "") -> Iterator[tuple[str, object]]:
    """Yield what lies in nested tables by its whole name, as ``optimizer.lr``; nothing where there is no table."""
    for key, value in content.items() if isinstance(content, Mapping) else ():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def folder_line(folder: Path) -> str:
    """Return where a run lies, and the page to look at where it has one already."""
    return f"run folder: {folder}{' (report.html)' if (folder / 'report.html').exists() else ''}"


def next_step(report: Report) -> str:
    """Return what to do next, the last line of a report."""
    for finding in report.outcome.findings:
        if finding.primary:
            return f"next: dlcheck explain {printable(finding.code)}"
    for lacking in report.outcome.not_checked:
        if report.verdict == "unknown" and lacking.try_:
            if report.run.facts.get("watched") is True:
                return "next: dlcheck check my_package.module:factory, for what a run does not show"
            return f"next: {printable(lacking.try_)}, for what was not checked"
    return f"next: {printable(report.then or 'nothing to mend')}"


def read_as(report: Report) -> Iterator[str]:
    """Yield what a log's columns were taken for, what was inferred, and what was not clear, a line each."""
    meta = report.run.meta
    yield f"read as: {printable(report.format)}"
    for kind, word in (("columns", "column"), ("inferred", "inferred"), ("ambiguous", "not clear")):
        for told in _sentences(meta.get(kind), " -> " if kind == "columns" else ": "):
            yield f"{word}: {printable(told)}"
    unmapped = meta.get("unmapped")
    if isinstance(unmapped, list | tuple) and unmapped:
        named = ", ".join(printable(str(name)) for name in unmapped[:MOST_NAMES])
        more = f" and {len(unmapped) - MOST_NAMES} more" if len(unmapped) > MOST_NAMES else ""
        yield f"not used: {named}{more}"


def _sentences(content: object, between: str) -> list[str]:
    if isinstance(content, Mapping):
        return [f"{key}{between}{value}" for key, value in content.items()]
    return [str(item) for item in content] if isinstance(content, list | tuple) else []


def _assignment(key: str, value: object) -> str:
    """Return ``key=value`` as a shell takes it: a list in quotes."""
    if isinstance(value, list | tuple):
        return f"'{key}={json.dumps(list(value), separators=(',', ':'))}'"
    return f"{key}={str(value).lower() if isinstance(value, bool) else value}"
