"""The diagnosis as JSON, schema dlcheck.findings/1."""

from collections.abc import Iterable

from dlcheck.findings import Finding, Remedy, Where
from dlcheck.report.exams import exam_objects
from dlcheck.report.report import Report
from dlcheck.runs.discover import Refused
from dlcheck.runs.strict_json import dumps

SCHEMA = "dlcheck.findings/1"
"""A change of meaning raises the number."""


def to_json(reports: Iterable[Report], refused: Iterable[Refused] = ()) -> str:
    """Return strict JSON of one or more runs, ending in a line break.

    A number that is not finite is null, with ``<key>_state`` beside it: ``nan``, ``inf`` or ``-inf``.
    Where files could not be read, ``refused`` lists them.
    """
    lost = [{"source": str(item.path), "why": item.why} for item in refused]
    content = {"schema": SCHEMA, "runs": [run_object(report) for report in reports]} | (
        {"refused": lost} if lost else {}
    )
    return dumps(content, indent=2) + "\n"


def run_object(report: Report) -> dict[str, object]:
    """Return a judged run as the schema has it."""
    outcome = report.outcome
    content: dict[str, object] = {
        "source": report.source,
        "format": report.format,
        "verdict": report.verdict,
        "findings": [finding_object(finding) for finding in outcome.findings],
        "clean": list(outcome.clean),
        "not_checked": [{"code": item.code, "why": item.why, "try": item.try_} for item in outcome.not_checked],
        "crashed": [{"code": item.code, "error": item.error} for item in outcome.crashed],
    }
    return content | ({"exams": exam_objects(report.exams)} if report.exams else {})


def finding_object(finding: Finding) -> dict[str, object]:
    """Return a finding as the schema has it."""
    return {
        "code": finding.code,
        "name": finding.name,
        "severity": finding.severity.label,
        "confidence": finding.confidence,
        "summary": finding.summary,
        "evidence": dict(finding.evidence),
        "where": _where(finding.where),
        "cause": finding.cause,
        "primary": finding.primary,
        "explained_by": finding.explained_by,
        "remedies": [_remedy(remedy) for remedy in finding.remedies],
        "references": list(finding.references),
    }


def _remedy(remedy: Remedy) -> dict[str, object]:
    """Return words and patch; what it should do, which key a search sets better, what it hides, where it has them."""
    expects = [{"signal": effect.signal, "change": effect.change} for effect in remedy.expects]
    more = {"expects": expects, "search": remedy.search, "hides": remedy.hides}
    return {"text": remedy.text, "patch": dict(remedy.patch)} | {key: value for key, value in more.items() if value}


def _where(where: Where) -> dict[str, object]:
    return {
        "metric": where.metric,
        "layer": where.layer,
        "step": where.step,
        "epoch": where.epoch,
        "file": where.file,
        "line": where.line,
    }
