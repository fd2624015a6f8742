"""Points on two axes as inline SVG, for the plots of a study: no font, no script, the numbers as titles to hover."""

import html
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from dlcheck.report.plain import printable

LEFT, RIGHT, TOP, BOTTOM = 56, 14, 10, 34
STRIP = 16
"""Height of the band above the plot in which trials without a value are marked."""
WIDE = 5.0
"""Largest over smallest value from which an axis of values is logarithmic."""


@dataclass(frozen=True, slots=True)
class Axis:
    """How values along an axis are placed from 0 to 1, and where it is labelled."""

    low: float
    high: float
    log: bool = False
    ticks: tuple[tuple[float, str], ...] = ()
    """Places from 0 to 1 and their labels; none: five of them, evenly."""
    label: str = ""

    def place(self, value: float) -> float:
        """Return where a value lies; the middle on an axis whose ends are equal."""
        low, high, at = (self._along(one) for one in (self.low, self.high, value))
        return 0.5 if low == high else (at / 2 - low / 2) / (high / 2 - low / 2)

    def labels(self) -> Sequence[tuple[float, str]]:
        """Return places from 0 to 1 with what stands there."""
        if self.ticks:
            return self.ticks
        if self.low == self.high:
            return ((0.5, f"{self.low:.3g}"),)
        low, high = self._along(self.low), self._along(self.high)
        found = [(share / 4, low + (high - low) * share / 4) for share in range(5)]
        return [(share, f"{10**at if self.log else at:.3g}") for share, at in found]

    def _along(self, value: float) -> float:
        return math.log10(max(value, 1e-300)) if self.log else value


def axis_of(values: Iterable[float], label: str = "") -> Axis:
    """Return an axis that holds these values, logarithmic where they are positive and wide apart."""
    known = [value for value in values if math.isfinite(value)]
    low, high = min(known, default=0.0), max(known, default=1.0)
    return Axis(low, high, log=low > 0 and high / WIDE > low, label=label)


@dataclass(slots=True)
class Plane:
    """A plot that grows by what is drawn on it; ``svg`` closes it."""

    x: Axis
    y: Axis
    width: int = 640
    height: int = 260
    strip: bool = False
    """There is a band above for what has no value."""
    parts: list[str] = field(default_factory=list)

    @property
    def top(self) -> int:
        """Pixel of the plot's upper edge."""
        return TOP + (STRIP if self.strip else 0)

    def px(self, value: float) -> float:
        """Return the pixel of a value along x."""
        return round(LEFT + self.x.place(value) * (self.width - LEFT - RIGHT), 1)

    def py(self, value: float) -> float:
        """Return the pixel of a value along y."""
        return round(self.height - BOTTOM - self.y.place(value) * (self.height - BOTTOM - self.top), 1)

    def dot(self, x: float, y: float, title: str, kind: str = "") -> None:
        """Draw a point; ``kind`` is a class of the style sheet."""
        size = 4.5 if kind in ("own", "top") else 3.5
        self.parts.append(
            f'<circle class="pt {kind}" cx="{self.px(x)}" cy="{self.py(y)}" r="{size}">{_title(title)}</circle>'
        )

    def cross(self, x: float, title: str, y: float | None = None) -> None:
        """Draw a cross, in the band above where ``y`` is None."""
        at, up = self.px(x), TOP + STRIP / 2 if y is None else self.py(y)
        path = f"M{at - 3.5} {up - 3.5}l7 7m0 -7l-7 7"
        self.parts.append(f'<path class="cross" d="{path}">{_title(title)}</path>')

    def line(self, points: Sequence[tuple[float, float]], kind: str, *, steps: bool = False) -> None:
        """Draw a line through points; as steps it stays level up to the next one."""
        if not points:
            return
        path = [f"M{self.px(points[0][0])} {self.py(points[0][1])}"]
        for x, y in points[1:]:
            path.append(f"H{self.px(x)}V{self.py(y)}" if steps else f"L{self.px(x)} {self.py(y)}")
        self.parts.append(f'<path class="{kind}" d="{"".join(path)}"/>')

    def level(self, y: float, kind: str) -> None:
        """Draw a horizontal line over the whole width."""
        at = self.py(y)
        self.parts.append(f'<line class="{kind}" x1="{LEFT}" x2="{self.width - RIGHT}" y1="{at}" y2="{at}"/>')

    def zone(self, first: float, last: float) -> None:
        """Shade the plot between two values along x."""
        left, right = sorted((self.px(first), self.px(last)))
        high = self.height - BOTTOM - TOP
        self.parts.append(f'<rect class="zone" x="{left}" y="{TOP}" width="{right - left:.1f}" height="{high}"/>')

    def svg(self, name: str) -> str:
        """Return the plot; ``name`` is for those who cannot see it."""
        body = "".join([self._band(), self._axes(), *self.parts])
        return f'<svg viewBox="0 0 {self.width} {self.height}" role="img" aria-label="{_escaped(name)}">{body}</svg>'

    def _band(self) -> str:
        if not self.strip:
            return ""
        return f'<rect class="strip" x="{LEFT}" y="{TOP}" width="{self.width - LEFT - RIGHT}" height="{STRIP}"/>'

    def _axes(self) -> str:
        floor, end = self.height - BOTTOM, self.width - RIGHT
        parts = []
        for share, label in self.y.labels():
            at = round(floor - share * (floor - self.top), 1)
            parts.append(f'<line class="grid" x1="{LEFT}" x2="{end}" y1="{at}" y2="{at}"/>')
            parts.append(f'<text x="{LEFT - 6}" y="{at + 4}" text-anchor="end">{_escaped(label)}</text>')
        for share, label in self.x.labels():
            at = round(LEFT + share * (end - LEFT), 1)
            anchor = "end" if share > 0.95 else "middle"
            parts.append(f'<text x="{at}" y="{floor + 15}" text-anchor="{anchor}">{_escaped(label)}</text>')
        middle = (LEFT + end) // 2
        parts.append(f'<text x="{middle}" y="{self.height - 4}" text-anchor="middle">{_escaped(self.x.label)}</text>')
        return "".join(parts)


def figure(caption: str, content: str) -> str:
    """Return a plot under its caption; empty without one."""
    return f"<figure><figcaption>{_escaped(caption)}</figcaption>{content}</figure>" if content else ""


def _title(text: str) -> str:
    return f"<title>{_escaped(text)}</title>"


def _escaped(text: str) -> str:
    return html.escape(printable(text))
