"""The diagnosis as Markdown, to paste into a pull request."""

import re
from collections.abc import Iterator, Sequence

from dlcheck.findings import Finding
from dlcheck.report.plain import counts_line, headline, next_step, number, patch_text, place, printable
from dlcheck.report.report import Report
from dlcheck.report.triage import Triage, worst_finding

_MARKUP = re.compile(r"([\\`*_{}\[\]|~$])")
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
# A hosting service links these after Markdown has been rendered, so that a backslash does not stop it.
_LINKED = re.compile(r"(@|#|:(?=//)|www(?=\.))", re.IGNORECASE)
FULL = 10
"""Worst runs of many that are told in full."""


def to_markdown(triage: Triage, *, top: int = 0) -> str:
    """Return GitHub-flavoured Markdown; words of the user's side neither format nor mention anybody.

    Args:
        triage: The runs.
        top: Runs to show at most; 0: all.
    """
    reports = triage.reports
    shown = reports[:top] if top else reports
    parts = [_table(triage, shown, len(reports))] if len(reports) != 1 else []
    parts += [_report(report) for report in shown[:FULL]]
    parts += [_refused(triage)] if triage.refused else []
    return "\n\n".join(parts) + "\n"


def escape(text: str) -> str:
    """Return text that Markdown shows as it is, on one line, without links, mentions or HTML."""
    return _LINKED.sub(r"\1<!-- -->", _MARKUP.sub(r"\\\1", printable(text).strip()).translate(_ENTITIES))


def code(text: str) -> str:
    """Return text as a code span, whatever backticks it holds; such a span cannot mention or link."""
    plain = printable(text)
    longest = max((len(run) for run in re.findall("`+", plain)), default=0)
    fence = "`" * (longest + 1)
    space = " " if plain.startswith("`") or plain.endswith("`") else ""
    return f"{fence}{space}{plain}{space}{fence}"


def _table(triage: Triage, shown: Sequence[Report], total: int) -> str:
    lines = [f"**{triage.headline}**"]
    if shown:
        lines += ["", "| verdict | worst finding | findings | run |", "| --- | --- | ---: | --- |"]
    for report in shown:
        worst = worst_finding(report)
        told = f"{worst.code} {worst.name} ({worst.severity.label})" if worst is not None else "none"
        lines.append(f"| {report.verdict} | {escape(told)} | {len(report.outcome.findings)} | {_cell(report.source)} |")
    if total > len(shown):
        lines += ["", f"and {total - len(shown)} more, less sick"]
    if triage.rules:
        lines += ["", "| rule | runs |", "| --- | ---: |"]
        lines += [f"| {escape(f'{rule.code} {rule.name}')} | {rule.runs} |" for rule in triage.rules]
    return "\n".join(lines)


def _cell(text: str) -> str:
    return code(text).replace("|", "\\|")


def _report(report: Report) -> str:
    lines = [f"### {code(report.source)}", "", f"**{escape(headline(report))}**", ""]
    for finding in report.outcome.findings:
        lines += [*_finding(finding), ""]
    lines.append(counts_line(report.outcome))
    lines += [""] if report.outcome.not_checked else []
    lines += [*_not_checked(report), "", f"_{escape(next_step(report))}_"]
    return "\n".join(lines)


def _finding(finding: Finding) -> Iterator[str]:
    head = f"**{escape(f'{finding.code} {finding.name}')}** ({finding.severity.label}, {finding.confidence:.0%} sure)"
    yield f"- {head}: {escape(finding.summary)}"
    if finding.explained_by:
        yield f"  - explained by {escape(finding.explained_by)}"
        return
    if finding.evidence:
        yield f"  - {escape('; '.join(f'{key} {number(value)}' for key, value in finding.evidence.items()))}"
    if where := place(finding):
        yield f"  - at {escape(where)}"
    if finding.cause:
        yield f"  - cause: {escape(finding.cause)}"
    for text, patch in patch_text(finding):
        yield f"  - do: {escape(text)}" + (f" {code(patch)}" if patch else "")


def _not_checked(report: Report) -> Iterator[str]:
    if not report.outcome.not_checked:
        return
    yield "<details><summary>not checked</summary>"
    yield ""
    for item in report.outcome.not_checked:
        supply = f" ({code(item.try_)} measures it)" if item.try_ else ""
        yield f"- {escape(item.code)}: {escape(item.why)}{supply}"
    yield ""
    yield "</details>"


def _refused(triage: Triage) -> str:
    lines = [f"**not read: {len(triage.refused)}**", ""]
    return "\n".join(lines + [f"- {code(str(item.path))}: {escape(item.why)}" for item in triage.refused])
