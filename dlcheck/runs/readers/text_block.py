"""Lines of one kind that follow each other, taken together: one call into the expression instead of one a line."""

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import chain

import numpy as np

from dlcheck.runs.readers.text_shape import Shape
from dlcheck.runs.run import Numbers

Texts = tuple[str, ...]


def leading(shape: Shape, lines: Sequence[str]) -> list[Texts]:
    """Return the numbers, as texts, of those lines at the beginning that are of a shape."""
    found = _for_many(shape.pattern.pattern).findall("\n".join(lines))
    if len(found) < len(lines):
        found = found[: next(at for at, line in enumerate(lines) if not shape.pattern.fullmatch(line))]
    return [(text,) for text in found] if shape.pattern.groups == 1 else found


def without_repeats(groups: list[Texts], before: Texts) -> list[Texts]:
    """Leave out each group that is the same as the one before it, the first where it is the same as ``before``."""
    return [one for one, last in zip(groups, chain([before], groups), strict=False) if one != last]


def rows_of(groups: Sequence[Texts]) -> Numbers:
    """Return the numbers of groups of equal length, shape (groups, numbers of each)."""
    width = len(groups[0])
    try:
        flat = np.fromiter(map(float, chain.from_iterable(groups)), np.float64, len(groups) * width)
    except ValueError:  # thousands parted by commas
        flat = np.array([float(text.replace(",", "")) for text in chain.from_iterable(groups)])
    return flat.reshape(len(groups), width)


@lru_cache(maxsize=64)
def _for_many(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"(?m:^(?:{pattern})$)")
