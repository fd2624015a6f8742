"""A rate goes into a recipe's text, and nothing else changes."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcheck.errors import DlcheckError
from dlcheck.recipe.write import writable
from dlcheck.tuning.rate.write import with_rate, write_rate

TEXTS = {
    "table": ('[optimizer]\nname = "adam"\nlr = 0.1   # hot\n', '[optimizer]\nname = "adam"\nlr = 0.03  # hot\n'),
    "dotted": ("optimizer.lr = 1e-3 # hi\n[data]\nx = 1\n", "optimizer.lr = 0.03 # hi\n[data]\nx = 1\n"),
    "inline": ('optimizer = {name = "sgd", lr = 1}\n', 'optimizer = {name = "sgd", lr = 0.03}\n'),
    "windows": ("[optimizer]\r\nlr = 1 # a\r\n", "[optimizer]\r\nlr = 0.03 # a\r\n"),
    "no rate": ('[optimizer]\nname = "sgd" # s\n', '[optimizer]\nname = "sgd" # s\nlr = 0.03\n'),
    "no table": ("# c\n[data]\nx = 1\n", "# c\n[data]\nx = 1\n\n[optimizer]\nlr = 0.03\n"),
}


@pytest.mark.parametrize(("before", "after"), TEXTS.values(), ids=TEXTS.keys())
def test_layout_and_comments_stay(before: str, after: str) -> None:
    assert with_rate(before, 0.03) == after


@given(st.sampled_from([before for before, _ in TEXTS.values()]), st.floats(1e-12, 1e3))
def test_any_rate_reads_back_to_two_digits(text: str, rate: float) -> None:
    read = tomllib.loads(with_rate(text, rate))["optimizer"]["lr"]
    assert isinstance(read, float)
    assert read == pytest.approx(rate, rel=0.051)


@pytest.mark.parametrize("text", ["[optimizer\n", "optimizer = 3\n"])
def test_what_is_no_recipe_is_refused(text: str) -> None:
    with pytest.raises(DlcheckError, match="--write"):
        with_rate(text, 0.1)


def test_a_file_that_changed_meanwhile_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "r.toml"
    path.write_text("[optimizer]\nlr = 2.0\n")
    with pytest.raises(DlcheckError, match="has changed since"):
        write_rate(path, 0.1, expected="[optimizer]\nlr = 1.0\n")
    assert path.read_text() == "[optimizer]\nlr = 2.0\n"


def test_a_shipped_recipe_is_never_written() -> None:
    from dlcheck.recipe.shipped import shipped_recipes

    with pytest.raises(DlcheckError, match="ships with dlcheck"):
        writable(shipped_recipes()["digits"])
