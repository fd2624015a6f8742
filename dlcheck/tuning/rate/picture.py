"""The curve as a PNG picture, drawn with Pillow."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from dlcheck.tuning.rate.text import UNSEEN

if TYPE_CHECKING:
    from dlcheck.tuning.rate.found import FoundRate

Numbers = NDArray[np.float64]
WIDTH, HEIGHT = 900, 520
LEFT, RIGHT, TOP, BOTTOM = 80, 24, 72, 56
FINE = 2
"""Drawn at this many times the size, then scaled down, which smooths edges."""
INK, FAINT, GRID, SWEEP, RUNS, CHOSEN, BAND = (
    (40, 40, 40), (178, 190, 204), (228, 231, 235), (31, 97, 171), (196, 92, 24), (20, 120, 70), (226, 242, 232),
)  # fmt: skip
Colour = tuple[int, int, int]


class _Frame:
    """Where rates and losses lie on the picture."""

    def __init__(self, rates: Numbers, losses: Numbers) -> None:
        self.left, self.right = _widened(np.log10(rates))
        self.low, self.high = _widened(losses, 0.06)
        self.picture = Image.new("RGB", (WIDTH * FINE, HEIGHT * FINE), "white")
        self.pen = ImageDraw.Draw(self.picture)

    def x(self, rate: float) -> float:
        share = (math.log10(rate) - self.left) / (self.right - self.left)
        return (LEFT + share * (WIDTH - LEFT - RIGHT)) * FINE

    def y(self, loss: float) -> float:
        # In halves, as the distance between the largest numbers overflows.
        share = (loss / 2 - self.low / 2) / (self.high / 2 - self.low / 2)
        return (HEIGHT - BOTTOM - min(max(share, -0.05), 1.05) * (HEIGHT - TOP - BOTTOM)) * FINE

    def inside(self, rate: float | None) -> bool:
        return rate is not None and rate > 0 and self.left <= math.log10(rate) <= self.right

    def curve(self, rates: Numbers, losses: Numbers, colour: Colour, width: int) -> None:
        points = [(self.x(r), self.y(v)) for r, v in zip(rates.tolist(), losses.tolist(), strict=True)]
        if len(points) > 1:
            self.pen.line(points, fill=colour, width=width * FINE, joint="curve")

    def text(self, place: tuple[float, float], words: str, anchor: str = "la") -> None:
        self.pen.text(place, words, fill=INK, font=_font(13), anchor=anchor)


def draw_png(found: FoundRate) -> bytes:
    """Return a picture of the range test, of the short runs and of what is suggested, as the bytes of a PNG file."""
    rates, smoothed = found.sweep.readable
    if not len(rates):
        rates, smoothed = np.array([1e-7, 1.0]), np.array([0.0, 1.0])
    top = smoothed[0] + UNSEEN * max(abs(smoothed[0]), 1e-12)
    runs = [(run.rate, run.score) for run in found.runs if math.isfinite(run.score)]
    shown = [np.minimum(smoothed, top), np.array([score for _, score in runs])]
    frame = _Frame(np.concatenate([rates, np.array([rate for rate, _ in runs])]), np.concatenate(shown))
    _interval(frame, found)
    _axes(frame)
    raw = np.isfinite(found.sweep.losses)
    frame.curve(found.sweep.rates[raw], found.sweep.losses[raw], FAINT, 1)
    frame.curve(rates, smoothed, SWEEP, 3)
    _dots(frame, runs)
    _chosen(frame, found)
    _heading(frame, found)
    small = frame.picture.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    small.save(file, "PNG", optimize=True)
    return file.getvalue()


def _interval(frame: _Frame, found: FoundRate) -> None:
    if found.interval is None:
        return
    ends = [frame.x(min(max(end, 10**frame.left), 10**frame.right)) for end in found.interval]
    frame.pen.rectangle((ends[0], TOP * FINE, ends[1], (HEIGHT - BOTTOM) * FINE), fill=BAND)


def _axes(frame: _Frame) -> None:
    for power in range(math.ceil(frame.left), math.floor(frame.right) + 1):
        x = frame.x(10.0**power)
        frame.pen.line((x, TOP * FINE, x, (HEIGHT - BOTTOM) * FINE), fill=GRID, width=FINE)
        frame.text((x, (HEIGHT - BOTTOM + 8) * FINE), f"1e{power}", anchor="ma")
    for loss in np.linspace(frame.low, frame.high, 5).tolist():
        y = frame.y(loss)
        frame.pen.line((LEFT * FINE, y, (WIDTH - RIGHT) * FINE, y), fill=GRID, width=FINE)
        frame.text(((LEFT - 8) * FINE, y), f"{loss:.3g}", anchor="rm")
    frame.text(((LEFT + WIDTH - RIGHT) / 2 * FINE, (HEIGHT - 26) * FINE), "learning rate", anchor="ma")


def _dots(frame: _Frame, runs: Sequence[tuple[float, float]]) -> None:
    ordered = sorted(runs)
    frame.curve(np.array([rate for rate, _ in ordered]), np.array([score for _, score in ordered]), RUNS, 1)
    for rate, score in ordered:
        x, y, size = frame.x(rate), frame.y(score), 5 * FINE
        frame.pen.ellipse((x - size, y - size, x + size, y + size), fill=RUNS)


def _chosen(frame: _Frame, found: FoundRate) -> None:
    rate = found.suggestion
    if rate is None or not frame.inside(rate):
        return
    x = frame.x(rate)
    frame.pen.line((x, TOP * FINE, x, (HEIGHT - BOTTOM) * FINE), fill=CHOSEN, width=3 * FINE)


def _heading(frame: _Frame, found: FoundRate) -> None:
    told = "no suggestion" if found.suggestion is None else f"suggested rate {found.suggestion:.2g}"
    # The font of Pillow knows Latin letters only.
    name = found.name.encode("latin-1", "replace").decode("latin-1")
    frame.pen.text((LEFT * FINE, 12 * FINE), f"{name}: {told}", fill=INK, font=_font(18))
    entries = (("range test, smoothed", SWEEP), ("short runs", RUNS), ("suggestion and interval", CHOSEN))
    x = float(LEFT)
    for words, colour in entries:
        frame.pen.line((x * FINE, 50 * FINE, (x + 22) * FINE, 50 * FINE), fill=colour, width=3 * FINE)
        frame.text(((x + 28) * FINE, 50 * FINE), words, anchor="lm")
        x += 60 + frame.pen.textlength(words, font=_font(13)) / FINE


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size * FINE)


def _widened(values: Numbers, share: float = 0.0) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    if low == high:
        return low - max(0.5, abs(low) / 2), high + max(0.5, abs(high) / 2)
    margin = share * (high / 2 - low / 2)
    return low - margin, high + margin
