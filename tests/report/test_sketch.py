import numpy as np
import pytest

from dlcheck.report.report import Series
from dlcheck.report.sketch import sketch

X = np.arange(1.0, 11.0)


def curve(y: np.ndarray, label: str = "loss") -> Series:
    return Series(label, X[: len(y)], np.asarray(y, dtype=float))


def rows(text: str) -> list[str]:
    """Return what is drawn right of the y axis."""
    return [line.split("|", 1)[1] for line in text.splitlines()[:-3]]


def test_curves_run_where_their_values_are() -> None:
    text = sketch([curve(11 - X, "train"), curve(X, "val")], width=40, height=10, x_label="epoch", ascii=True)
    drawn = rows(text)
    assert drawn[0].startswith(".")
    assert drawn[0].endswith("x")
    assert drawn[-1].startswith("x")
    assert drawn[-1].endswith(".")
    lines = text.splitlines()
    assert (lines[0].split("|")[0].strip(), lines[6].split("|")[0].strip()) == ("10", "1")
    assert lines[-2].split() == ["1", "epoch", "10"]
    assert lines[-1] == "  . train   x val"


@pytest.mark.parametrize("width", [20, 60, 80])
@pytest.mark.parametrize("ascii_only", [True, False])
def test_it_fits_and_holds_no_escapes(width: int, ascii_only: bool) -> None:
    text = sketch([curve(1 / X), curve(np.sqrt(X))], width=width, height=9, ascii=ascii_only, x_label="epoch")
    assert max(map(len, text.splitlines()[:-1])) == width
    assert len(text.splitlines()) == 9
    assert all(char.isprintable() or char == "\n" for char in text)
    assert text.isascii() is ascii_only


def test_braille_draws_finer_than_lines_are_high() -> None:
    drawn = sketch([curve(X)], width=46, height=8)
    signs = {char for char in drawn if "\u2800" < char <= "\u28ff"}
    assert len(signs) > 2


def test_a_gap_is_left_where_values_are_not_finite() -> None:
    y = np.ones(10)
    whole = sketch([curve(y)], width=40, height=7, ascii=True)
    y[3:7] = [np.nan, np.inf, -np.inf, np.nan]
    broken = sketch([curve(y)], width=40, height=7, ascii=True)
    assert "\n".join(rows(whole)).count(".") > "\n".join(rows(broken)).count(".") + 10
    assert broken.endswith(". loss (4 not finite)")


def test_a_single_spike_among_a_million_points_is_seen() -> None:
    y = np.ones(1_000_000)
    y[700_000] = 9.0
    drawn = rows(sketch([Series("loss", np.arange(1e6), y)], width=60, height=9, ascii=True))
    assert [row.index(".") for row in drawn[:-1]] == [drawn[0].index(".")] * (len(drawn) - 1)
    assert drawn[0].index(".") == pytest.approx(0.7 * 57, abs=2)


def test_the_moment_is_marked_where_it_lies() -> None:
    text = sketch([curve(X)], width=40, height=9, marks={"C409 overfit": 10.0, "elsewhere": 99.0}, ascii=True)
    assert all(row.endswith("|") for row in rows(text)[1:])
    assert "| C409 overfit 10" in text.splitlines()[-1]


def test_a_wide_range_is_drawn_by_its_logarithm() -> None:
    log = sketch([curve(10.0**X)], width=40, height=9, ascii=True)
    linear = sketch([curve(X)], width=40 - len("3.16e+05") + len("5.5"), height=9, ascii=True)
    assert rows(log) == rows(linear)
    assert log.splitlines()[3].split("|")[0].strip() == "3.16e+05"


@pytest.mark.parametrize("y", [[np.nan, np.inf], []])
def test_nothing_finite_draws_nothing(y: list[float]) -> None:
    assert sketch([curve(np.array(y))], width=40, height=9) == ""


def test_one_point_and_a_constant_are_drawn() -> None:
    for y in ([3.0], [0.0, 0.0, 0.0]):
        assert "." in "".join(rows(sketch([curve(np.array(y))], width=40, height=9, ascii=True)))


def test_points_out_of_order_are_drawn() -> None:
    mixed = Series("loss", X[::-1], X[::-1])
    assert sketch([mixed], width=40, height=9) == sketch([Series("loss", X, X)], width=40, height=9)


def test_the_largest_numbers_are_drawn() -> None:
    y = np.linspace(-1.0, 1.0, 10) * 1.7e308
    huge = sketch([curve(y)], width=40, height=9, marks={"C402 diverged": 5.0}, ascii=True)
    assert huge.splitlines()[0].startswith(" 1.7e+308|")
    assert rows(huge) == rows(sketch([curve(y / 1e308)], width=35, height=9, marks={"x": 5.0}, ascii=True))
    wide = Series("loss", y, y)
    assert "." in sketch([wide], width=40, height=9, marks={"x": 0.0}, ascii=True)


def test_a_label_cannot_smuggle_escapes() -> None:
    assert "\x1b" not in sketch([curve(X, "\x1b[31mloss")], width=40, height=9)
