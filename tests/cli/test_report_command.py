"""``dlcheck report``: a page for a run or several, their comparison in words and in numbers."""

import json
from pathlib import Path

import pytest

from dlcheck.report.comparison import MOST_CURVES
from tests.cli.conftest import Command
from tests.report.pages import charts, curve, titles, words

HEAD = "epoch,train_loss,val_loss,val_accuracy,lr\n"


def log(path: Path, rates: list[float], *, lr: float = 0.1) -> Path:
    """Write the log of a training whose loss falls by these."""
    rows = [f"{epoch},{2 / rate},{2.2 / rate},{rate / 10},{lr}\n" for epoch, rate in enumerate(rates, start=1)]
    path.write_text(HEAD + "".join(rows))
    return path


@pytest.fixture
def two(command: Command, tmp_path: Path) -> tuple[str, str]:
    """Return the names of two logs in the current folder; the second is the better."""
    log(tmp_path / "a.csv", [1, 2, 3, 4])
    log(tmp_path / "b.csv", [1, 3, 5, 6, 7], lr=0.3)
    return "a.csv", "b.csv"


def test_one_run_becomes_a_page_of_this_folder(command: Command, two: tuple[str, str]) -> None:
    done = command("report", two[0])
    assert done.returncode == 0
    assert "wrote " in done.stderr
    page = Path("dlcheck-report.html").read_text()
    assert words(page).count("a.csv") >= 1
    assert "accuracy" in titles(page)


def test_no_page_is_ever_overwritten(command: Command, two: tuple[str, str]) -> None:
    for _ in range(3):
        assert command("report", two[0]).returncode == 0
    assert sorted(path.name for path in Path().glob("*.html")) == [
        "dlcheck-report-2.html",
        "dlcheck-report-3.html",
        "dlcheck-report.html",
    ]
    refused = command("report", two[0], "--output", "dlcheck-report.html")
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)


def test_several_runs_share_their_charts(command: Command, two: tuple[str, str]) -> None:
    assert command("report", *two, "--output", "both.html").returncode == 0
    page = Path("both.html").read_text()
    first = charts(page)[0]
    assert titles(page)[:3] == ["val_accuracy", "val_loss", "train_loss"]
    assert curve(first, 0) == {1: 0.1, 2: 0.2, 3: 0.3, 4: 0.4}
    assert curve(first, 1)[5] == 0.7
    said = words(page)
    assert "2 runs compared" in said
    assert "one training each" in said


def test_the_numbers_are_those_of_the_logs(command: Command, two: tuple[str, str]) -> None:
    content = json.loads(command("report", *two, "--format", "json").stdout)
    assert content["schema"] == "dlcheck.comparison/1"
    assert content["metric"] == "accuracy"
    assert content["best"] == "b.csv"
    assert [run["best_val_metric"] for run in content["runs"]] == [{"value": 0.4, "at": 4}, {"value": 0.7, "at": 5}]
    assert content["runs"][1]["best_val_loss"]["value"] == pytest.approx(2.2 / 7)


def test_the_table_has_the_runs_in_their_order_and_says_which_is_best(command: Command, two: tuple[str, str]) -> None:
    text = command("report", *reversed(two), "--format", "text").stdout
    lines = text.splitlines()
    assert lines[0].startswith("2 runs compared: ")
    row = next(line for line in lines if line.startswith("1  b.csv"))
    assert " ".join(row.split()[3:]) == "5 epochs 0.3143 (epoch 5) 0.7 (epoch 5) best"
    assert lines.index(row) < next(n for n, line in enumerate(lines) if line.startswith("2  a.csv"))
    assert lines[-1].startswith("next: ")


def test_what_differs_and_what_was_found_is_told(command: Command, tmp_path: Path) -> None:
    for name, rate in (("good", 0.05), ("bad", 30.0)):
        options = ("--set", f"optimizer.lr={rate}", "--set", "train.epochs=3", "--run-dir", str(tmp_path / name))
        assert command("train", "digits-mlp", "--set", "optimizer.name=momentum", *options).returncode in (0, 1)
    content = json.loads(command("report", str(tmp_path / "good"), str(tmp_path / "bad"), "--format", "json").stdout)
    assert content["differing"] == {"optimizer.lr": ["0.05", "30.0"]}
    assert content["best"] == "good"
    assert any(severities[0] == "" and severities[1] for severities in content["findings"].values())


def test_of_many_runs_the_first_have_curves_and_it_says_so(command: Command, tmp_path: Path) -> None:
    for place in range(MOST_CURVES + 2):
        log(tmp_path / f"run{place:02}.csv", [1, 2, 3])
    assert command("report", str(tmp_path / "*.csv"), "--output", str(tmp_path / "all.html")).returncode == 0
    page = (tmp_path / "all.html").read_text()
    assert "curves of the first 8 runs; 2 more are in the table alone" in words(page)
    assert len(page) < 1_500_000


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["absent.csv"], "absent.csv"),
        ([], "RUN"),
        (["a.csv", "--format", "pdf"], "pdf"),
        (["a.csv", "--select", "Z9"], "Z9"),
    ],
)
def test_bad_input_is_one_line(command: Command, two: tuple[str, str], arguments: list[str], told: str) -> None:
    refused = command("report", *arguments)
    assert refused.returncode == 2
    assert told in refused.stderr
    assert refused.stderr.count("\n") == 1
    assert list(Path().glob("*.html")) == []


def test_what_cannot_be_read_is_told_beside_the_rest(command: Command, two: tuple[str, str], tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_bytes(b"\x00\x01")
    done = command("report", two[0], "c.csv", "--format", "json")
    assert done.returncode == 0
    assert "not read: c.csv" in done.stderr
