"""The fields of a protobuf message, without its schema.

The wire format is that of https://protobuf.dev/programming-guides/encoding.
"""

from collections.abc import Iterator
from struct import Struct
from typing import Literal

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_FIXED = {FIXED64: 8, FIXED32: 4}

Field = tuple[int, int, "int | bytes"]
"""Number, wire type, and an integer for a varint or else the raw bytes."""


def fields(message: bytes) -> Iterator[Field]:
    """Yield the fields of a message in their order.

    Raises:
        ValueError: the bytes are no message.
    """
    place, size = 0, len(message)
    while place < size:
        key, place = varint(message, place)
        kind = key & 7
        if kind == VARINT:
            number, place = varint(message, place)
            yield key >> 3, kind, number
            continue
        if kind == BYTES:
            length, place = varint(message, place)
        elif kind in _FIXED:
            length = _FIXED[kind]
        else:
            raise ValueError(f"wire type {kind} at byte {place}")
        end = place + length
        if end > size:
            raise ValueError(f"field of {length} bytes beyond the end")
        yield key >> 3, kind, message[place:end]
        place = end


def varint(message: bytes, place: int) -> tuple[int, int]:
    """Return an unsigned integer of up to 64 bits and where it ends.

    Raises:
        ValueError: it does not end within ten bytes.
    """
    number = 0
    for shift in range(0, 70, 7):
        if place >= len(message):
            break
        byte = message[place]
        place += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number & 0xFFFF_FFFF_FFFF_FFFF, place
    raise ValueError(f"integer without an end at byte {place}")


def signed(number: int) -> int:
    """Return the integer that 64 bits mean in two's complement."""
    return number - (1 << 64) if number >> 63 else number


def text(content: int | bytes) -> str:
    """Return the text of a string field; what is no UTF-8 is replaced, a number is empty."""
    return content.decode("utf-8", errors="replace") if isinstance(content, bytes) else ""


def packed(content: int | bytes, layout: Literal["<f", "<d", "varint"]) -> list[float]:
    """Return the numbers of a repeated field, packed or not.

    Raises:
        ValueError: the bytes are no whole numbers of that layout.
    """
    if isinstance(content, int):
        return [signed(content)]
    if layout == "varint":
        return _varints(content)
    form = Struct(layout)
    if len(content) % form.size:
        raise ValueError(f"{len(content)} bytes of numbers of {form.size} bytes")
    return [number for (number,) in form.iter_unpack(content)]


def _varints(content: bytes) -> list[float]:
    numbers: list[float] = []
    place = 0
    while place < len(content):
        number, place = varint(content, place)
        numbers.append(signed(number))
    return numbers
