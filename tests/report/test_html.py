"""The page of one or more runs: whole, escaped, self-contained, and its numbers those of the run."""

import re
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from dlcheck.report import Report, Series, to_html, write_reports
from dlcheck.report.exams import ExamRow
from dlcheck.report.html import vega
from dlcheck.report.html.chart import Chart
from dlcheck.report.html.curves import MOST_POINTS, curve_chart
from dlcheck.report.html.layers import MOST_CELLS, MOST_LAYERS, layer_charts
from dlcheck.runs import RunFolder
from dlcheck.runs.discover import Refused
from dlcheck.runs.readers import read_run
from dlcheck.runs.run import Run, layer_frame, phase_frame
from tests.report.pages import chart, charts, curve, parsed, titles, words

X = np.arange(1.0, 6.0)


def drawn(series: Series, **more: object) -> Chart:
    found = curve_chart("loss", [series], **more)  # type: ignore[arg-type]
    assert found is not None
    return found


def test_it_holds_what_the_text_holds(sick: Report) -> None:
    said = words(to_html([sick]))
    for expected in ("sick: C409 overfit", "explained by C409", "stop early", "--set train.patience=5", "optimizer.lr"):
        assert expected in said
    for expected in ("G303", "dlcheck watch SCRIPT", "X901", "2 findings; 2 clean; 3 not checked; 1 crashed"):
        assert expected in said


def test_the_verdict_comes_before_all_else_and_what_is_next_last(sick: Report) -> None:
    said = words(to_html([sick]).partition("</head>\n<body>\n")[2].replace("</body>\n</html>", ""))
    assert said.startswith("runs/digits dlcheck-run sick: C409 overfit Findings warning C409 overfit 95% sure")
    assert said.endswith("next: dlcheck explain C409")


def test_it_needs_nothing_from_elsewhere(sick: Report) -> None:
    text = to_html([sick])
    tags = parsed(text).names
    assert {"link", "img", "iframe", "object", "form"}.isdisjoint(tags)
    assert len(re.findall("<script>", text)) == 1
    body = re.sub(r"<script>.*</script>", "", text, flags=re.S)
    assert not re.search(r"(url\(|@import|src=|style=)", body)
    assert re.findall(r"https?:[^\"]*", body.partition("<main>")[2]) == [vega.SCHEMA] * len(charts(text))
    assert "prefers-color-scheme:dark" in text


def test_a_policy_lets_only_its_own_script_and_style_run(sick: Report) -> None:
    text = to_html([sick])
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', text)
    assert policy is not None
    assert policy[1].startswith("default-src 'none';")
    assert "unsafe" not in policy[1]
    for tag in ("script", "style"):
        content = re.search(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        assert content is not None
        digest = b64encode(sha256(content[1].encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy[1]


def test_a_page_is_below_a_megabyte_and_a_half(sick: Report) -> None:
    assert len(to_html([sick]).encode()) < 1_500_000


def test_words_of_the_user_are_never_markup(hostile: Report) -> None:
    text = to_html([hostile])
    parsed(text)
    assert "<script>alert" not in text
    assert "\x1b" not in text
    assert "&lt;script&gt;" in text


def test_the_numbers_of_each_curve_are_those_of_the_run(sick: Report) -> None:
    text = to_html([sick])
    loss = chart(text, "loss")
    assert curve(loss, 1) == {x: pytest.approx(abs(x - 4) / 10 + 0.5) for x in range(1, 11)}
    assert curve(loss, 0)[10] == pytest.approx(0.23)
    assert loss["data"]["marks"]["name"] == ["C409 overfit"]
    assert loss["data"]["marks"]["x"] == [4.0]
    assert "train_loss from 2.3 to 0.23" in text  # for those who cannot see it


def test_loss_rate_metric_and_gap_are_drawn(sick: Report) -> None:
    text = to_html([sick])
    assert titles(text)[:4] == [
        "loss",
        "learning rate",
        "accuracy",
        "gap between validation and training loss",
    ]
    gap = curve(chart(text, "gap"), 0)
    assert gap[10] == pytest.approx(1.1 - 0.23)
    assert "C411 stopped-late" not in chart(text, "loss")["data"]["marks"]["name"]


def test_a_long_curve_keeps_its_spikes_and_its_gaps() -> None:
    y = np.ones(100_000)
    y[70_001], y[30_003] = 50.0, np.nan
    points = drawn(Series("loss", np.arange(100_000.0), y)).data["points"]
    found = dict(zip(points["x"], points["y"], strict=True))
    assert len(found) <= MOST_POINTS
    assert found[70_001] == 50
    assert found[30_003] is None


def test_of_many_runs_a_table_comes_first(sick: Report, unknown: Report) -> None:
    text = to_html([sick, unknown], [Refused(Path("<b>.csv"), "binary")], top=1)
    assert "2 runs: 1 sick, 0 healthy, 1 unknown" in words(text)
    assert '<a href="#run-1">runs/digits</a>' in text
    assert text.count("<h1") == 2
    assert "<td>metrics.csv</td>" in text
    assert "&lt;b&gt;.csv" in text


def test_a_run_without_curves_is_still_a_document(unknown: Report) -> None:
    text = to_html([unknown])
    assert charts(text) == []
    assert "too little was measured" in words(text)


def test_exams_are_a_table(sick: Report) -> None:
    rows = (
        ExamRow("first loss", "found", ("M201",), ("M201",), "9.3", "2.303"),
        ExamRow("scale", "not checked", why="no numbers"),
        ExamRow("<shape>", "clean", number="3", expected="3"),
    )
    said = words(to_html([replace(sick, exams=rows)]))
    assert (
        "exam result number expected first loss M201 9.3 2.303 scale not checked no numbers <shape> clean 3 3" in said
    )


def ends(one: Chart) -> tuple[float, float]:
    low, high = one.spec["params"]
    return low["value"], high["value"]


def test_the_axis_holds_all_values_with_room() -> None:
    low, high = ends(drawn(Series("loss", X, X)))
    assert [low, high] == pytest.approx([0.8, 5.2])
    assert ends(drawn(Series("loss", X, np.full(5, 3.0)))) == (1.5, 4.5)
    assert ends(drawn(Series("loss", X, np.zeros(5)))) == (-0.5, 0.5)


def test_the_largest_numbers_are_drawn() -> None:
    one = drawn(Series("loss", X, np.linspace(-1.0, 1.0, 5) * 1.7e308))
    low, high = ends(one)
    assert np.isfinite(high - low)
    assert all(low <= y <= high for y in one.data["points"]["y"])


def test_a_wide_range_is_drawn_by_its_logarithm() -> None:
    one = drawn(Series("loss", X, 10.0**X))
    assert one.title == "loss (logarithmic)"
    assert drawn(Series("loss", X, 10.0**X), may_log=False).title == "loss"
    low, high = ends(one)
    assert low * high == pytest.approx(1e6)  # as much room below as above


def test_a_value_that_is_not_finite_leaves_a_gap_and_lone_points_are_dots() -> None:
    one = drawn(Series("loss", X, np.array([1.0, np.nan, 2.0, np.inf, 3.0])))
    assert one.data["points"]["y"] == [1.0, None, 2.0, None, 3.0]
    assert one.data["points"]["lone"] == [True, False, True, False, True]
    assert "2 not finite" in one.summary
    assert ("4", "not finite") in one.rows


def test_a_single_point_and_nothing_at_all() -> None:
    assert drawn(Series("loss", X[:1], X[:1])).data["points"]["lone"] == [True]
    assert curve_chart("loss", [Series("loss", X, np.full(5, np.nan))]) is None


def test_names_of_findings_late_in_a_run_stand_left_of_their_line() -> None:
    marks = drawn(Series("loss", X, X), marks={"early": 2.0, "late": 5.0}).data["marks"]
    assert marks["late"] == [False, True]
    assert marks["row"] == [0, 1]


def layered(statistic: str, values: dict[str, list[float]]) -> Run:
    rows = [(step, name, value) for name, ys in values.items() for step, value in enumerate(ys)]
    steps, names, numbers = zip(*rows, strict=True)
    return Run(
        layers=layer_frame(
            {
                "step": np.array(steps, float),
                "layer": list(names),
                "statistic": [statistic] * len(rows),
                "value": numbers,
            }
        )
    )


def test_layers_are_a_map_with_the_band_of_the_update_ratio() -> None:
    (one,) = layer_charts(layered("update_ratio", {"a": [1e-3] * 3, "b": [1e-7, np.nan, 0.5]}))
    cells = one.data["cells"]
    assert cells["layer"] == ["a"] * 3 + ["b"] * 3
    assert cells["value"] == [1e-3, 1e-3, 1e-3, 1e-7, None, 0.5]
    assert cells["lost"] == [False] * 4 + [True, False]
    assert [key.words for key in one.keys][3] == "3e-4 to 3e-3: as it should be"
    assert one.keys[-1].words == "not finite"
    assert one.rows[1] == ("b", "1e-07", "0.25", "0.5", "1e-07", "0.5")


def test_of_many_layers_and_steps_the_extremes_stay() -> None:
    many = {f"layer{n}": [1e-3 * (1 + (n == 70) * 1e3)] * 500 for n in range(100)}
    many["layer3"] = [np.nan] * 500
    (one,) = layer_charts(layered("grad_norm", many))
    kept = set(one.data["cells"]["layer"])
    assert len(kept) <= MOST_LAYERS
    assert {"layer70", "layer3"} <= kept
    assert len(set(one.data["cells"]["start"])) <= MOST_CELLS
    assert f"{len(kept)} of 100 layers are drawn" in one.note


def test_the_median_of_a_stretch_is_what_is_drawn() -> None:
    (one,) = layer_charts(layered("weight_norm", {"a": [float(n) for n in range(600)]}))
    cells = one.data["cells"]
    for start, end, value in zip(cells["start"], cells["end"], cells["value"], strict=True):
        assert value == pytest.approx(np.median(np.arange(start, end)))


def test_where_a_step_goes_is_one_bar(sick: Report) -> None:
    phases = phase_frame(
        {"step": [1, 2, 1, 2], "phase": ["wait", "wait", "forward", "forward"], "seconds": [1, 3, 6, 6]}
    )
    text = to_html([replace(sick, run=replace(sick.run, phases=phases))])
    parts = chart(text, "Where a step goes")["data"]["parts"]
    assert parts["name"] == ["waiting for the batch", "forward pass"]
    assert parts["to"] == [2.0, 8.0]
    assert parts["told"] == ["2 s, 25%", "6 s, 75%"]


@pytest.mark.parametrize("twice", [False, True])
def test_a_run_folder_gets_both_files(sick: Report, tmp_path: Path, twice: bool) -> None:
    folder = RunFolder.create(tmp_path / "digits")
    for _ in range(1 + twice):
        report = write_reports(folder, sick.run, sick.outcome, "sick")
    assert report.source == str(folder.path)
    assert '"schema": "dlcheck.findings/1"' in folder.findings.read_text()
    assert folder.report.read_text().startswith("<!doctype html>")
    assert read_run(folder.path).scalars.empty


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """Forget the library of charts, and return where it is to be kept."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    vega.library.cache_clear()
    yield tmp_path / "dlcheck"
    vega.library.cache_clear()


def test_the_library_is_kept_and_made_anew_when_damaged(fresh: Path) -> None:
    made = vega.library()
    assert vega.ENTRY in made
    (kept,) = fresh.iterdir()
    assert kept.read_text() == made
    kept.write_text("alert(1)")
    vega.library.cache_clear()
    assert vega.library() == made
    assert kept.read_text() == made


def test_a_folder_that_cannot_be_written_keeps_nothing(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fresh.write_text("a file")
    monkeypatch.setattr(vega, "_made", lambda: f"x;{vega.ENTRY}y;")
    assert vega.library() == f"x;{vega.ENTRY}y;"


def test_without_the_library_the_numbers_are_still_there(
    fresh: Path, sick: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dlcheck.report.html import page

    monkeypatch.setattr(vega, "LIBRARY", "no-such-library")
    page._script.cache_clear()
    said = words(to_html([sick]))
    page._script.cache_clear()
    assert "The library that draws the charts is not installed" in said
    assert "epoch train_loss val_loss 1 2.3 0.8" in said
