"""The lines of a text log of any size, as a terminal would have shown them."""

import codecs
import re
from collections.abc import Iterator
from pathlib import Path

from dlcheck.runs.intake import open_log

BLOCK_BYTES = 1 << 20
LONGEST_LINE = 4000
"""Characters; longer lines are dumps of a configuration, never the record of a step."""
_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\^_])")
_ENDS = re.compile(r"\r\n?|\x08+")


def line_blocks(path: Path) -> Iterator[tuple[list[str], str]]:
    """Yield lists of whole lines, without escape sequences, and at the end what follows the last line end.

    A line that was drawn again and again, with carriage returns, is one line for each time.

    Args:
        path: A text file in UTF-8, or in UTF-16 with its mark; other bytes become replacement characters.

    Raises:
        OSError: it cannot be read.
    """
    rest = ""
    with open_log(path) as file:
        decoder = _decoder(file.peek(2)[:2])
        while content := file.read(BLOCK_BYTES):
            whole = rest + decoder.decode(content)
            held = "\r" if whole.endswith("\r") else ""  # its line feed may open the next block
            lines = clean(whole[: len(whole) - len(held)]).split("\n")
            rest = lines.pop()[-2 * LONGEST_LINE :] + held
            yield lines, ""
    lines = clean(rest).split("\n")
    yield lines[:-1], lines[-1]


def clean(text: str) -> str:
    """Return text with line feeds for every line end, and without escape sequences."""
    if "\x1b" in text:
        text = _ESCAPE.sub("", text)
    return _ENDS.sub("\n", text) if "\r" in text or "\x08" in text else text


def _decoder(start: bytes) -> codecs.IncrementalDecoder:
    is_utf16 = start in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    return codecs.getincrementaldecoder("utf-16" if is_utf16 else "utf-8-sig")(errors="replace")
