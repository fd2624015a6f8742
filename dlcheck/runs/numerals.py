"""Numbers as logs write them: NaN in many spellings, percents, tensors, and what stands for an absent value."""

import math
import re
from functools import lru_cache

_NAN = {"nan", "+nan", "-nan", "nan(ind)", "-nan(ind)", "1.#ind", "-1.#ind", "1.#qnan", "-1.#qnan", "1.#ind00", "nan%"}
_INFINITE = {"inf": math.inf, "infinity": math.inf, "1.#inf": math.inf}
_ABSENT = {"", "na", "n/a", "none", "null", "-", "--", "<na>", "nil"}
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(?:,\d{3})+(?:\.\d+)?")
_LONGEST = 20_000
_TENSOR = re.compile(r"(?:tensor|np\.float\d+|numpy\.float\d+|array)\(\s*([^,()\s]+)\s*(?:,.*)?\)", re.DOTALL)


@lru_cache(maxsize=20000)
def number(text: str, decimal: str = ".") -> float | None:
    """Return the number that a cell spells, NaN and infinity included; None where it spells none.

    Takes ``nan``, ``-1.#IND`` and ``Infinity`` in any case, ``92.6%`` as 92.6, ``tensor(0.5)`` and ``1,234.5``.

    Args:
        text: The cell.
        decimal: The sign between whole and fraction, a point or a comma.
    """
    word = text.strip().strip("\"'").lower()
    if word in _NAN:
        return math.nan
    unsigned = word.lstrip("+-")
    if unsigned in _INFINITE:
        return -math.inf if word.startswith("-") else math.inf
    if decimal == ",":
        word = word.replace(",", ".")
    return _plain(word) if len(word) <= _LONGEST else None


def is_plain_number(text: str) -> bool:
    """Return whether Python's ``float`` takes a cell as it is."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def is_absent(text: str) -> bool:
    """Return whether a cell says that nothing was logged: empty, ``NA``, ``None``, ``null`` or a dash."""
    return text.strip().strip("\"'").lower() in _ABSENT


def _plain(word: str) -> float | None:
    tensor = _TENSOR.fullmatch(word)
    if tensor:
        return number(tensor.group(1))
    if _THOUSANDS.fullmatch(word):
        word = word.replace(",", "")
    if "_" in word:  # Python takes 1_000 for a number; an identifier is meant
        return None
    try:
        return float(word.removesuffix("%"))
    except ValueError:
        return None
