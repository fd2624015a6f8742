"""Any text is read or refused, in time in proportion, and by whatever way it is read to the same rows."""

import contextlib
import math
import random
import time
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcheck.errors import DlcheckError
from dlcheck.runs.readers import text_log, text_rows
from dlcheck.runs.readers.text_block import Texts, leading
from dlcheck.runs.readers.text_shape import Shape
from tests.runs.text import OPTIONS, read


def a_varied_log(chance: random.Random) -> str:
    """Return streaks of several kinds of lines, with repeats, odd numbers and lines between that say nothing."""
    lines: list[str] = []
    for epoch in range(6):
        lines.append(f"Epoch {epoch}/6" if epoch % 2 else "saving the model")
        for step in range(chance.randrange(1, 300)):
            value = chance.choice([f"{chance.random():.4f}", "nan", "-inf", "1,234.5", "2.5e-3", "7.", ".5", "3"])
            lines += [f"train epoch {epoch + step / 300:.3f} step {step} | loss {value} | lr 1e-3"] * chance.choice(
                [1, 1, 1, 2]
            )
        lines += [f"loss: {chance.randrange(9)}" for _ in range(chance.randrange(100))]
        lines += [f"Test: [{n}/20]\tLoss 9.9 ({epoch}.{n}5)" for n in range(chance.randrange(20))]
        lines += [f"{chance.random():.3f}s - val_loss: {chance.randrange(5)}.5" for _ in range(chance.randrange(150))]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("seed", range(5))
def test_lines_taken_together_are_the_same_rows_as_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    text = a_varied_log(random.Random(seed))
    together = read(tmp_path, text)
    monkeypatch.setattr(text_rows, "_STREAK", math.inf)
    one_by_one = read(tmp_path, text)
    pd.testing.assert_frame_equal(together.scalars, one_by_one.scalars)
    assert together.events == one_by_one.events
    assert together.meta == one_by_one.meta


def test_a_streak_is_taken_together(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, taken = text_rows.TextRows(), 0

    def counted(shape: Shape, lines: Sequence[str]) -> list[Texts]:
        nonlocal taken
        found = leading(shape, lines)
        taken += len(found)
        return found

    monkeypatch.setattr(text_rows, "leading", counted)
    rows.add(f"step {n}: loss {n}.5" for n in range(1000))
    assert len(rows) == 1000
    assert taken > 950


def test_reading_takes_time_in_proportion(tmp_path: Path) -> None:
    # lines on which an expression that backtracks would take for ever
    hard = ["loss " + "1," * 1900, "loss: " * 600, "-" * 3900, "loss 0" + ".0" * 1900, "1 " * 1900 + "loss", "[" * 3900]
    lines = [line for line in hard for _ in range(20)]
    begin = time.process_time()
    read(tmp_path, "\n".join([*lines, *(f"step {n}: loss {1 / n:.3f}" for n in range(1, 40)), ""]))
    assert time.process_time() - begin < 20  # 4 s on a slow machine; backtracking would not end at all


ALPHABET = st.sampled_from(
    [*"0123456789.,:=|[]{}()/%-+eE \t\r\n\x1b\x08'\"", "loss", "val", "epoch ", "step", "nan", "inf", "é"]
)


@settings(deadline=None, max_examples=150)
@given(st.one_of(st.binary(max_size=400), st.lists(ALPHABET, max_size=120).map(lambda words: "".join(words).encode())))
def test_arbitrary_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.log"
    path.write_bytes(content)
    text_log.matches(path)
    with contextlib.suppress(DlcheckError):
        text_log.read_text(path, OPTIONS)


@settings(deadline=None, max_examples=40)
@given(st.randoms(use_true_random=False))
def test_mutated_logs_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, chance: random.Random) -> None:
    path = tmp_path_factory.getbasetemp() / "mutated.log"
    content = bytearray(
        "".join(f"Epoch {n}/40 [{n}/9] - loss: {1 / (n + 1):.4f} - val_loss: nan\r\n" for n in range(40)).encode()
    )
    for _ in range(len(content) // 50):
        content[chance.randrange(len(content))] = chance.randrange(256)
    path.write_bytes(content[: chance.randrange(len(content))])
    text_log.matches(path)
    with contextlib.suppress(DlcheckError):
        text_log.read_text(path, OPTIONS)
