import numpy as np
import pytest

from dlcheck.report.chart import draw_curves, logarithmic
from dlcheck.report.report import Series

X = np.arange(1.0, 11.0)


def series(*curves: tuple[str, np.ndarray]) -> list[Series]:
    return [Series(label, X[: len(y)], np.asarray(y, dtype=float)) for label, y in curves]


def test_curves_run_where_their_values_are() -> None:
    text = draw_curves(
        series(("train_loss", 11 - X), ("val_loss", X)), width=40, height=10, x_label="epoch", ascii=True
    )
    lines = text.splitlines()
    left = lines[0].index("+") + 1
    canvas = [line[left:-1] for line in lines[1:7]]
    assert canvas[0].strip(".x ") == ""
    assert canvas[0].startswith("..")
    assert canvas[0].endswith("xx")
    assert canvas[-1].startswith("xx")
    assert canvas[-1].endswith("..")
    assert lines[1].startswith("10.0+")
    assert lines[-2].strip() == "epoch"
    assert lines[-1] == "  . train_loss   x val_loss"


@pytest.mark.parametrize("width", [20, 60, 80, 200])
@pytest.mark.parametrize("ascii_only", [True, False])
def test_it_fits_the_width_and_holds_no_escapes(width: int, ascii_only: bool) -> None:
    text = draw_curves(series(("train", 1 / X), ("val", np.sqrt(X))), width=width, ascii=ascii_only)
    chart = text.splitlines()[:-1]
    assert max(map(len, chart)) == width
    assert all(char.isprintable() or char == "\n" for char in text)
    assert text.isascii() is ascii_only


def test_two_curves_differ_without_colour() -> None:
    text = draw_curves(series(("train", 2 / X), ("val", 3 - 1 / X)))
    chart, legend = text.rsplit("\n", 1)
    assert "x val" in legend
    assert "x" in chart
    assert any("\u2800" < char <= "\u28ff" for char in chart)


def test_a_gap_is_left_where_values_are_not_finite() -> None:
    whole = np.ones(10)
    broken = whole.copy()
    broken[3:7] = [np.nan, np.inf, -np.inf, np.nan]
    full, gap = (draw_curves(series(("loss", y)), width=40, height=7, ascii=True) for y in (whole, broken))
    assert full.count(".") > gap.count(".") + 5
    assert gap.endswith(". loss (4 not finite)")


def test_nothing_finite_is_said() -> None:
    assert draw_curves(series(("loss", np.full(3, np.nan)))) == "no finite values to draw"
    assert draw_curves([]) == "no finite values to draw"


@pytest.mark.parametrize(
    ("y", "expected"),
    [([1.0, 100.0], True), ([1.0, 2.0], False), ([-1.0, 100.0], False), ([0.0, 100.0], False), ([np.nan, 1.0], False)],
)
def test_a_wide_range_of_positive_values_is_logarithmic(y: list[float], expected: bool) -> None:
    assert logarithmic(series(("loss", np.array(y)))) is expected


def test_the_label_of_a_mark_stands_in_the_legend() -> None:
    text = draw_curves(series(("loss", X)), marks={"C409 overfit": 7.0})
    assert text.endswith("│ C409 overfit 7")
    plain = draw_curves(series(("loss", X)))
    assert text.count("│") > plain.count("│") + 5


def test_a_label_cannot_smuggle_escapes() -> None:
    assert "\x1b" not in draw_curves(series(("\x1b[31mloss", X)))


def test_a_million_points_are_drawn_in_no_time() -> None:
    y = np.linspace(2, 1, 1_000_000)
    text = draw_curves([Series("loss", np.arange(1_000_000.0), y)], width=60)
    assert text.count("\n") > 10


def test_a_single_spike_among_a_hundred_thousand_points_is_seen() -> None:
    x = np.arange(100_000.0)
    y = np.ones(100_000)
    y[41_234] = 9.0
    assert draw_curves([Series("loss", x, y)], height=8).splitlines()[1].startswith("9┤")
