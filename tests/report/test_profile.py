"""A profile in the terminal, as HTML and as JSON: the same numbers, whole, escaped, and never long."""

import json
import math
import re
from dataclasses import replace
from html.parser import HTMLParser
from io import BytesIO, StringIO, TextIOWrapper
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Console

from dlcheck.report import Report, to_html
from dlcheck.report.html.profile import profile_html
from dlcheck.report.profile import render_profile
from dlcheck.report.profile_json import FACTS, profile_json
from dlcheck.report.profile_words import count, flops, percent, size, span, times
from dlcheck.rules import diagnose, verdict
from dlcheck.runs.facts import Ceilings, DeviceUse, Fact, LoaderSweep, Rate, Site
from dlcheck.runs.facts.profile import PARTS
from tests.report.pages import chart, charts
from tests.rules.examples_speed import (
    COMPUTING,
    DECODE_BOUND,
    GPU,
    HEALTHY_CPU,
    LAUNCH_BOUND,
    NO_WORKERS,
    PRECISE,
    SYNC_BOUND,
    WHOLE,
    loader,
)
from tests.rules.examples_speed import times as step_times
from tests.rules.fact_runs import fact_run
from tests.runs.fact_values import RECORDS

EVIL = "\x1b[31m<script>alert(1)</script>\"'&[bold]"
ALL: tuple[Fact, ...] = (*LAUNCH_BOUND, *HEALTHY_CPU[-2:], NO_WORKERS)


def report_of(*facts: Fact, recipe: bool = True, source: str = "cats-vs-dogs", then: str = "") -> Report:
    run = fact_run(*facts, recipe=recipe)
    outcome = diagnose(run, select=["P"])
    assert outcome.crashed == ()
    return Report(source, run, outcome, verdict(outcome), then=then)


def text_of(report: Report, width: int = 100, *, colour: bool = False) -> str:
    file = StringIO()
    render_profile(report, Console(width=width, file=file, force_terminal=colour, legacy_windows=False))
    return file.getvalue()


class Cells(HTMLParser):
    """Collects the rows of all tables, and refuses an element that is not closed where it should be."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "hr"):
            self._open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in ("rect", "path", "line", "circle")

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open[-1:] in (["td"], ["th"]):
            self.rows[-1][-1] += data


def rows_of(text: str) -> list[list[str]]:
    cells = Cells()
    cells.feed(text)
    cells.close()
    assert cells._open == []
    rows = [[cell for cell in row if cell] for row in cells.rows]
    return [row for row in rows if row]


def number(words: str) -> float:
    """Return what a number with its unit stands for, in the units of JSON."""
    value, _, unit = words.replace(",", "").partition(" ")
    if value.endswith("%"):
        return float(value[:-1]) / 100
    units = {"ms": 1e-3, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "GFLOP/s": 1e9, "TFLOP/s": 1e12}
    return float(value) * units.get(unit, 1.0)


@pytest.mark.parametrize("kind", WHOLE)
def test_the_verdict_stands_first_and_all_fits_on_a_screen(kind: str) -> None:
    report = report_of(*WHOLE[kind])
    lines = text_of(report).splitlines()
    bound = json.loads(profile_json(report))["bound"]
    assert bound["kind"] == kind
    assert lines[0] == "cats-vs-dogs"
    assert " ".join(line.strip() for line in lines[1:4]).startswith(lines[1].split(":")[0])
    assert bound["words"] in " ".join(" ".join(lines[1:5]).split())
    assert len(lines) <= 42
    assert max(map(len, lines)) <= 100
    assert lines[-1].startswith("next: ") or lines[-2].startswith("next: ")


WHOLE_TEXT = """\
cats-vs-dogs
sync-bound: 52% of the time goes into Tensor.item, at which the host waits for the device
without it 2.08 times as fast (by its share of the time)

a step takes 23.3 ms (95th percentile 28.0 ms) for 32 samples on cuda:0; 40 steps timed
   ▒▒░░╱████████████▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▓▚▚▚▚·········································|
     part                     median  95th percentile  share  on the device
   ▒ waiting for the batch  0.500 ms         0.600 ms     2%              -
   ░ taking the batch       0.500 ms         0.600 ms     2%              -
   ╱ copy to the device     0.300 ms         0.360 ms     1%       0.200 ms
   █ forward pass            3.00 ms          3.60 ms    13%        3.00 ms
   ▓ backward pass           4.00 ms          4.80 ms    17%        6.00 ms
   ▚ optimizer               1.00 ms          1.20 ms     4%        1.00 ms
   · other, in the step      14.0 ms          16.8 ms    60%              -
"""


def test_the_beginning_as_a_whole() -> None:
    written = text_of(report_of(*SYNC_BOUND), 95).splitlines()
    expected = WHOLE_TEXT.splitlines()
    assert written[:5] == expected[:5]
    assert written[6 : len(expected)] == expected[6:]


@pytest.mark.parametrize("width", [60, 80, 100])
def test_the_bar_is_as_wide_as_the_terminal_and_each_part_as_its_share(width: int) -> None:
    (bar,) = [line for line in text_of(report_of(*SYNC_BOUND), width).splitlines() if re.match("   ▒+░", line)]
    drawn = bar.strip()
    assert len(drawn) == width - 6
    assert drawn.count("·") == pytest.approx(14 / 23.3 * len(drawn), abs=1)
    assert drawn.count("█") == pytest.approx(3 / 23.3 * len(drawn), abs=1)


@pytest.mark.parametrize("kind", WHOLE)
def test_numbers_of_the_step_are_those_of_the_json_in_every_format(kind: str) -> None:
    report = report_of(*WHOLE[kind])
    known = {part["name"]: part for part in json.loads(profile_json(report))["facts"]["step_times"]["parts"]}
    shown = [part for part in known.values() if part["share"] > 0]
    text, rows = text_of(report), rows_of(profile_html(report))
    head = next(place for place, row in enumerate(rows) if row[:2] == ["part", "median"])
    for part, row in zip(shown, rows[head + 1 :], strict=False):
        assert number(row[1]) == pytest.approx(part["median_s"], rel=0.005)
        assert number(row[2]) == pytest.approx(part["p95_s"], rel=0.005)
        assert number(row[3]) == pytest.approx(part["share"], abs=0.00501)
        (line,) = [line for line in text.splitlines() if line[5:].startswith(row[0])]
        assert [cell.strip() for cell in re.split(r"\s{2,}", line[5:])] == row


def test_other_numbers_are_those_of_the_json() -> None:
    report = report_of(*DECODE_BOUND)
    content = json.loads(profile_json(report))
    rows, text = rows_of(profile_html(report)), " ".join(text_of(report).split())
    facts, found = content["facts"], content["bound"]
    (now,) = [row for row in rows if row[0] == "as it is"]
    assert number(now[1]) == pytest.approx(facts["ceilings"]["now"]["value"], rel=0.005)
    assert f"now {now[1]} samples/s" in text
    assert f"without it {found['gain']['value']:.2f} times as fast" in text
    assert f"{found['share']:.0%} of the time" in text
    sweep = facts["loader_sweep"]
    (best,) = [row for row in rows if row[-1] == "best"]
    assert number(best[2]) == pytest.approx(sweep["trials"][sweep["best"]]["measured_s"], rel=0.005)
    assert f"{sweep['gain']:.2f} times as fast (95 % interval {sweep['gain_low']:.2f} to" in text
    (total,) = [row for row in rows if row[0] == "together"]
    assert number(total[1]) == pytest.approx(facts["memory_need"]["total"], rel=0.005)
    assert f"memory: {total[1]}" in text
    (device,) = [row for row in rows if row[0].startswith("CPU, 8 cores")]
    assert number(device[1]) == pytest.approx(facts["device_use"]["device"]["matmul_flops"], rel=0.005)


def test_every_finding_of_the_json_is_in_the_others_with_its_confidence() -> None:
    for facts in WHOLE.values():
        report = report_of(*facts)
        for finding in json.loads(profile_json(report))["findings"]:
            if finding["code"] == "P511":
                continue
            told = f"{finding['code']} {finding['name']}"
            sure = f"{finding['severity']}, {finding['confidence']:.0%} sure"
            assert f"{told}  {sure}" in text_of(report)
            severity = finding["severity"]
            assert f"{severity}</span> {told} <small>{finding['confidence']:.0%} sure" in profile_html(report)


def test_json_has_every_fact_and_null_for_what_was_not_measured() -> None:
    content = json.loads(profile_json(report_of(*SYNC_BOUND)))
    assert content["schema"] == "dlcheck.profile/1"
    assert set(content["facts"]) == {kind.NAME for kind in FACTS}
    assert content["facts"]["loader_sweep"] is None
    assert content["facts"]["syncs"]["points"][0]["site"] == {"file": "train.py", "line": 58}
    assert content["bound"]["gain"]["measured"] is False
    endings = [item["code"] for key in ("findings", "not_checked", "crashed") for item in content[key]]
    assert len({*endings, *content["clean"]}) == 16


def test_a_number_that_is_none_is_null_with_its_state() -> None:
    broken = Ceilings(Rate(math.nan, 1.0, math.inf))
    now = json.loads(profile_json(report_of(step_times(COMPUTING), broken)))["facts"]["ceilings"]["now"]
    assert (now["value"], now["value_state"]) == (None, "nan")
    assert (now["high"], now["high_state"]) == (None, "inf")


def test_what_the_profile_says_of_itself_is_told() -> None:
    report = report_of(*DECODE_BOUND)
    noted = replace(report, run=replace(report.run, facts={**report.run.facts, "notes": ["no time <b>was left"]}))
    assert "   note: no time <b>was left\n" in text_of(noted)
    assert "Note: no time &lt;b&gt;was left" in profile_html(noted)
    assert json.loads(profile_json(noted))["notes"] == ["no time <b>was left"]
    assert json.loads(profile_json(report))["notes"] == []


def test_what_was_found_in_order_is_told() -> None:
    text = " ".join(text_of(report_of(*HEALTHY_CPU)).split())
    assert "in order: loading, beginnings of epochs, threads and cores" in text
    assert "shared memory (90 MiB of 7.81 GiB)" in text
    assert "P511" not in text
    assert "not checked, not measured here: P507" in text
    assert text.endswith("next: nothing to mend")


def test_rules_of_other_families_are_one_line() -> None:
    run = fact_run(*HEALTHY_CPU)
    outcome = diagnose(run)
    lines = text_of(Report("x", run, outcome, verdict(outcome))).splitlines()
    told = [line for line in lines if "a profile does not show what they judge" in line]
    assert len(told) == 1
    assert len(lines) <= 45


@pytest.mark.parametrize(
    ("report", "said"),
    [
        (report_of(*DECODE_BOUND), "next: dlcheck profile-gpu cats-vs-dogs --write"),
        (report_of(*DECODE_BOUND, recipe=False), "next: give the DataLoader num_workers=6, persistent_workers=True"),
        (report_of(*SYNC_BOUND), "next: dlcheck explain P504"),
        (report_of(*WHOLE["inconclusive"]), "next: the same again when the machine is quieter"),
        (report_of(*DECODE_BOUND, then="dlcheck train new.toml"), "next: dlcheck train new.toml"),
    ],
)
def test_the_last_line_says_what_to_do_next(report: Report, said: str) -> None:
    assert said in " ".join(text_of(report).split())
    assert said in profile_html(report)


def test_colour_adds_nothing_but_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    report = report_of(*ALL)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    coloured = text_of(report, colour=True)
    assert "\x1b[" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == text_of(report)
    monkeypatch.setenv("NO_COLOR", "1")
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]", text_of(report, colour=True))


@pytest.mark.parametrize("kind", WHOLE)
def test_a_terminal_of_ascii_gets_ascii(kind: str) -> None:
    raw = BytesIO()
    file = TextIOWrapper(raw, encoding="ascii", errors="strict")
    render_profile(report_of(*WHOLE[kind]), Console(width=90, file=file, legacy_windows=False))
    file.flush()
    text = raw.getvalue().decode("ascii")
    assert "?" not in text
    signs = [line for line in text.splitlines() if re.fullmatch(r"   [w.c#=o+-]{60,}", line)]
    assert len(signs) == 1


def hostile() -> Report:
    site = Site(EVIL, 3)
    steps = step_times({**COMPUTING, "outside": 90.0}, gap_site=site, optimizer=EVIL, device=f"cpu{EVIL}")
    made = loader(dataset=EVIL, note=EVIL, fetch_site=site, loader_site=site)
    sweep = replace(NO_WORKERS, note=EVIL, trials=tuple(replace(one, skipped=EVIL) for one in NO_WORKERS.trials))
    trials = replace(PRECISE, trials=tuple(replace(one, name=EVIL, note=EVIL) for one in PRECISE.trials))
    use = DeviceUse(replace(GPU, name=EVIL, dtype=EVIL), replace(GPU, name=EVIL), note=EVIL)
    return report_of(steps, made, sweep, trials, use, *HEALTHY_CPU[-2:], source=EVIL)


def test_words_of_the_users_side_are_neither_markup_nor_escapes() -> None:
    text, page = text_of(hostile()), profile_html(hostile())
    assert all(char.isprintable() or char == "\n" for char in text)
    assert "\\x1b[31m<script>" in text
    assert "\x1b" not in page
    assert "<script>alert" not in page
    rows_of(page)


def test_the_page_loads_nothing_and_has_no_style_of_its_own() -> None:
    page = profile_html(report_of(*ALL))
    assert "default-src 'none'" in page
    body = re.sub(r"<script.*?</script>", "", page.partition("<main>")[2], flags=re.S)
    assert not re.search(r"\b(src|href|style)\s*=", body)
    for title in ("Where a step goes", "Making a batch", "How fast it is, and could be", "Settings of the loader"):
        assert f"<h2>{title}</h2>" in body
    for title in ("Other ways to compute", "The device", "The machine"):
        assert f"<h2>{title}</h2>" in body


def test_the_bar_of_the_page_is_whole() -> None:
    report = report_of(*SYNC_BOUND)
    parts = chart(profile_html(report), "parts of a step")["data"]["parts"]
    shares = [part["share"] for part in json.loads(profile_json(report))["facts"]["step_times"]["parts"]]
    assert parts["to"][-1] == pytest.approx(sum(shares), abs=0.01)
    assert parts["from"] == [0, *parts["to"][:-1]]
    assert len(parts["name"]) == len([name for name in PARTS if name != "outside"])


def test_a_run_that_was_profiled_has_the_section_in_its_report() -> None:
    report = report_of(*DECODE_BOUND)
    page = to_html([report])
    assert "<h2>Profile</h2>" in page
    assert "waiting for the batch" in page
    assert "<h2>Profile</h2>" not in to_html([report_of(*HEALTHY_CPU[1:])])


def test_nothing_measured_is_said() -> None:
    report = report_of(PRECISE)
    assert "nothing could be told: no step was timed" in text_of(report)
    assert "nothing could be told" in profile_html(report)
    assert json.loads(profile_json(report))["bound"] is None


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.data())
def test_whatever_was_measured_can_be_shown(data: st.DataObject) -> None:
    kinds = data.draw(st.lists(st.sampled_from(FACTS), min_size=1, max_size=4, unique=True))
    known: dict[str, Any] = {}
    for kind in kinds:
        known |= data.draw(RECORDS[kind.NAME]).as_dict()  # type: ignore[attr-defined]
    base = step_times(COMPUTING).as_dict() if data.draw(st.booleans()) else {}
    run = replace(fact_run(), facts=known | base)
    outcome = diagnose(run, select=["P"])
    assert outcome.crashed == ()
    report = Report("x", run, outcome, verdict(outcome))
    text = text_of(report, 70)
    assert all(char.isprintable() or char == "\n" for char in text)
    page = profile_html(report)
    rows_of(page)
    charts(page)  # each is JSON, which has no NaN
    json.loads(profile_json(report))


def test_long_sweeps_are_cut_in_the_terminal_and_whole_in_the_page() -> None:
    best = DECODE_BOUND[-2]
    assert isinstance(best, LoaderSweep)
    many = replace(best, trials=(*best.trials, *best.trials[1:], *best.trials[1:]))
    report = report_of(step_times(COMPUTING), many)
    text = text_of(report)
    assert len(re.findall(r"^   workers", text, re.M)) == 4
    assert re.search(r"best$", text, re.M)
    rows = [row for row in rows_of(profile_html(report)) if row[0].startswith("workers")]
    assert len(rows) >= len(many.trials)


def test_numbers_in_words() -> None:
    assert [span(value) for value in (None, math.nan, 0.0, 0.00045, 0.0471, 0.47, 0.9996, 1.234, 71.0, 1234.0)] == [
        "-", "-", "0 ms", "0.450 ms", "47.1 ms", "470 ms", "1000 ms", "1.23 s", "71 s", "1,234 s",
    ]  # fmt: skip
    assert [percent(value) for value in (None, 0.0, 0.004, 0.5, 1.0)] == ["-", "0%", "0.4%", "50%", "100%"]
    assert [times(value) for value in (None, 2.5678, 123.4)] == ["-", "2.57", "123"]
    assert [count(value) for value in (None, 1.0, 12.345, 1234.5)] == ["-", "1", "12.3", "1,234"]
    assert [flops(value) for value in (None, 4.4e13, 12.0)] == ["-", "44 TFLOP/s", "12 FLOP/s"]
    assert [size(value) for value in (None, 2**20)] == ["-", "1 MiB"]


@given(st.floats(1.01e-5, 900.0))
def test_a_time_is_told_to_three_digits(seconds: float) -> None:
    words = span(seconds)
    value = float(words.split()[0]) * (1e-3 if words.endswith("ms") else 1.0)
    assert value == pytest.approx(seconds, rel=0.0051)
