"""Where a report goes: standard output, or a new file."""

from pathlib import Path

from dlcheck.errors import DlcheckError


def refuse_existing(path: Path) -> None:
    """Refuse a file that exists, before any work is done for it.

    Raises:
        DlcheckError: it exists.
    """
    if path.exists():
        raise DlcheckError(f"--output {path}: exists already; nothing is ever overwritten")
