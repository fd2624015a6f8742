"""Bytes, seconds and rates in words."""

import math

_BINARY = ((2**40, "TiB"), (2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"))


def amount(size: float) -> str:
    """Return bytes in words, to three digits: ``1.21 GiB``."""
    if not math.isfinite(size):
        return "an unknown amount"
    for unit, name in _BINARY:
        if abs(size) >= unit:
            return f"{size / unit:.3g} {name}" if abs(size) < 1000 * unit else f"{size / unit:,.0f} {name}"
    return f"{size:.0f} bytes"
