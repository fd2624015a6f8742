"""``dlcheck diagnose`` as a person meets it: what it prints, where it writes, how it refuses."""

import io
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from tests.cli.conftest import Command, Done

EPOCHS = np.arange(60.0)


@pytest.fixture
def dlcheck(command: Command) -> Command:
    """Return a function that diagnoses in an empty folder."""
    return lambda *arguments: command("diagnose", *arguments)


def write(path: str, train: np.ndarray, val: np.ndarray) -> str:
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    rows = [f"{epoch},{a:.6g},{b:.6g}" for epoch, (a, b) in enumerate(zip(train, val, strict=True))]
    file.write_text("\n".join(["epoch,loss,val_loss", *rows]) + "\n", encoding="utf-8")
    return path


def healthy(path: str = "healthy.csv") -> str:
    noise = np.random.default_rng(1).normal(0, 0.01, 60)
    return write(path, 2 * np.exp(-EPOCHS / 8) + 0.3 + noise, 2 * np.exp(-EPOCHS / 8) + 0.35 - noise)


def overfit(path: str = "overfit.csv") -> str:
    noise = np.random.default_rng(2).normal(0, 0.01, 60)
    rising = 0.04 * np.maximum(EPOCHS - 20, 0)
    return write(path, 2 * np.exp(-EPOCHS / 12) + 0.05 + noise, 2 * np.exp(-EPOCHS / 8) + 0.35 + rising + noise)


def nan(path: str = "nan.csv") -> str:
    train = 2 * np.exp(-EPOCHS / 8) + 0.3
    train[40:] = np.nan
    return write(path, train, train + 0.05)


def refused(done: Done, *words: str) -> None:
    """Check for exit status 2 and one line that holds these words."""
    assert done.returncode == 2, done.stderr
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert done.stdout == ""
    for word in ("dlcheck: ", *words):
        assert word in lines[0]


def codes(done: Done, run: int = 0) -> set[str]:
    return {finding["code"] for finding in json.loads(done.stdout)["runs"][run]["findings"]}


def test_a_sick_run_is_told_verdict_first(dlcheck: Command) -> None:
    done = dlcheck(overfit())
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "overfit.csv"
    assert lines[1].startswith("sick: C409 overfit")
    assert max(map(len, lines)) <= 80
    assert any("│ C409 overfit" in line for line in lines)
    assert lines[-1] == "next: dlcheck explain C409"
    assert "\x1b" not in done.stdout


def test_a_dumb_terminal_gets_plain_characters(
    dlcheck: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("FORCE_COLOR", "1")
    text = dlcheck(overfit()).stdout
    chart = [line for line in text.splitlines() if line.strip().startswith(("+", "|"))]
    assert chart
    assert all(line.isascii() for line in chart)


def test_the_exit_status_is_that_of_fail_on(dlcheck: Command) -> None:
    assert dlcheck(nan()).returncode == 1
    assert dlcheck("nan.csv", "--fail-on", "never").returncode == 0
    assert dlcheck(overfit()).returncode == 0
    assert dlcheck("overfit.csv", "--fail-on", "warning").returncode == 1
    assert dlcheck("overfit.csv", "--fail-on", "warning", "--ignore", "C409").returncode == 0


def test_select_and_ignore_take_prefixes_and_commas(dlcheck: Command) -> None:
    nan()
    done = json.loads(dlcheck("nan.csv", "--format", "json", "--select", "C401,R7", "--ignore", "R701").stdout)
    (run,) = done["runs"]
    looked = {*run["clean"], *(item["code"] for item in run["findings"] + run["not_checked"])}
    assert "C401" in looked
    assert looked <= {code for code in looked if code == "C401" or code.startswith("R7")} - {"R701"}
    refused(dlcheck("nan.csv", "--select", "C999"), "C999", "no such rule")


def test_the_project_sets_what_the_command_leaves_open(dlcheck: Command, tmp_path: Path) -> None:
    overfit()
    (tmp_path / "pyproject.toml").write_text('[tool.dlcheck]\nfail-on = "warning"\n')
    assert dlcheck("overfit.csv").returncode == 1
    assert dlcheck("overfit.csv", "--fail-on", "error").returncode == 0
    (tmp_path / "pyproject.toml").write_text("[tool.dlcheck.thresholds.C409]\nrise = 1000.0\n")
    assert "C409" not in codes(dlcheck("overfit.csv", "--format", "json"))
    (tmp_path / "pyproject.toml").write_text("[tool.dlcheck.thresholds.C409]\nrice = 1\n")
    refused(dlcheck("overfit.csv"), "C409", "rice", "rise")
    (tmp_path / "pyproject.toml").write_text("[tool.dlcheck]\nselct = []\n")
    refused(dlcheck("overfit.csv"), "pyproject.toml", "selct", "select")


def test_json_is_strict_and_holds_the_schema(dlcheck: Command) -> None:
    done = dlcheck(nan(), "--format", "json")
    content = json.loads(done.stdout, parse_constant=lambda word: pytest.fail(f"bare {word}"))
    assert set(content) == {"schema", "runs"}
    assert content["schema"] == "dlcheck.findings/1"
    (run,) = content["runs"]
    assert set(run) == {"source", "format", "verdict", "findings", "clean", "not_checked", "crashed"}
    (found,) = [item for item in run["findings"] if item["code"] == "C401"]
    assert (run["source"], run["verdict"], found["where"]["epoch"]) == ("nan.csv", "sick", 40)


@pytest.mark.parametrize(
    ("format_", "begin"),
    [("markdown", "### `nan.csv`"), ("github", "::error title=C401"), ("sarif", "{"), ("html", "<!doctype html>")],
)
def test_every_format_goes_out_or_into_a_new_file(dlcheck: Command, format_: str, begin: str) -> None:
    nan()
    done = dlcheck("nan.csv", "--format", format_)
    assert done.stdout.startswith(begin)
    written = dlcheck("nan.csv", "--format", format_, "--output", "report")
    assert (written.returncode, written.stdout) == (1, "")
    assert Path("report").read_text(encoding="utf-8") == done.stdout
    refused(dlcheck("nan.csv", "--output", "report"), "report", "exists already")


def test_many_runs_make_a_table_and_bad_files_do_not_stop_them(dlcheck: Command) -> None:
    healthy("runs/a/log.csv")
    overfit("runs/b/log.csv")
    nan("runs/c/log.csv")
    Path("bad.csv").write_bytes(b"")
    done = dlcheck("runs", "bad.csv")
    assert done.returncode == 1
    assert done.stdout.startswith("3 runs: 2 sick, 1 healthy, 0 unknown; 1 not read\n")
    order = [done.stdout.index(f"runs/{name}/log.csv") for name in "cba"]
    assert order == sorted(order)
    assert "bad.csv: " in done.stdout
    content = json.loads(dlcheck("runs", "bad.csv", "--format", "json").stdout)
    assert len(content["runs"]) == 3
    assert [item["source"] for item in content["refused"]] == ["bad.csv"]
    assert "runs/b" not in dlcheck("runs", "--top", "1").stdout


def test_globs_are_searched(dlcheck: Command) -> None:
    healthy("x/1.csv")
    overfit("x/2.csv")
    assert len(json.loads(dlcheck("x/*.csv", "--format", "json").stdout)["runs"]) == 2


@pytest.mark.parametrize(
    "content", [b"", b"\x00\xff" * 500, b'{"log_history": [', b"\x80\x04\x95\x0f\x00\x00\x00", b"name,colour\na,red\n"]
)
def test_what_is_no_log_is_refused_in_a_line(dlcheck: Command, content: bytes) -> None:
    Path("bad").write_bytes(content)
    refused(dlcheck("bad"), "bad: ")


def test_what_is_not_there_is_refused(dlcheck: Command) -> None:
    refused(dlcheck("nothing.csv"), "nothing.csv")
    Path("empty").mkdir()
    refused(dlcheck("empty"), "empty")
    refused(dlcheck(healthy(), "--reader", "nope"), "nope")
    refused(dlcheck("healthy.csv", "--map", "val_loss"), "--map val_loss", "SIGNAL=COLUMN")
    refused(dlcheck("healthy.csv", "--idle", "3"), "--follow")


def test_a_column_can_be_named(dlcheck: Command) -> None:
    text = Path(overfit()).read_text().replace("val_loss", "strange")
    Path("odd.csv").write_text(text)
    assert "C409" not in codes(dlcheck("odd.csv", "--format", "json"))
    assert "C409" in codes(dlcheck("odd.csv", "--format", "json", "--map", "val_loss=strange"))
    assert "column: strange -> val/loss" in dlcheck("odd.csv", "--verbose", "--map", "val_loss=strange").stdout


def test_standard_input_is_read(dlcheck: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    content = Path(nan()).read_bytes()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    done = dlcheck("-", "--format", "json")
    assert json.loads(done.stdout)["runs"][0]["source"] == "standard input"
    assert "C401" in codes(done)


def test_words_in_a_log_are_never_obeyed(dlcheck: Command) -> None:
    evil = "\x1b[31m<script>alert(1)</script>_loss"
    text = Path(overfit()).read_text().replace("val_loss", f"val_loss,{evil}")
    lines = [text.splitlines()[0], *(f"{line},1.5" for line in text.splitlines()[1:])]
    Path("<b>@x.csv").write_text("\n".join(lines))
    for format_ in ("text", "markdown", "github", "html"):
        out = dlcheck("<b>@x.csv", "--format", format_, "--verbose").stdout
        assert "\x1b" not in out
        assert format_ != "html" or "<script>alert" not in out
    assert "<b>@x" not in dlcheck("<b>@x.csv", "--format", "html").stdout


def test_a_refusal_shows_escapes_without_obeying_them(dlcheck: Command) -> None:
    Path("a\x1b[2J.csv").write_text("\x1b[31mname,\x07colour\na,1\nb,2\n")
    done = dlcheck("a\x1b[2J.csv")
    refused(done, "a\\x1b[2J.csv")
    assert "\x1b" not in done.stderr
    assert "\x07" not in done.stderr


@pytest.mark.parametrize("format_", ["text", "json", "markdown", "github", "sarif", "html"])
def test_gigantic_numbers_are_reported(dlcheck: Command, format_: str) -> None:
    write("big.csv", 10.0 ** (248 + EPOCHS), (-1.0) ** EPOCHS * 1.7e308)
    done = dlcheck("big.csv", "--format", format_, "--fail-on", "never")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_live_log_is_followed_until_it_rests(dlcheck: Command) -> None:
    nan()
    done = dlcheck("nan.csv", "--follow", "--idle", "0", "--interval", "0.05")
    assert done.returncode == 1
    told, _, rest = done.stdout.partition("\n")
    assert told.endswith("and was so at the end") or "C401 nan-loss (error, 99% sure)" in told
    assert "sick: " in rest


def test_following_prints_a_line_of_json_a_finding(dlcheck: Command) -> None:
    done = dlcheck(nan(), "--follow", "--idle", "0", "--interval", "0.05", "--fail-fast", "--format", "json")
    first, _, rest = done.stdout.partition("\n")
    found = json.loads(first)
    assert (found["event"], found["finding"]["code"]) == ("found", "C401")
    assert json.loads(rest)["schema"] == "dlcheck.findings/1"


def test_html_of_a_live_log_needs_a_file(dlcheck: Command) -> None:
    refused(dlcheck(nan(), "--follow", "--format", "html"), "--output")
    refused(dlcheck("-", "--follow"), "standard input")


@contextmanager
def spawned(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Start the command, and end it whatever happens."""
    command = [sys.executable, "-m", "dlcheck", "diagnose", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def test_fail_fast_ends_a_growing_log_at_its_first_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    lines = Path(nan()).read_text().splitlines(keepends=True)
    live = tmp_path / "live.csv"
    live.write_text("".join(lines[:20]))
    with spawned("live.csv", "--follow", "--interval", "0.05", "--fail-fast") as process:
        time.sleep(1.0)
        assert process.poll() is None
        with live.open("a") as file:
            file.write("".join(lines[20:]))
        out, err = process.communicate(timeout=20)
    assert process.returncode == 1, err
    assert "C401 nan-loss" in out.splitlines()[0]


def test_ctrl_c_ends_with_what_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with spawned(nan(), "--follow", "--interval", "0.05") as process:
        assert process.stdout is not None
        assert "C401" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert process.returncode == 130, err
    assert "sick: " in out


@pytest.mark.parametrize("format_", ["text", "json", "markdown", "github", "sarif", "html"])
def test_nothing_heavy_loads_on_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, format_: str) -> None:
    monkeypatch.chdir(tmp_path)
    program = f"""
import sys
from dlcheck.cli.app import run
run(["diagnose", {overfit()!r}, "--format", {format_!r}, "--output", "out"])
heavy = ("torch", "torchvision", "optuna", "sklearn", "scipy", "matplotlib", "plotext", "dlcheck.recipe", "tomlkit")
print([name for name in heavy if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
