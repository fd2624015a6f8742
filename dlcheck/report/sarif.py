"""The diagnosis as SARIF 2.1.0 (OASIS standard of 2020), for code-scanning services and editors."""

import hashlib
from pathlib import Path
from urllib.parse import quote

from dlcheck import __version__
from dlcheck.findings import Finding, Severity
from dlcheck.report.plain import printable
from dlcheck.report.report import Report
from dlcheck.report.triage import Triage
from dlcheck.rules.explain import page, sections
from dlcheck.rules.registry import all_rules
from dlcheck.rules.rule import Rule
from dlcheck.runs.strict_json import dumps

VERSION = "2.1.0"
SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}


def to_sarif(triage: Triage) -> str:
    """Return strict JSON: every rule with its page, and a result for each finding, located in its log."""
    rules = all_rules()
    places = {code: index for index, code in enumerate(rules)}
    results = [
        _result(report, finding, places.get(finding.code))
        for report in triage.reports
        for finding in report.outcome.findings
    ]
    driver = {"name": "dlcheck", "version": __version__, "rules": [_rule(rule) for rule in rules.values()]}
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "invocations": [{"executionSuccessful": True, "toolExecutionNotifications": _notifications(triage)}],
        "results": results,
    }
    return dumps({"$schema": SCHEMA, "version": VERSION, "runs": [run]}, indent=2) + "\n"


def _rule(rule: Rule) -> dict[str, object]:
    return {
        "id": rule.code,
        "name": "".join(part.capitalize() for part in rule.name.split("-")),
        "shortDescription": {"text": " ".join(sections(rule)[""].split())},
        "help": {"text": page(rule)},
        "defaultConfiguration": {"level": LEVELS[rule.severity]},
        "properties": {"tags": ["training", rule.name]},
    }


def _result(report: Report, finding: Finding, index: int | None) -> dict[str, object]:
    do = "".join(f"\n- {printable(remedy.text)}" for remedy in finding.remedies)
    parts = [printable(finding.summary), printable(finding.cause), f"What to do:{do}" if do else ""]
    return {
        "ruleId": finding.code,
        **({} if index is None else {"ruleIndex": index}),
        "level": LEVELS[finding.severity],
        "message": {"text": "\n".join(part for part in parts if part)},
        "locations": [_location(finding.where.file or _file(report), finding.where.line or 1)],
        "partialFingerprints": {"dlcheck/v1": _fingerprint(report, finding)},
        "properties": {
            "source": report.source,
            "confidence": finding.confidence,
            "primary": finding.primary,
            "explained_by": finding.explained_by,
            "metric": finding.where.metric,
            "step": finding.where.step,
            "epoch": finding.where.epoch,
            "evidence": dict(finding.evidence),
        },
    }


def _location(file: str, line: int) -> dict[str, object]:
    return {"physicalLocation": {"artifactLocation": {"uri": uri(file)}, "region": {"startLine": line}}}


def uri(file: str) -> str:
    """Return a path as a URI reference: relative paths stay so, which is what code-scanning services expect."""
    path = Path(file)
    # A name may hold bytes that are no UTF-8, which Python keeps as lone surrogates.
    coded = path.as_posix().encode("utf-8", "surrogateescape" if _of_a_file_system(file) else "replace")
    return f"{'file://' if path.is_absolute() else ''}{quote(coded)}"


def _of_a_file_system(name: str) -> bool:
    return all(not 0xD800 <= ord(char) < 0xDC80 and not 0xDCFF < ord(char) < 0xE000 for char in name)


def _file(report: Report) -> str:
    return report.path or report.source


def _fingerprint(report: Report, finding: Finding) -> str:
    # What stays the same when a run is diagnosed again: not the numbers.
    words = (report.source, finding.code, finding.where.metric or "", finding.where.layer or "")
    return hashlib.sha256("\0".join(words).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _notifications(triage: Triage) -> list[dict[str, object]]:
    lost: list[dict[str, object]] = [
        {
            "level": "error",
            "message": {"text": f"not read: {printable(item.why)}"},
            "locations": [_location(str(item.path), 1)],
        }
        for item in triage.refused
    ]
    crashed: list[dict[str, object]] = [
        {"level": "warning", "message": {"text": f"{printable(item.code)} crashed: {printable(item.error)}"}}
        for report in triage.reports
        for item in report.outcome.crashed
    ]
    return lost + crashed
