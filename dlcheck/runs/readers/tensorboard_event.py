"""The scalars in TensorBoard's events: simple values, and tensors of rank 0.

Field numbers are those of TensorFlow's event.proto, summary.proto, tensor.proto and types.proto.
"""

import math
from dataclasses import dataclass, field
from mmap import mmap
from struct import Struct
from typing import Literal

import numpy as np
from numpy.typing import DTypeLike, NDArray

from dlcheck.errors import DlcheckError
from dlcheck.runs.intake import MOST_SERIES
from dlcheck.runs.readers.protobuf_wire import BYTES, FIXED32, FIXED64, fields, packed, signed, text, varint
from dlcheck.runs.readers.tensorboard_crc import masked_crc32c
from dlcheck.runs.readers.tensorboard_record import CHECKED_BYTES, FOOTER, HEADER, Frames, Gap
from dlcheck.runs.run import Numbers

_FLOAT, _DOUBLE, _SUM = Struct("<f"), Struct("<d"), Struct("<I")
_WALL_TIME, _STEP, _SUMMARY = 0x09, 0x10, 5
_SESSION, _START = 7, 1
_DTYPES: dict[int, DTypeLike] = {
    1: "<f4",
    2: "<f8",
    3: "<i4",
    4: "u1",
    5: "<i2",
    6: "i1",
    9: "<i8",
    17: "<u2",
    19: "<f2",
    22: "<u4",
    23: "<u8",
}
_BFLOAT16 = 14
_REPEATED: dict[int, Literal["<f", "<d", "varint"]] = {
    5: "<f",
    6: "<d",
    7: "varint",
    10: "varint",
    16: "varint",
    17: "varint",
}


@dataclass(frozen=True, slots=True)
class TagPoints:
    """The points of one tag in the order of writing, each of shape (points,)."""

    steps: NDArray[np.int64]
    wall_s: Numbers
    """Seconds since 1970."""
    values: Numbers

    @property
    def columns(self) -> tuple[NDArray[np.int64], Numbers, Numbers]:
        """Steps, wall times and values."""
        return self.steps, self.wall_s, self.values

    def where(self, keep: NDArray[np.bool_]) -> "TagPoints":
        """Return the points that a mask keeps."""
        return TagPoints(self.steps[keep], self.wall_s[keep], self.values[keep])


@dataclass(slots=True)
class _Series:
    steps: list[int] = field(default_factory=list)
    wall_s: list[float] = field(default_factory=list)
    values: list[float] = field(default_factory=list)

    def add(self, step: int, wall_s: float, value: float) -> None:
        self.steps.append(step)
        self.wall_s.append(wall_s)
        self.values.append(value)

    def points(self) -> TagPoints:
        return TagPoints(np.array(self.steps, dtype=np.int64), np.array(self.wall_s), np.array(self.values))


@dataclass(frozen=True, slots=True)
class Points:
    """What the events of a file say."""

    tags: dict[str, TagPoints]
    foreign: tuple[Gap, ...]
    """Records that hold no event."""
    purges: int | None
    """Step from which on everything written before does not count: a resumed training makes these steps again."""


def read_points(content: bytes | mmap, frames: Frames) -> Points:
    """Return the scalars of each tag, the records that hold no event, and what is to be purged.

    Nearly all records differ from an earlier one only in time, step and value; what lies between step and value
    is looked up, so that each layout is parsed only once.
    """
    found: dict[str, _Series] = {}
    layouts: dict[bytes, _Series] = {}
    gaps: list[Gap] = []
    purges: int | None = None
    for start, length in zip(frames.starts.tolist(), frames.lengths.tolist(), strict=True):
        payload = content[start : start + length]
        try:
            step, place = _head(payload)
            series = layouts.get(payload[place:-4])
            if length > CHECKED_BYTES:
                _parse_long(payload, _SUM.unpack_from(content, start + length)[0], found)
            elif series is not None:
                series.add(step, _DOUBLE.unpack_from(payload, 1)[0], _FLOAT.unpack_from(payload, length - 4)[0])
            elif _parse(payload, found, layouts, place) and step > 0 and not found:
                purges = step
        except ValueError:
            gaps.append(Gap(start - HEADER, start + length + FOOTER, "event"))
    return Points({tag: series.points() for tag, series in found.items()}, tuple(gaps), purges)


def _head(payload: bytes) -> tuple[int, int]:
    """Return the step of an event that begins with time and step, and where the rest of it begins."""
    if len(payload) < 11 or payload[0] != _WALL_TIME:
        return 0, 0
    if payload[9] != _STEP:  # step 0 is not written
        return 0, 9
    if payload[10] < 0x80:
        return payload[10], 11
    step, place = varint(payload, 10)
    return signed(step), place


def _parse(payload: bytes, found: dict[str, _Series], layouts: dict[bytes, _Series], place: int) -> bool:
    """Add the scalars of an event; return whether it is the beginning of a session."""
    wall_s, step, summary, begins = math.nan, 0, b"", False
    for number, kind, content in fields(payload):
        if (number, kind) == (1, FIXED64):
            wall_s = _number(_DOUBLE, content)
        elif number == 2 and isinstance(content, int):
            step = signed(content)
        elif (number, kind) == (_SUMMARY, BYTES) and isinstance(content, bytes):
            summary = content
        elif (number, kind) == (_SESSION, BYTES) and isinstance(content, bytes):
            begins = any((one, value) == (1, _START) for one, _, value in fields(content))
    points = _points(summary)
    for tag, value, _ in points:
        found.setdefault(tag, _Series()).add(step, wall_s, value)
    if len(found) > MOST_SERIES:
        raise DlcheckError(f"more than {MOST_SERIES} tags; a training log has fewer")
    if place and len(points) == 1 and points[0][2] and payload.endswith(summary):
        layouts[payload[place:-4]] = found[points[0][0]]
    return begins


def _parse_long(payload: bytes, stored_sum: int, found: dict[str, _Series]) -> None:
    """Parse a record whose sum was not looked at yet, which is worth its time only where there are scalars."""
    own: dict[str, _Series] = {}
    _parse(payload, own, {}, 0)
    if own and masked_crc32c(payload) != stored_sum:
        raise ValueError("a record that does not fit its sum")
    for tag, series in own.items():
        for step, wall_s, value in zip(series.steps, series.wall_s, series.values, strict=True):
            found.setdefault(tag, _Series()).add(step, wall_s, value)


def _points(summary: bytes) -> list[tuple[str, float, bool]]:
    """Return tag and number of each scalar of a summary, and whether the number is its last four bytes."""
    points = []
    for number, kind, content in fields(summary):
        if (number, kind) == (1, BYTES) and isinstance(content, bytes):
            tag, value, last = _value(content)
            if value is not None:
                points.append((tag, value, last == 2 and summary.endswith(content)))
    return points if len(points) != 1 or sum(1 for _ in fields(summary)) == 1 else [(*points[0][:2], False)]


def _value(message: bytes) -> tuple[str, float | None, int]:
    """Return a value's tag, its number when it is a scalar, and the number of its last field."""
    tag, value, last = "", None, 0
    for last, kind, content in fields(message):
        if last == 1:
            tag = text(content)
        elif (last, kind) == (2, FIXED32):
            value = _number(_FLOAT, content)
        elif (last, kind) == (8, BYTES) and isinstance(content, bytes):
            value = _tensor(content)
    return tag, value, last


def _tensor(message: bytes) -> float | None:
    """Return the number in a tensor without dimensions; None for any other."""
    kind, raw, numbers = 0, b"", []
    for number, _, content in fields(message):
        if number == 1 and isinstance(content, int):
            kind = content
        elif number == 2 and _has_dimensions(content):
            return None
        elif number == 4 and isinstance(content, bytes):
            raw = content
        elif number in _REPEATED:
            numbers = packed(content, _REPEATED[number])
    if raw:
        return _raw_number(raw, kind)
    return numbers[0] if len(numbers) == 1 and kind in _DTYPES else None


def _has_dimensions(shape: int | bytes) -> bool:
    return not isinstance(shape, bytes) or any(number in (2, 3) for number, _, _ in fields(shape))


def _raw_number(raw: bytes, kind: int) -> float | None:
    if kind == _BFLOAT16 and len(raw) == 2:
        return float(_FLOAT.unpack(b"\0\0" + raw)[0])
    dtype = np.dtype(_DTYPES[kind]) if kind in _DTYPES else None
    return float(np.frombuffer(raw, dtype)[0]) if dtype is not None and len(raw) == dtype.itemsize else None


def _number(layout: Struct, content: int | bytes) -> float:
    return float(layout.unpack(content)[0]) if isinstance(content, bytes) else math.nan
