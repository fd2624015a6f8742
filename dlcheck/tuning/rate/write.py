"""Put a rate into a recipe, and nothing else."""

from __future__ import annotations

from pathlib import Path

from dlcheck.recipe.write import with_values, write_values

PATH = "optimizer.lr"
INSTEAD = "copy one, or pass --set optimizer.lr=RATE to dlcheck train"
"""What to do where there is no file to write."""


def with_rate(text: str, rate: float) -> str:
    """Return a recipe's text with ``optimizer.lr`` changed; comments, order and layout stay as they are.

    Raises:
        DlcheckError: not TOML, or ``optimizer`` is no table.
    """
    return with_values(text, {PATH: _two_digits(rate)})


def write_rate(path: Path, rate: float, *, expected: str) -> None:
    """Write a rate into a recipe's file; its permissions stay as they are.

    Args:
        path: As ``writable`` returned it.
        rate: The new ``optimizer.lr``.
        expected: What the file held when the rate was looked for.

    Raises:
        DlcheckError: the file has changed meanwhile, or cannot be written; it is then as it was.
    """
    write_values(path, {PATH: _two_digits(rate)}, expected=expected)


def _two_digits(rate: float) -> float:
    return float(f"{rate:.2g}")
