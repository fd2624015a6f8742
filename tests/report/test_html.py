import html
import json
import re
import xml.etree.ElementTree as ET
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from dlcheck.report import Report, Series, to_html, write_reports
from dlcheck.report.svg import svg_chart
from dlcheck.runs import RunFolder
from dlcheck.runs.discover import Refused
from dlcheck.runs.readers import read_run

X = np.arange(1.0, 6.0)


class Tags(HTMLParser):
    """Collects the elements, and refuses one that is not closed where it should be."""

    VOID = frozenset({"meta", "hr", "line", "path"})

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []
        self.words: list[str] = []
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def parsed(text: str) -> Tags:
    tags = Tags()
    tags.feed(text)
    tags.close()
    assert tags._open == []
    return tags


def test_it_holds_what_the_text_holds(sick: Report) -> None:
    words = " ".join(parsed(to_html([sick])).words)
    for expected in ("sick: C409 overfit", "explained by C409", "stop early", "--set train.patience=5", "optimizer.lr"):
        assert expected in words
    for expected in ("G303", "dlcheck watch SCRIPT", "X901", "2 findings; 2 clean; 3 not checked; 1 crashed"):
        assert expected in words


def test_it_needs_nothing_from_elsewhere(sick: Report) -> None:
    text = to_html([sick])
    tags = parsed(text).names
    assert {"link", "img", "iframe", "object", "form"}.isdisjoint(tags)
    assert tags.count("script") == 1
    outside = text.replace("http://www.w3.org/2000/svg", "")  # a name, never loaded
    assert not re.search(r"https?:|url\(|@import|src=|fetch\(|XMLHttpRequest|import\(", outside)
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


def test_words_of_the_user_are_never_markup(hostile: Report) -> None:
    text = to_html([hostile])
    assert parsed(text).names.count("script") == 1
    assert "<script>alert" not in text
    assert "\x1b" not in text
    assert "&lt;script&gt;" in text


def test_the_numbers_of_each_curve_lie_beside_it(sick: Report) -> None:
    charts = [json.loads(html.unescape(found)) for found in re.findall(r'data-chart="([^"]*)"', to_html([sick]))]
    assert [one["name"] for one in charts[0]["series"]] == ["train_loss", "val_loss"]
    assert charts[0]["series"][1]["y"][3] == 0.5
    assert charts[0]["marks"] == [{"name": "C409 overfit", "x": 4.0}]
    assert charts[0]["x_label"] == "epoch"


def test_a_long_curve_keeps_its_spikes_and_its_gaps() -> None:
    y = np.ones(100_000)
    y[70_001], y[30_003] = 50.0, np.nan
    found = re.search(r'data-chart="([^"]*)"', svg_chart("loss", [Series("loss", np.arange(100_000.0), y)]))
    assert found is not None
    (one,) = json.loads(html.unescape(found[1]))["series"]
    assert len(one["x"]) <= 3000
    assert one["y"][one["x"].index(70_001)] == 50
    assert one["y"][one["x"].index(30_003)] is None


def test_of_many_runs_a_table_comes_first(sick: Report, unknown: Report) -> None:
    text = to_html([sick, unknown], [Refused(Path("<b>.csv"), "binary")], top=1)
    words = " ".join(parsed(text).words)
    assert "2 runs: 1 sick, 0 healthy, 1 unknown" in words
    assert '<a href="#run-1">runs/digits</a>' in text
    assert text.count("<h1") == 2
    assert "<td>metrics.csv</td>" in text
    assert "&lt;b&gt;.csv" in text


def test_loss_metric_and_rate_are_drawn_and_the_finding_marked(sick: Report) -> None:
    text = to_html([sick])
    assert text.count("<svg") == 3
    assert text.count("C409 overfit</text>") == 2
    assert "C411 stopped-late</text>" not in text


def test_a_run_without_curves_is_still_a_document(unknown: Report) -> None:
    tags = parsed(to_html([unknown]))
    assert "svg" not in tags.names
    assert any("too little was measured" in word for word in tags.words)


def paths(text: str) -> list[str]:
    svg = ET.fromstring(re.sub(r"^.*?(<svg.*</svg>).*$", r"\1", text))
    return [element.attrib["d"] for element in svg.iter("path")]


def test_points_lie_where_their_values_are() -> None:
    (path,) = paths(svg_chart("loss", [Series("loss", X, X)]))
    assert path == "M60.0 204.0 L202.0 156.0 L344.0 108.0 L486.0 60.0 L628.0 12.0"


def test_the_largest_numbers_are_drawn() -> None:
    y = np.linspace(-1.0, 1.0, 5) * 1.7e308
    assert paths(svg_chart("loss", [Series("loss", X, y)])) == paths(svg_chart("loss", [Series("loss", X, y / 1e308)]))


def test_a_wide_range_is_drawn_by_its_logarithm() -> None:
    text = svg_chart("loss", [Series("loss", X, 10.0**X)])
    assert "loss (logarithmic)" in text
    assert paths(text) == paths(svg_chart("loss", [Series("loss", X, X)]))


def test_a_value_that_is_not_finite_leaves_a_gap() -> None:
    y = np.array([1.0, np.nan, 2.0, np.inf, 3.0])
    (path,) = paths(svg_chart("loss", [Series("loss", X, y)]))
    assert path.count("M") == 3
    assert "L" not in path


def test_a_single_point_and_nothing_at_all() -> None:
    assert paths(svg_chart("loss", [Series("loss", X[:1], X[:1])])) == ["M344.0 108.0 h0"]
    assert svg_chart("loss", [Series("loss", X, np.full(5, np.nan))]) == ""


@pytest.mark.parametrize("twice", [False, True])
def test_a_run_folder_gets_both_files(sick: Report, tmp_path: Path, twice: bool) -> None:
    folder = RunFolder.create(tmp_path / "digits")
    for _ in range(1 + twice):
        report = write_reports(folder, sick.run, sick.outcome, "sick")
    assert report.source == str(folder.path)
    assert '"schema": "dlcheck.findings/1"' in folder.findings.read_text()
    assert folder.report.read_text().startswith("<!doctype html>")
    assert read_run(folder.path).scalars.empty
