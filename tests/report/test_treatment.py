"""The reports of a treatment: the verdict first, the proof in numbers, nothing of the user's side obeyed."""

import io
import json
import math
import re
from dataclasses import replace

import pytest
from rich.console import Console

from dlcheck.report import Report
from dlcheck.report.html.treatment import treatment_html
from dlcheck.report.treated import Attempt, Change, Ending, Fate, Proof, Round, Treated, Yours
from dlcheck.report.treatment import render_treatment
from dlcheck.report.treatment_json import treatment_json
from dlcheck.report.treatment_words import attempt_line, proof_line, shown
from tests.report.pages import chart, curve, titles, words
from tests.report.treatments import ATTEMPTS, CURED, HIGH, NAN, RATE, REVIVED, ROWS, SURE, TREATMENTS, proof

LONGEST = 40
"""Lines of the text."""


def text_of(treated: Treated, *, width: int = 100, encoding: str = "utf-8", colour: bool = False) -> str:
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding=encoding)
    console = Console(file=file, width=width, force_terminal=colour, no_color=not colour, _environ={})
    render_treatment(treated, console)
    file.flush()
    return raw.getvalue().decode(encoding)


def words_of(treated: Treated) -> str:
    return words(treatment_html(treated))


@pytest.mark.parametrize("name", TREATMENTS)
def test_the_verdict_comes_first_and_the_place_last(name: str) -> None:
    lines = text_of(TREATMENTS[name]).splitlines()
    assert lines[0] == "digits-mlp"
    assert lines[1][:1].strip()
    assert lines[-2].startswith("folder: dlcheck-runs/digits-mlp-treat (report.html")
    assert lines[-1].startswith("next: ")
    assert len(lines) <= LONGEST


def test_a_cure_in_full() -> None:
    expected = """digits-mlp
cured
   validation accuracy +4.1 points, 95 % interval 2.9 to 5.3, 5 seeds
   validation accuracy by seed: 92.1 % to 96.2 %, 93.0 % to 97.0 %, 91.8 % to 96.4 %, 92.5 % to
     96.1 %, 92.0 % to 96.2 %
   was C404 learning-rate-too-high from epoch 2, now healthy

   --- digits-mlp.toml
   +++ cured.toml
   @@ -1,3 +1,4 @@
    [optimizer]
   -lr = 30.0
   +# dlcheck treat: was 30.0; C404 learning-rate-too-high
   +lr = 0.05

C404 learning-rate-too-high: tried
   - clip the gradient (train.clip_norm = 1) - no better; validation accuracy +0.3 points, 95 %
     interval -6.0 to 6.5, 2 seeds
   - a warm-up (schedule.warmup = 100) - lost the short runs: others were ahead; 0.4 after 25% of a
     training
   - half precision off - died: its loss was not finite
   + a tenth of the rate (optimizer.lr = 0.05) - kept; the rate from lr-find; validation accuracy
     +4.1 points, 95 % interval 2.9 to 5.3, 5 seeds

note: augmentation was not examined
cost: 12.4 trainings (1.0 diagnosis, 0.4 search, 1.0 short runs, 10.0 proof), 61 s
folder: dlcheck-runs/digits-mlp-treat (report.html, cured.toml, cured.diff)
next: dlcheck train dlcheck-runs/digits-mlp-treat/cured.toml
"""
    assert text_of(CURED) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("healthy", ["healthy: nothing to treat", "next: nothing to mend"]),
        ("improved", ["improved, but not healthy yet", "now C409 overfit from epoch 7", "12 samples: dlcheck-runs"]),
        ("revived", ["2 of 2 trainings died before, none after", "died to 95.0 %"]),
        ("not-cured", ["not cured", "only hides it: C409 is not found any more", "next: dlcheck explain C409"]),
        ("yours", ["yours to fix: no key", "take these out of one of the two", "D106.csv"]),
        ("planned", ["to try, in this order", "1. a tenth of the rate (optimizer.lr = 0.05)", "without --dry-run"]),
        ("budget", ["out of budget", "and a larger --budget"]),
        ("interrupted", ["interrupted", "next: the same command with --run-dir dlcheck-runs/digits-mlp-treat"]),
        ("error-metric", ["validation mae -20.4, 95 % interval -24 to -16.9, 2 seeds", "70.1 to 49.9"]),
    ],
)
def test_each_ending_tells_what_matters(name: str, expected: list[str]) -> None:
    text = text_of(TREATMENTS[name])
    for said in expected:
        assert said in text


def test_the_page_holds_what_the_text_holds() -> None:
    said = words_of(TREATMENTS["improved"])
    for expected in ("improved, but not healthy yet", proof_line(SURE), "optimizer.lr = 0.05", "no better", "D106.csv"):
        assert expected in said
    for expected in ("Before and after", "validation loss before", "training loss after", "The whole difference"):
        assert expected in said
    for one in ATTEMPTS:
        assert one.remedy in said


@pytest.mark.parametrize("name", TREATMENTS)
def test_every_page_is_whole_and_needs_nothing_else(name: str) -> None:
    page = treatment_html(TREATMENTS[name])
    words_of(TREATMENTS[name])
    body = re.sub(r"<script.*?</script>", "", page, flags=re.S)
    assert "style=" not in body  # the policy in its head would not allow it
    assert not re.search(r"(src|href)=", body)


def test_curves_before_and_after_share_a_chart() -> None:
    page = treatment_html(CURED).partition("Before and after")[2]
    score = chart(page, "validation accuracy")
    assert len(curve(score, 0)) == len(curve(score, 1)) > 1
    assert score["data"]["marks"]["name"] == ["C404 learning-rate-too-high"]  # where it began


def test_the_interval_lies_beside_no_difference() -> None:
    found = chart(treatment_html(CURED), "difference in validation accuracy, points")["data"]
    (low,), (mean,), (high,) = (found["interval"][name] for name in ("low", "mean", "high"))
    assert (low, mean, high) == (
        pytest.approx(100 * SURE.low),
        pytest.approx(100 * SURE.difference),
        pytest.approx(100 * SURE.high),
    )
    assert 0 < low < mean < high
    assert found["pairs"]["value"] == [
        pytest.approx(100 * (new - old)) for old, new in zip(SURE.before, SURE.after, strict=True)
    ]


def test_of_an_error_the_page_says_which_side_is_better() -> None:
    assert "validation mae, less is better" in words_of(TREATMENTS["error-metric"])
    assert "less is better" not in words_of(CURED)


@pytest.mark.parametrize("one", [REVIVED, proof((0.1,), (0.9,), NAN, NAN, better=False)])
def test_without_an_interval_none_is_drawn(one: Proof) -> None:
    assert not any("difference" in title for title in titles(treatment_html(replace(CURED, proof=one))))


def test_words_of_the_user_are_neither_markup_nor_escapes(hostile: Report) -> None:
    evil = hostile.source
    change = Change(evil, evil, [evil], evil)
    attempt = Attempt(evil, (change,), Fate.KEPT, evil, evil, proof=SURE)
    finding = replace(HIGH, name=evil, summary=evil)
    treated = replace(
        CURED,
        name=evil,
        before=hostile,
        after=hostile,
        rounds=(Round(finding, (attempt,)),),
        plan=(),
        changes=(change,),
        yours=(replace(ROWS, finding=finding, text=evil),),
        notes=(evil,),
        diff=f"+{evil}\n",
    )
    for text in (text_of(treated), text_of(replace(treated, plan=(attempt,)))):
        assert "\x1b" not in text
        assert "\x07" not in text
        assert "[bold]" in text
    page = treatment_html(treated)
    assert "<script>alert" not in page
    assert "\x1b" not in page
    words_of(treated)
    json.loads(treatment_json(treated))


def test_a_terminal_without_unicode_gets_ascii() -> None:
    long = replace(CURED, notes=tuple(f"nötig ± {place} → «x»" for place in range(9)))
    text = text_of(long, encoding="ascii")
    assert "note: notig +/- 0 -> ?x?" in text
    assert "... 6 more notes, in report.html" in text


def test_colour_never_carries_meaning_alone() -> None:
    coloured = text_of(CURED, colour=True)
    assert "\x1b[" in coloured
    assert re.sub(r"\x1b\[[\d;]*m", "", coloured) == text_of(CURED)


def test_a_long_treatment_is_cut_and_says_so() -> None:
    long = replace(
        CURED,
        rounds=(Round(HIGH, ATTEMPTS * 8), Round(HIGH, ATTEMPTS)),
        changes=tuple(replace(RATE, path=f"optimizer.key{place}") for place in range(20)),
        yours=tuple(Yours(HIGH, "look at it yourself") for _ in range(9)),
    )
    text = text_of(replace(long, diff="+lr = 1\n" * 99))
    assert len(text.splitlines()) <= LONGEST + 3
    for cut in (
        "more attempts, in report.html",
        "1 more findings",
        "7 more of yours to fix",
        "87 more lines, in cured.diff",
    ):
        assert cut in text
    without = text_of(replace(long, diff=""))
    assert "   optimizer.key0 = 0.05 (was 30)\n" in without
    assert "14 more keys, in report.html" in without
    assert treatment_html(long).count("<article") > 36


@pytest.mark.parametrize("name", TREATMENTS)
def test_json_is_strict_and_has_every_key(name: str) -> None:
    text = treatment_json(TREATMENTS[name])
    content = json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    assert content["schema"] == "dlcheck.treatment/1"
    assert content["ending"] == TREATMENTS[name].ending.value
    assert set(content) == {
        *("schema", "name", "source", "folder", "ending", "metric", "greater_is_better", "proof", "changes", "rounds"),
        *("plan", "yours", "cured", "diff", "cost", "costs", "seconds", "notes", "before", "after"),
    }


def test_json_tells_what_the_proof_rests_on() -> None:
    content = json.loads(treatment_json(CURED))
    assert content["proof"]["after"] == list(SURE.after)
    assert content["proof"]["level"] == 0.95
    assert content["changes"][0] == {"path": "optimizer.lr", "old": 30.0, "new": 0.05, "why": RATE.why}
    attempt = content["rounds"][0]["attempts"][3]
    assert attempt["fate"] == "kept"
    assert attempt["short"] == [{"share": 0.25, "score": 0.8}]
    assert content["rounds"][0]["finding"]["code"] == "C404"


def test_json_has_null_for_a_training_that_died() -> None:
    content = json.loads(treatment_json(replace(CURED, proof=REVIVED)))
    assert content["proof"]["before"] == [None, None]
    assert content["proof"]["difference"] is None
    assert content["proof"]["difference_state"] == "nan"


def test_one_seed_has_no_interval() -> None:
    assert proof_line(proof((0.1,), (0.9,), NAN, NAN, better=False)) == (
        "validation accuracy +80.0 points, no interval yet, 1 seed"
    )


def test_deaths_on_either_side_are_told() -> None:
    told = proof_line(proof((NAN, 0.5), (0.9, NAN), NAN, NAN, better=False))
    assert told.endswith("; 1 of 2 trainings died before, 1 after")
    assert not math.isfinite(proof((NAN, 0.5), (0.9, NAN), NAN, NAN, better=False).difference)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(None, "not set"), (True, "true"), (1e-05, "1e-05"), ([0.9, 0.999], "[0.9, 0.999]"), ("adam", "adam"), (3, "3")],
)
def test_values_are_short(value: str | float | bool | list[object] | None, expected: str) -> None:
    assert shown(value) == expected


def test_a_planned_attempt_has_no_fate() -> None:
    planned = Attempt("lower the rate", (RATE,), Fate.NOT_TRIED)
    assert attempt_line(planned) == "lower the rate (optimizer.lr = 0.05)"


def test_every_ending_has_a_title_and_is_shown() -> None:
    assert {treated.ending for treated in TREATMENTS.values()} == set(Ending)
