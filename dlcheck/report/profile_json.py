"""A profile as JSON, schema dlcheck.profile/1."""

from __future__ import annotations

from dataclasses import asdict

from dlcheck.report.json import finding_object
from dlcheck.report.profile_words import bound_of, notes
from dlcheck.report.report import Report
from dlcheck.runs.facts import (
    Ceilings,
    ComputeTrials,
    CpuUse,
    DeviceUse,
    Launches,
    LoaderSweep,
    LoaderTimes,
    MemoryGrowth,
    MemoryNeed,
    SharedMemory,
    StepTimes,
    Syncs,
    Transfers,
)
from dlcheck.runs.strict_json import dumps

SCHEMA = "dlcheck.profile/1"
"""A change of meaning raises the number."""
FACTS = (
    StepTimes,
    LoaderTimes,
    Ceilings,
    Transfers,
    Launches,
    Syncs,
    CpuUse,
    DeviceUse,
    ComputeTrials,
    LoaderSweep,
    SharedMemory,
    MemoryNeed,
    MemoryGrowth,
)


def profile_json(report: Report) -> str:
    """Return strict JSON of a profile, ending in a line break; seconds, bytes and shares, null where not measured.

    A number that is not finite is null, with ``<key>_state`` beside it: ``nan``, ``inf`` or ``-inf``.
    """
    outcome, found = report.outcome, bound_of(report)
    content: dict[str, object] = {
        "schema": SCHEMA,
        "source": report.source,
        "verdict": report.verdict,
        "bound": asdict(found) if found is not None else None,
        "facts": {kind.NAME: report.run.facts.get(kind.NAME) for kind in FACTS},
        "notes": notes(report),
        "findings": [finding_object(finding) for finding in outcome.findings],
        "clean": list(outcome.clean),
        "not_checked": [{"code": item.code, "why": item.why, "try": item.try_} for item in outcome.not_checked],
        "crashed": [{"code": item.code, "error": item.error} for item in outcome.crashed],
    }
    return dumps(content, indent=2) + "\n"
