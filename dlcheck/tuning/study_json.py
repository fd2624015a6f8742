"""A study as JSON. Imports neither torch nor Optuna."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dlcheck.runs.strict_json import dumps
from dlcheck.tuning.status import best_row
from dlcheck.tuning.trials import StudyView, TrialRow

if TYPE_CHECKING:
    from dlcheck.tuning.tune import Tuned

SCHEMA = "dlcheck.study/1"


def study_json(view: StudyView, tuned: Tuned | None = None) -> str:
    """Return a study as JSON text.

    Args:
        view: The study.
        tuned: How the command that ran it ended; None when it is only looked at.
    """
    best = best_row(view)
    content: dict[str, object] = {
        "schema": SCHEMA,
        "name": view.name,
        "metrics": list(view.metrics),
        "directions": ["min" if small else "max" for small in view.directions],
        "sampler": view.sampler,
        "pruner": view.pruner,
        "why": view.why,
        "total": view.total,
        "best": _row(best) if best is not None else None,
        "trials": [_row(row) for row in view.trials],
    }
    if tuned is not None:
        files = tuned.finished.files if tuned.finished is not None else ()
        content["stopped"] = tuned.enough.why if tuned.enough is not None else "interrupted"
        content["files"] = [str(file) for file in files]
    return dumps(content, indent=2) + "\n"


def _row(row: TrialRow) -> dict[str, object]:
    return {
        "number": row.number,
        "state": row.state,
        "ending": str(row.ending) if row.ending is not None else None,
        "reason": row.diagnosis or row.reason,
        "value": row.value,
        "best": row.best,
        "params": row.params,
        "metrics": row.metrics,
        "epochs": row.epochs,
        "seconds": row.seconds,
        "baseline": row.baseline,
        "requeued": row.requeued,
    }
