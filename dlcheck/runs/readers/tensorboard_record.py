"""The frames of a TFRecord file: where each record lies, and which of them are sound."""

from dataclasses import dataclass
from mmap import mmap
from struct import Struct

import numpy as np
from numpy.typing import NDArray

from dlcheck.runs.readers.tensorboard_crc import masked_crc32c, masked_crc32c_rows

Offsets = NDArray[np.int64]

HEADER = 12
FOOTER = 4
CHECKED_BYTES = 4096
"""Longer records hold images, graphs or histograms; of those only the length is checked."""
_LENGTH = Struct("<Q")
_SUM = Struct("<I")
_FIRST_SEARCH_BYTES, _SEARCH_BYTES = 1 << 10, 1 << 20


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch of a file that holds no sound record, in bytes."""

    start: int
    end: int
    why: str


@dataclass(frozen=True, slots=True)
class Frames:
    """The sound records of a file, in its order."""

    starts: Offsets
    """Where each payload begins, in bytes, shape (records,)."""
    lengths: Offsets
    """Bytes of each payload, shape (records,)."""
    gaps: tuple[Gap, ...] = ()
    """Broken records in the middle; reading went on behind them."""
    torn_at: int | None = None
    """Where the file breaks off inside a record; None when it ends with a whole one."""


def read_frames(content: bytes | mmap) -> Frames:
    """Walk all records, check the sum of every length and of every payload up to ``CHECKED_BYTES``.

    Behind a length that does not fit its sum the next sound header is searched for, byte by byte.
    """
    starts, lengths, gaps, torn_at = _walk(content)
    frames = np.array(starts, dtype=np.int64), np.array(lengths, dtype=np.int64)
    bad = _bad_payloads(content, *frames)
    gaps += [Gap(starts[i] - HEADER, starts[i] + lengths[i] + FOOTER, "payload") for i in np.flatnonzero(bad)]
    gaps.sort(key=lambda gap: gap.start)
    return Frames(frames[0][~bad], frames[1][~bad], tuple(gaps), torn_at)


def has_record(content: bytes) -> bool:
    """Return whether bytes begin with a record header whose length fits its sum."""
    return len(content) >= HEADER and masked_crc32c(content[:8]) == _SUM.unpack_from(content, 8)[0]


def _walk(content: bytes | mmap) -> tuple[list[int], list[int], list[Gap], int | None]:
    starts: list[int] = []
    lengths: list[int] = []
    gaps: list[Gap] = []
    sound: dict[bytes, int] = {}  # few lengths occur, so that nearly all headers are looked up
    place, size = 0, len(content)
    while place + HEADER <= size:
        header = content[place : place + HEADER]
        length = sound.get(header)
        if length is None:
            if not has_record(header):
                found = _next_header(content, place + 1)
                gaps.append(Gap(place, size if found is None else found, "length"))
                if found is None:
                    return starts, lengths, gaps, None
                place = found
                continue
            length = sound[header] = _LENGTH.unpack_from(header)[0]
        end = place + HEADER + length + FOOTER
        if end > size:
            break
        starts.append(place + HEADER)
        lengths.append(length)
        place = end
    return starts, lengths, gaps, place if place < size else None


def _next_header(content: bytes | mmap, start: int) -> int | None:
    """Return the next offset at which eight bytes are followed by their own sum."""
    begin, reach = start, _FIRST_SEARCH_BYTES  # mostly the next record is near
    while begin + HEADER <= len(content):
        block = np.frombuffer(content[begin : begin + reach + HEADER - 1], dtype=np.uint8)
        windows = np.lib.stride_tricks.sliding_window_view(block, HEADER)
        stored = np.ascontiguousarray(windows[:, 8:]).view("<u4")[:, 0]
        likely = np.flatnonzero(masked_crc32c_rows(windows[:, :8]) == stored)
        if len(likely):
            return begin + int(likely[0])
        begin, reach = begin + reach, min(2 * reach, _SEARCH_BYTES)
    return None


def _bad_payloads(content: bytes | mmap, starts: Offsets, lengths: Offsets) -> NDArray[np.bool_]:
    bad = np.zeros(len(starts), dtype=bool)
    everything = np.frombuffer(content, dtype=np.uint8)
    for length in np.unique(lengths[lengths <= CHECKED_BYTES]):
        rows = np.flatnonzero(lengths == length)
        windows = np.lib.stride_tricks.sliding_window_view(everything, int(length) + FOOTER)
        for some in np.array_split(rows, 1 + len(rows) // 8192):
            frames = windows[starts[some]]
            stored = np.ascontiguousarray(frames[:, length:]).view("<u4")[:, 0]
            bad[some] = masked_crc32c_rows(frames[:, :length]) != stored
    return bad
