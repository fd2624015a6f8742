"""JSON as loggers write it: NaN and Infinity as bare words, a torn end, a value a line."""

import codecs
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dlcheck.errors import DlcheckError, one_line
from dlcheck.runs.content import HEAD_BYTES, content_of, decode, head_text, is_text, text_of
from dlcheck.runs.run import Event

Record = dict[str, object]

_DECODER = json.JSONDecoder(strict=False)
_BLANK = " \t\r\n"
_MOST_BAD = 0.2  # share of lines that are no record from which a file is none of records
_MOST_EVENTS = 20
_BLOCK = 1 << 23
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True, slots=True)
class Records:
    """Objects in the order of a file, and what was wrong with the rest of it."""

    records: list[Record]
    events: tuple[Event, ...] = ()


@dataclass(slots=True)
class LineRecords:
    """The objects of a file that has one on each line, one after the other: a long log need not be held as objects."""

    path: Path
    events: tuple[Event, ...] = ()
    """What was wrong with the other lines; known once all are read."""

    def __iter__(self) -> Iterator[Record]:
        """Read the file from its beginning.

        Raises:
            DlcheckError: unreadable, or more than a fifth of the lines are no objects.
        """
        bad: list[int] = []
        number = records = 0
        for number, line in enumerate(_lines(self.path), start=1):
            if not line.strip():
                continue
            value = parse(line)
            if isinstance(value, dict):
                records += 1
                yield value
            else:
                bad.append(number)
        if len(bad) > 1 + _MOST_BAD * records:
            raise DlcheckError(f"{self.path}, line {bad[0]}: no training log: not a JSON object on each line")
        self.events = _line_events(bad, number)


def load_json(path: Path) -> object:
    """Return the one JSON value of a file.

    Raises:
        DlcheckError: unreadable, or not JSON; says where it breaks off.
    """
    text = text_of(path)
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise DlcheckError(f"{path}, line {error.lineno}: broken or truncated JSON: {error.msg}") from None
    except (ValueError, RecursionError) as error:
        raise DlcheckError(f"{path}: not JSON that can be read: {one_line(error)}") from None


def array_records(path: Path, key: str | None = None) -> Records:
    """Return the objects of an array, up to where the file was cut.

    Args:
        path: The file.
        key: The key under which the array stands; None where the array is the whole file.

    Raises:
        DlcheckError: unreadable, or no such array.
    """
    text = text_of(path)
    start = text.find("[", text.find(f'"{key}"') if key else 0)
    if start < 0 or (key and f'"{key}"' not in text):
        raise DlcheckError(f"{path}: broken JSON: no list{f' {key}' if key else ''} of records")
    values, whole = _elements(text, start + 1)
    records = [value for value in values if isinstance(value, dict)]
    torn = () if whole else (Event("truncated", detail={"row": len(records), "why": "the JSON breaks off"}),)
    return Records(records, torn)


def text_blocks(content: bytes) -> Iterator[bytes]:
    """Yield content in blocks of some megabytes that end with a line."""
    start = 0
    while start < len(content):
        end = content.rfind(b"\n", start, start + _BLOCK) + 1
        if end <= start:  # a line longer than a block
            end = content.find(b"\n", start) + 1 or len(content)
        yield content[start:end]
        start = end


def _lines(path: Path) -> Iterator[str]:
    content = content_of(path)
    if not is_text(content[:HEAD_BYTES]) or content.startswith(_UTF16):
        yield from text_of(path).splitlines()  # or says why it is no text
        return
    for block in text_blocks(content):
        yield from decode(block).splitlines()


def parse(text: str) -> object:
    """Return the value of a JSON text, None for text that is none."""
    try:
        return _DECODER.decode(text)
    except (ValueError, RecursionError):
        return None


def head_objects(path: Path, most: int = 5) -> list[Record]:
    """Return the objects on the first lines of a file; none when one of these lines is no object."""
    lines = [line for line in head_text(path).splitlines()[: most + 5] if line.strip()][:most]
    values = [parse(line) for line in lines if line.lstrip().startswith("{")]
    objects = [value for value in values if isinstance(value, dict)]
    return objects if len(objects) == len(lines) or len(objects) > 1 else []


def first_object(path: Path) -> Record | None:
    """Return the first object of a file that is an array of objects; None for other files."""
    text = head_text(path).lstrip()
    if not text.startswith("["):
        return None
    values, _ = _elements(text, 1, most=1)
    return values[0] if values and isinstance(values[0], dict) else None


def _elements(text: str, start: int, most: int | None = None) -> tuple[list[object], bool]:
    """Return the elements of an array from ``start`` on, and whether its end was reached."""
    values: list[object] = []
    place = start
    while most is None or len(values) < most:
        while place < len(text) and text[place] in f"{_BLANK},":
            place += 1
        if place >= len(text) or text[place] == "]":
            return values, place < len(text)
        try:
            value, place = _DECODER.raw_decode(text, place)
        except (ValueError, RecursionError):
            return values, False
        values.append(value)
    return values, True


def _line_events(bad: list[int], lines: int) -> tuple[Event, ...]:
    events = [
        Event("truncated", detail={"line": number, "why": "the last line is torn"})
        if number == lines
        else Event("bad-record", detail={"line": number, "why": "not a JSON object"})
        for number in bad[:_MOST_EVENTS]
    ]
    if len(bad) > _MOST_EVENTS:
        events.append(Event("bad-record", detail={"more": len(bad) - _MOST_EVENTS}))
    return tuple(events)
