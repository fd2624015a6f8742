"""One change of a live diagnosis as one line."""

import time
from typing import Literal

from dlcheck.findings import Finding
from dlcheck.report.github import command, finding_command
from dlcheck.report.json import finding_object
from dlcheck.report.plain import printable
from dlcheck.report.report import Report
from dlcheck.runs.strict_json import dumps


def change_line(kind: Literal["found", "withdrawn"], report: Report, finding: Finding, format_: str) -> str:
    """Return a finding that became certain, or one that is withdrawn, as text, JSON or GitHub annotation."""
    if format_ == "json":
        return dumps({"event": kind, "source": report.source, "finding": finding_object(finding)})
    if format_ == "github":
        if kind == "found":
            return finding_command(finding, report.path or report.source)
        told = f"{finding.code} {finding.name} is withdrawn: no longer seen"
        return command("notice", told, title="dlcheck", file=report.path or report.source)
    head = f"{time.strftime('%H:%M:%S')} {printable(report.source)}: {printable(f'{finding.code} {finding.name}')}"
    if kind == "withdrawn":
        return f"{head} is withdrawn: no longer seen"
    do = f"\n   do: {printable(finding.remedies[0].text)}" if finding.remedies and finding.primary else ""
    by = f"; explained by {printable(finding.explained_by)}" if finding.explained_by else ""
    certainty = f"{finding.severity.label}, {finding.confidence:.0%} sure"
    return f"{head} ({certainty}): {printable(finding.summary)}{by}{do}"
