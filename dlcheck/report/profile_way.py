"""What is not in a training's way, and what could not be looked at: the other half of a verdict."""

from __future__ import annotations

from collections import defaultdict

from dlcheck.findings import NotChecked
from dlcheck.report.plain import printable
from dlcheck.report.profile_words import size
from dlcheck.report.report import Report
from dlcheck.runs.facts import SharedMemory, Transfers, fact

FAMILY = "P"
CLEAN = {
    "P501": "loading",
    "P502": "copies",
    "P503": "launches",
    "P504": "synchronisation",
    "P505": "beginnings of epochs",
    "P506": "threads and cores",
    "P508": "use of the device",
    "P509": "memory",
    "P510": "growth of memory",
    "P512": "workers",
    "P513": "work beside the computation",
    "P514": "the optimizer",
    "P515": "shared memory",
}
"""What each rule is about, for those whose silence is good to hear of."""


def not_in_the_way(report: Report) -> str:
    """Return in words what was looked at and found in order; empty where nothing was."""
    return ", ".join(f"{CLEAN[code]}{_number(report, code)}" for code in report.outcome.clean if code in CLEAN)


def _number(report: Report, code: str) -> str:
    room, sent = fact(report.run, SharedMemory), fact(report.run, Transfers)
    if code == "P515" and room is not None:
        return f" ({size(room.need)} of {size(room.free)})"
    if code == "P502" and sent is not None and sent.gb_per_s is not None:
        return f" ({sent.gb_per_s:.3g} GB/s{' from pinned memory' if sent.pinned else ''})"
    return ""


def not_looked_at(report: Report) -> dict[str, list[str]]:
    """Return the codes of rules that could not look, by reason; those of other families under one."""
    reasons: dict[str, list[str]] = defaultdict(list)
    for item in report.outcome.not_checked:
        reasons[_reason(item)].append(item.code)
    return reasons


def _reason(item: NotChecked) -> str:
    if not item.code.startswith(FAMILY):
        return "a profile does not show what they judge"
    if item.lacking:
        return "not measured here"
    return printable(item.why)
