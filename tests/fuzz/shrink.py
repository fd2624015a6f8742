"""Makes the input of a fault small: pieces are left out as long as the fault stays the same."""

from tests.fuzz.attempt import attempt
from tests.fuzz.target import Target

_MOST_ATTEMPTS = 3000


def shrunk(target: Target, content: bytes) -> bytes:
    """Return the smallest input found with the same fault.

    Raises:
        ValueError: these bytes meet no fault.
    """
    fault = attempt(target, content).fault
    if fault is None:
        raise ValueError(f"{target.name}: this input meets no fault")
    attempts = 0
    for separator in (b"\n", b","):
        parts = content.split(separator)
        size = max(1, len(parts) // 2)
        while size and attempts < _MOST_ATTEMPTS:
            place = 0
            while place < len(parts):
                fewer = parts[:place] + parts[place + size :]
                attempts += 1
                if _same(target, separator.join(fewer), fault.kind):
                    parts = fewer
                else:
                    place += size
            size //= 2
        content = separator.join(parts)
    return _without_bytes(target, content, fault.kind)


def _without_bytes(target: Target, content: bytes, kind: str) -> bytes:
    size = max(1, len(content) // 2)
    while size and len(content) < 4000:
        place = 0
        while place < len(content):
            fewer = content[:place] + content[place + size :]
            if _same(target, fewer, kind):
                content = fewer
            else:
                place += size
        size //= 2
    return content


def _same(target: Target, content: bytes, kind: str) -> bool:
    fault = attempt(target, content).fault
    return fault is not None and fault.kind == kind
