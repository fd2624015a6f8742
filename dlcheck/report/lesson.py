"""What a recipe that is ill on purpose teaches, after its diagnosis."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from dlcheck.findings import Finding

if TYPE_CHECKING:
    from dlcheck.recipe.lesson import Lesson


def lesson_lines(lesson: Lesson, name: str, command: str, findings: Sequence[Finding]) -> Iterator[str]:
    """Yield the mistake and its cure where a command's findings name it; else what to try.

    Args:
        lesson: What the recipe teaches.
        name: The recipe, as it was given.
        command: The command that the findings are of.
        findings: What it found.
    """
    found = next((one for one in findings if one.code == lesson.finding), None)
    if found is None:
        if command != lesson.command:
            yield f"this recipe is ill on purpose; what shows it: dlcheck {lesson.command} {name}"
        return
    yield f"this recipe is ill on purpose: {lesson.mistake}; {found.code} names it"
    if lesson.cure:
        yield f"next: dlcheck {lesson.command} {name}{cure_options(lesson)}  # the cure"
    else:
        yield f"next: {lesson.mend}"


def cure_options(lesson: Lesson) -> str:
    """Return the ``--set`` options that mend a recipe, each with a space before it, quoted for a shell."""
    return "".join(f" --set {_quoted(f'{key}={_plain(value)}')}" for key, value in lesson.cure.items())


def _plain(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _quoted(word: str) -> str:
    import shlex

    return shlex.quote(word)
