"""The last lines of a report on a recipe that is ill on purpose."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dlcheck.recipe import LoadedRecipe
    from dlcheck.report.report import Report


def lesson_of(loaded: "LoadedRecipe | None", given: str, command: str, reports: "Iterable[Report]") -> list[str]:
    """Return what a recipe teaches, in lines; none where it is not there to teach.

    Args:
        loaded: The recipe; None: a script or a factory.
        given: The recipe, as it was named.
        command: The command that the reports are of.
        reports: What was found.
    """
    if loaded is None or loaded.recipe.lesson is None:
        return []
    from dlcheck.recipe import sick_recipes
    from dlcheck.report.lesson import lesson_lines

    findings = [finding for report in reports for finding in report.outcome.findings]
    if given not in sick_recipes() and loaded.recipe.lesson.finding not in {finding.code for finding in findings}:
        return []  # a copy that was mended, as treat writes one
    return list(lesson_lines(loaded.recipe.lesson, given, command, findings))
