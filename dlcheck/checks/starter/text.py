"""A recipe for a plain text."""

from collections import Counter
from pathlib import Path

from dlcheck.checks.starter.amounts import batch_size, epochs
from dlcheck.checks.starter.sections import HEAD, Length, clipped, optimizer_tables, train_table
from dlcheck.components.data.text import EVALUATION_SHARE
from dlcheck.errors import DlcheckError, one_line
from dlcheck.recipe.starter import Line, Starter, Table

LEAST = 200
"""Characters that make a few windows of the shortest context."""
LARGE = 500_000
"""Characters from which more memory pays."""


def text_starter(path: Path) -> Starter:
    """Measure a text file, and write a recipe that predicts it character by character.

    Raises:
        DlcheckError: unreadable, too short, or of one character only.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DlcheckError(f"{path}: cannot read this text as UTF-8: {one_line(error)}") from None
    counts = Counter(text)
    if len(text) < LEAST or len(counts) < 2:
        raise DlcheckError(
            f"{path}: {len(text)} characters, {len(counts)} distinct; at least {LEAST} and 2 are needed to learn from"
        )
    lines = text.count("\n") + 1
    common, often = counts.most_common(1)[0]
    rare = sum(times < 10 for times in counts.values())
    return Starter(
        source=str(path),
        kind="text",
        told=(
            ("characters", f"{len(text):,} in {lines:,} lines, {len(counts)} distinct"),
            ("most frequent", f"{common!r}, {often / len(text):.1%} of all"),
            ("rare", f"{rare} characters stand there fewer than 10 times"),
        ),
        measures={
            "characters": len(text),
            "lines": lines,
            "distinct": len(counts),
            "rare": rare,
            "most_frequent": common,
            "most_frequent_share": often / len(text),
        },
        tables=_tables(str(path), len(text), len(counts)),
        head=HEAD,
    )


def _tables(path: str, characters: int, distinct: int) -> tuple[Table, ...]:
    context = 64 if characters > 20_000 else 32 if characters > 2000 else 8
    windows = round(characters * (1 - 2 * EVALUATION_SHARE)) // context
    batch = min(64, batch_size(windows))
    count = epochs(windows, batch, steps=2000, least=5, most=60)
    hidden = 192 if characters > LARGE else 128 if characters > 50_000 else 64
    return (
        Table(
            "data",
            (
                Line("name", "text", f"{characters:,} characters, {distinct} distinct: guess the next one"),
                Line("path", path),
                Line(
                    "context",
                    context,
                    f"characters in a sample: {windows:,} windows train, the last tenth is held back",
                ),
            ),
        ),
        Table(
            "model",
            (
                Line("name", "lstm", "gru and rnn work too, and transformer"),
                Line("embedding", 32, "numbers that stand for a character"),
                Line("hidden", hidden, "numbers it can remember"),
            ),
        ),
        Table("init", (Line("name", "default"), Line("forget_bias", 1.0, "begin by remembering"))),
        *optimizer_tables(0.004, 0.01, "the one number to get right first; dlcheck lr-find measures it"),
        clipped(train_table(Length(count, batch), windows, "windows")),
    )
