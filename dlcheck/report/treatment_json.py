"""A treatment as JSON, schema dlcheck.treatment/1."""

from __future__ import annotations

from dataclasses import asdict

from dlcheck.report.json import finding_object, run_object
from dlcheck.report.treated import Attempt, Proof, Treated
from dlcheck.runs.strict_json import dumps

SCHEMA = "dlcheck.treatment/1"
"""A change of meaning raises the number."""


def treatment_json(treated: Treated) -> str:
    """Return strict JSON of a treatment, ending in a line break.

    A number that is not finite is null, with ``<key>_state`` beside it; of a list of scores by seed, null is a training
    that died.
    """
    content = {
        "schema": SCHEMA,
        "name": treated.name,
        "source": treated.source,
        "folder": str(treated.folder),
        "ending": treated.ending.value,
        "metric": treated.metric,
        "greater_is_better": treated.greater_is_better,
        "proof": _proof(treated.proof),
        "changes": [asdict(change) for change in treated.changes],
        "rounds": [
            {"finding": finding_object(one.finding), "attempts": [_attempt(attempt) for attempt in one.attempts]}
            for one in treated.rounds
        ],
        "plan": [_attempt(attempt) for attempt in treated.plan],
        "yours": [
            {
                "code": item.finding.code,
                "name": item.finding.name,
                "text": item.text,
                "rows": str(item.rows) if item.rows is not None else None,
                "count": item.count,
            }
            for item in treated.yours
        ],
        "cured": str(treated.cured) if treated.cured is not None else None,
        "diff": treated.diff,
        "cost": treated.cost,
        "costs": dict(treated.costs),
        "seconds": round(treated.seconds, 3),
        "notes": list(treated.notes),
        "before": run_object(treated.before),
        "after": run_object(treated.after) if treated.after is not None else None,
    }
    return dumps(content, indent=2) + "\n"


def _attempt(attempt: Attempt) -> dict[str, object]:
    return {
        "remedy": attempt.remedy,
        "changes": [asdict(change) for change in attempt.changes],
        "fate": attempt.fate.value,
        "reason": attempt.reason,
        "source": attempt.source,
        "short": [{"share": share, "score": score} for share, score in attempt.short],
        "proof": _proof(attempt.proof),
        "cost": attempt.cost,
    }


def _proof(proof: Proof | None) -> dict[str, object] | None:
    if proof is None:
        return None
    return {
        "metric": proof.metric,
        "difference": proof.difference,
        "low": proof.low,
        "high": proof.high,
        "level": proof.level,
        "seeds": list(proof.seeds),
        "before": list(proof.before),
        "after": list(proof.after),
        "better": proof.better,
    }
