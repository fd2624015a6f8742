"""CRC-32C of many short byte strings at once.

The sum is that of Castagnoli, Braeuer and Herrmann (1993, IEEE Transactions on Communications 41(6)), reflected,
with polynomial 0x82F63B78; the masking is that of the TFRecord format.
"""

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Sums = NDArray[np.uint32]

_POLYNOMIAL = 0x82F63B78
_MASK_DELTA = 0xA282EAD8
_ONES = 0xFFFFFFFF
_AT_ONCE = 1 << 14


def _byte_table() -> Sums:
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(table & 1, (table >> 1) ^ _POLYNOMIAL, table >> 1).astype(np.uint32)
    return table


_TABLE = _byte_table()
_LIST = _TABLE.tolist()
_tables = [_TABLE]


def masked_crc32c(content: bytes) -> int:
    """Return the masked CRC-32C of one byte string, as it stands in a TFRecord."""
    state = _ONES
    for byte in content:
        state = _LIST[(state ^ byte) & 0xFF] ^ (state >> 8)
    return _mask_one(state ^ _ONES)


def masked_crc32c_rows(rows: Bytes) -> Sums:
    """Return the masked CRC-32C of each row of a matrix, shape (rows, bytes) to shape (rows,).

    The sum is linear over exclusive or: each byte contributes what a table for its distance from the end says,
    so that all rows go through one column at a time.
    """
    sums = [_few_rows(rows[start : start + _AT_ONCE]) for start in range(0, len(rows), _AT_ONCE)]
    return np.concatenate(sums) if sums else np.empty(0, dtype=np.uint32)


def _few_rows(rows: Bytes) -> Sums:
    length = rows.shape[1]
    sums = np.full(len(rows), _start(length), dtype=np.uint32)
    columns = np.ascontiguousarray(rows.T)
    for place, column in enumerate(columns):
        sums ^= _table(length - 1 - place)[column]
    sums ^= np.uint32(_ONES)
    rotated = (sums >> np.uint32(15)) | (sums << np.uint32(17))
    return rotated + np.uint32(_MASK_DELTA)


def _table(zeros: int) -> Sums:
    """Return the contribution of each byte value followed by that many zero bytes, shape (256,)."""
    while len(_tables) <= zeros:
        last = _tables[-1]
        _tables.append(_TABLE[last & 0xFF] ^ (last >> np.uint32(8)))
    return _tables[zeros]


def _start(length: int) -> int:
    # The initial state of all ones, driven through as many zero bytes as the rows are long.
    state = _ONES
    for _ in range(length):
        state = _LIST[state & 0xFF] ^ (state >> 8)
    return int(state)


def _mask_one(crc: int) -> int:
    return (((crc >> 15) | (crc << 17)) + _MASK_DELTA) & _ONES
