"""Text logs of any training loop: what was printed, with names and numbers in its lines."""

import re
from dataclasses import replace
from pathlib import Path

from dlcheck.errors import DlcheckError
from dlcheck.runs.content import HEAD_BYTES, decode, head, is_text, why_no_text
from dlcheck.runs.intake import open_log
from dlcheck.runs.readers.reader import Reader, ReadOptions
from dlcheck.runs.readers.text_lines import clean, line_blocks
from dlcheck.runs.readers.text_rows import TextRows
from dlcheck.runs.readers.text_writer import text_format
from dlcheck.runs.run import Run
from dlcheck.runs.tables import table_runs

LEAST_POINTS = 2
"""Points of a loss or score; a single number in a text is no curve."""
_JSON = re.compile(r"\s*(?:\{\s*[\"}]|\[\s*(?:[{\[\"]|[-+.\d]+\s*,))")


def matches(path: Path) -> bool:
    """Return whether the first 64 KiB, or the last, hold lines with a loss or score."""
    start = head(path)
    if not is_text(start) or _JSON.match(start[:1000].decode("utf-8", errors="replace")):
        return False
    return _tells(start) or _tells(_tail(path))


def read_text(path: Path, options: ReadOptions) -> list[Run]:
    """Read the runs that a text log holds; ``meta["format"]`` says which framework printed it, where that is known.

    Raises:
        DlcheckError: no text, or none in which a loss or score goes on for ``LEAST_POINTS`` points.
        OSError: it cannot be read.
    """
    start = head(path)
    if not is_text(start):
        raise DlcheckError(f"{path}: no training log: {why_no_text(start) or 'the file is not text'}")
    rows = TextRows()
    for lines, rest in line_blocks(path):
        rows.add(lines)
        rows.add_last(rest)
    try:
        runs = table_runs(rows.table(), options.names, least=LEAST_POINTS)
    except DlcheckError as error:
        raise DlcheckError(f"{path}: {error}") from None
    written = text_format(clean(decode(start))) or text_format(clean(decode(_tail(path))))
    return [replace(run, meta={"format": written, **run.meta}) for run in runs] if written else runs


def _tells(content: bytes) -> bool:
    rows = TextRows()
    rows.add(clean(decode(content)).split("\n"))
    return any(plan.tells_of_training for plan in rows.plans)


def _tail(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size <= HEAD_BYTES:
            return b""
        with open_log(path, whole=False) as file:
            file.seek(-HEAD_BYTES, 2)
            return file.read()
    except OSError:
        return b""


READER = Reader("text", matches, read_text, rank=95)
