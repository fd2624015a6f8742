"""One judged run."""

import numpy as np

from dlcheck import rules
from dlcheck.diagnosis.settings import Settings, recipe_settings
from dlcheck.report.report import Report
from dlcheck.runs import Run


def examine(run: Run, source: str, settings: Settings, project: Settings | None = None) -> Report:
    """Judge one run.

    Args:
        run: What was measured.
        source: Where it came from, for the report.
        settings: Of the person who asks; they win over all others.
        project: Of the project; they give way to those of the run's own recipe.

    Raises:
        DlcheckError: the settings name a rule or threshold that does not exist.
    """
    chosen = settings.over(recipe_settings(run, source).over(project or Settings()))
    with np.errstate(all="ignore"):  # gigantic numbers overflow to infinity, which is an answer
        outcome = rules.diagnose(run, select=chosen.select, ignore=chosen.ignore, thresholds=chosen.thresholds)
    return Report(source, run, outcome, rules.verdict(outcome), failed=chosen.fails(outcome))
