"""A kind of line with the expression that finds its numbers at once.

Splitting a line at every number is several times slower than matching the words that an earlier line had.
"""

import re
from dataclasses import dataclass

from dlcheck.runs.readers.text_plan import Plan

_DIGITS = r"(?:\d++(?!,)(?:\.\d*+)?+|\d{1,3}(?:,\d{3})+(?!\d)(?:\.\d+)?|\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_PLAIN = r"\d++(?:\.\d*+)?+(?![,eE])"  # most numbers, and the quickest to tell
_ANY = rf"(?>{_PLAIN}|[-+]?(?:{_DIGITS}|(?i:nan|inf(?:inity)?)))"  # atomic: a line that fails must fail at once


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """Lines with the same words between their numbers."""

    plan: Plan
    number: int
    """Of the plan, among those of the log."""
    pattern: re.Pattern[str]
    """Its groups are the numbers at ``plan.places``."""
    counters: tuple[int | None, int | None, int | None]
    """Groups of epoch, step and progress."""
    is_heading: bool
    """Whether there is nothing but counters."""


def shape_of(plan: Plan, number: int, texts: tuple[str, ...]) -> Shape:
    """Return the shape of lines with these texts between their numbers."""
    places = plan.places
    gaps = [f"({_ANY})" if place in places else f"(?:{_ANY})" for place in range(len(texts) - 1)]
    pattern = "".join(re.escape(text) + gap for text, gap in zip(texts, [*gaps, ""], strict=True))
    group = {place: at for at, place in enumerate(places)}
    epoch, step, progress = (
        None if place is None else group[place] for place in (plan.epoch, plan.step, plan.progress)
    )
    return Shape(plan, number, re.compile(pattern), (epoch, step, progress), not plan.values)
