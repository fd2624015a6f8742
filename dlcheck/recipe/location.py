"""Where a key stands in a TOML file, for error messages."""

import re

# Each sign can be taken by one part only: a line of spaces would else be tried in as many ways as its length cubed.
_HEADER = re.compile(r"\s*\[{1,2}([^\[\]]+)\]{1,2}\s*(?:#.*)?$")
_KEY = re.compile(r"\s*([A-Za-z0-9_.\"'-]+)\s*=")


def find_line(text: str, path: tuple[str, ...]) -> int | None:
    """Return the line (from 1) that sets the dotted ``path``, or the header of the deepest table above it."""
    table: tuple[str, ...] = ()
    best: tuple[int, int] | None = None
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(line):
            table = _keys(header[1])
            where = table
        elif key := _KEY.match(line):
            where = table + _keys(key[1])
        else:
            continue
        if where == path[: len(where)] and (best is None or len(where) > best[0]):
            best = (len(where), number)
    return best[1] if best else None


def _keys(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip().strip("\"'") for part in dotted.split("."))
