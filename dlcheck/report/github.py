"""The diagnosis as annotations of a GitHub workflow.

The syntax is that of GitHub's workflow commands: a level, properties, and a message, with line breaks and
separators as percent codes.
"""

from collections.abc import Iterator

from dlcheck.findings import Finding, Severity
from dlcheck.report.plain import headline, printable
from dlcheck.report.report import Report
from dlcheck.report.triage import Triage

LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}


def to_github(triage: Triage) -> str:
    """Return one line for each finding, and for each run without any, and for each file that was not read."""
    lines = [line for report in triage.reports for line in _report(report)]
    lines += [command("error", item.why, title="dlcheck: not read", file=str(item.path)) for item in triage.refused]
    return "\n".join(lines) + "\n"


def command(level: str, message: str, **properties: str) -> str:
    """Return a workflow command whose words can neither end it nor begin another."""
    told = ",".join(f"{key}={_escape(value, property_=True)}" for key, value in properties.items())
    return f"::{level} {told}::{_escape(message)}"


def finding_command(finding: Finding, file: str) -> str:
    """Return the annotation of one finding, at ``file`` unless it names its own."""
    where = finding.where
    place = {"file": where.file or file} | ({"line": str(where.line)} if where.line else {})
    by = f"; explained by {finding.explained_by}" if finding.explained_by else ""
    do = f"; do: {finding.remedies[0].text}" if finding.remedies and finding.primary else ""
    title = f"{finding.code} {finding.name}"
    return command(LEVELS[finding.severity], f"{finding.summary}{by}{do}", title=title, **place)


def _report(report: Report) -> Iterator[str]:
    for finding in report.outcome.findings:
        yield finding_command(finding, report.path or report.source)
    if not report.outcome.findings:
        yield command("notice", headline(report), title="dlcheck", file=report.path or report.source)


def _escape(text: str, *, property_: bool = False) -> str:
    safe = printable(text).replace("%", "%25")
    return safe.replace(":", "%3A").replace(",", "%2C") if property_ else safe
