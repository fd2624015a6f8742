"""What an exam is: one thing that is measured before training."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from dlcheck.checks.patient import Patient
from dlcheck.runs.facts import Fact


class Skipped(Exception):
    """Raised by an exam that does not apply, or cannot be made, with the reason in one line."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What an exam found: facts for the rules, and two words for the table."""

    facts: tuple[Fact, ...] = ()
    plain: Mapping[str, object] = field(default_factory=dict)
    """Facts without parts, by name."""
    number: str = ""
    """What was measured, as the table shows it."""
    expected: str = ""
    """What it should be."""


@dataclass(frozen=True, slots=True)
class Exam:
    """One thing that is measured before training."""

    name: str
    codes: tuple[str, ...]
    """Rules that judge it."""
    measure: Callable[[Patient], Measured | None]
    """None: it does not apply here; ``Skipped`` says why."""
    share: float = 1.0
    """Part of the time that it may take, relative to the other exams'."""
