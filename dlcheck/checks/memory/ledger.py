"""A step's memory as a book of what was taken and given back: the peak, and what it consists of. No torch here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

CAUSES = ("parameters", "buffers", "gradients", "optimizer", "activations", "batch", "workspace")
"""What memory is taken for, named as the fields of ``MemoryNeed``."""


@dataclass(slots=True)
class Piece:
    """Memory that was taken in one go, and given back in one go."""

    bytes: int
    begin: int
    """Moment, counted over all that is taken and given back."""
    phase: str
    """In which it was taken: ``start``, ``forward``, ``backward`` or ``optimizer``."""
    cause: str = "workspace"
    end: int | None = None
    """None: still held at the end of the step."""


@dataclass(frozen=True, slots=True)
class Balance:
    """What is held at the moment of the peak, and the most of each cause at any moment."""

    parts: dict[str, int]
    """All of ``CAUSES``, at the peak."""
    most: dict[str, int]
    phase: str = ""
    """In which the peak lies."""

    @property
    def total(self) -> int:
        """Return the peak."""
        return sum(self.parts.values())


def balance(pieces: Iterable[Piece], since: int = 0, *, rounding: int = 1) -> Balance:
    """Return the peak from a moment on, by cause.

    Args:
        pieces: All that was held at any moment.
        since: The first moment that counts; what was taken before and is held then is counted.
        rounding: Bytes that every piece is rounded up to a multiple of (512 on CUDA, as its allocator does).
    """
    held = dict.fromkeys(CAUSES, 0)
    peak, most, phase, highest = dict(held), dict(held), "", -1
    current = ""
    for moment, cause, size, where in _moves(pieces, rounding):
        if highest < 0 and moment >= since:  # what is held when counting begins
            highest, peak, most = sum(held.values()), dict(held), dict(held)
        held[cause] += size
        current = where or current
        if moment < since or size < 0:
            continue
        most[cause] = max(most[cause], held[cause])
        if (now := sum(held.values())) > highest:
            highest, peak, phase = now, dict(held), current
    return Balance(peak, most, phase) if highest >= 0 else Balance(held, dict(held), phase)


def _moves(pieces: Iterable[Piece], rounding: int) -> Sequence[tuple[int, str, int, str]]:
    """Return what is taken and given back in the order of time; nothing is both at one moment."""
    moves: list[tuple[int, str, int, str]] = []
    for piece in pieces:
        size = -(-piece.bytes // rounding) * rounding
        moves.append((piece.begin, piece.cause, size, piece.phase))
        if piece.end is not None:
            moves.append((piece.end, piece.cause, -size, ""))
    return sorted(moves, key=lambda move: move[0])


def line(first: tuple[int, float], second: tuple[int, float]) -> tuple[float, float]:
    """Return offset and slope of the line through two points; through equal ones, of a constant."""
    (a, at_a), (b, at_b) = first, second
    slope = (at_b - at_a) / (b - a) if a != b else 0.0
    return at_a - slope * a, slope
