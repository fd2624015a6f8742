"""The last lines of a report on a recipe that is ill on purpose."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dlcheck.cli.options import Format

if TYPE_CHECKING:
    from dlcheck.report.report import Report


def tell_lesson(
    recipe: str,
    overrides: Sequence[str],
    command: str,
    reports: "Sequence[Report]",
    format_: Format,
    output: Path | None,
) -> None:
    """Print what a recipe teaches, if it is there to teach, after a report in text on the screen."""
    if format_ is not Format.text or output is not None:
        return
    from dlcheck.recipe import load_recipe
    from dlcheck.report.lesson import lesson_lines

    lesson = load_recipe(recipe, overrides).recipe.lesson
    if lesson is None:
        return
    from rich.console import Console

    findings = [finding for report in reports for finding in report.outcome.findings]
    for line in lesson_lines(lesson, recipe, command, findings):
        Console().print(line, markup=False, highlight=False, soft_wrap=True)
