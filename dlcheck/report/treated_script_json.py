"""The treatment of a script as JSON, schema dlcheck.script-treatment/1."""

from __future__ import annotations

from dataclasses import asdict

from dlcheck.report.json import finding_object, run_object
from dlcheck.report.treated_script import ScriptTreated
from dlcheck.runs.strict_json import dumps

SCHEMA = "dlcheck.script-treatment/1"
"""A change of meaning raises the number."""


def script_json(treated: ScriptTreated) -> str:
    """Return strict JSON of a script's treatment, ending in a line break."""
    content = {
        "schema": SCHEMA,
        "name": treated.name,
        "folder": str(treated.folder),
        "status": treated.status,
        "prescriptions": [
            {
                "finding": finding_object(one.finding),
                "text": one.text,
                "diff": one.diff,
                "exact": one.exact,
                "applied": one.applied,
            }
            for one in treated.prescriptions
        ],
        "copies": [str(path) for path in treated.copies],
        "compared": [asdict(one) for one in treated.compared],
        "notes": list(treated.notes),
        "before": run_object(treated.before),
        "after": run_object(treated.after) if treated.after is not None else None,
    }
    return dumps(content, indent=2) + "\n"
