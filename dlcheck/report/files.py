"""The reports that every run folder holds."""

from dlcheck.findings import Outcome
from dlcheck.report.html.run import to_html
from dlcheck.report.json import to_json
from dlcheck.report.report import Report
from dlcheck.rules.verdict import Verdict
from dlcheck.runs import Run, RunFolder, write_atomic


def write_reports(folder: RunFolder, run: Run, outcome: Outcome, verdict: Verdict) -> Report:
    """Write ``findings.json`` and ``report.html`` into a run folder, and return the report they show.

    Raises:
        DlcheckError: a file cannot be written.
    """
    report = Report(str(folder.path), run, outcome, verdict)
    write_atomic(folder.findings, to_json([report]))
    write_atomic(folder.report, to_html([report]))
    return report
