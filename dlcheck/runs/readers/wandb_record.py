"""The records of a ``.wandb`` file: LevelDB's log format with zlib's CRC-32, after a header of seven bytes.

The format is described in LevelDB's doc/log_format.md.
"""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from struct import Struct

HEADER = b":W&B\xe1\xbe"
_HEADER_BYTES = 7
_BLOCK_BYTES = 32768
_PIECE = Struct("<IHB")
_FULL, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4


@dataclass(slots=True)
class WandbRecords:
    """Iterates over the payloads of a file, and knows afterwards where it was broken."""

    content: bytes
    broken: list[int] = field(default_factory=list)
    """Where, in bytes, sums or the order of pieces were wrong; the rest of that block was skipped."""
    torn: bool = False
    """Whether the file ends inside a record."""

    def __iter__(self) -> Iterator[bytes]:
        """Yield whole records."""
        held: list[bytes] | None = None
        for place, kind, piece in self._pieces():
            if (kind in (_FULL, _FIRST)) != (held is None):
                self.broken.append(place)
            if kind == _FULL:
                held = None
                yield piece
            elif kind == _FIRST:
                held = [piece]
            elif held is not None:
                held.append(piece)
                if kind == _LAST:
                    yield b"".join(held)
                    held = None
        self.torn = self.torn or held is not None

    def _pieces(self) -> Iterator[tuple[int, int, bytes]]:
        content, place = self.content, _HEADER_BYTES
        while place < len(content):
            block_end = (place // _BLOCK_BYTES + 1) * _BLOCK_BYTES
            start = place + _PIECE.size
            if start > block_end:
                place = block_end
                continue
            if start > len(content):
                self.torn = True
                return
            stored_sum, length, kind = _PIECE.unpack_from(content, place)
            if not stored_sum and not length and not kind:
                place = block_end  # the tail of a block, or space that was never written
                continue
            end = start + length
            if end > len(content) and end <= block_end:
                self.torn = True
                return
            if end > block_end or zlib.crc32(content[start - 1 : end]) != stored_sum or not _FULL <= kind <= _LAST:
                self.broken.append(place)
                place = block_end
                continue
            yield place, kind, content[start:end]
            place = end
