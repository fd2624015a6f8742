"""The treatment of a script in the terminal and as JSON."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from dlcheck.findings import Finding, Outcome, Severity, Where
from dlcheck.report import Report
from dlcheck.report.html.script import script_html
from dlcheck.report.treated_script import Compared, Prescription, ScriptTreated
from dlcheck.report.treated_script_json import script_json
from dlcheck.report.treated_script_text import render_script
from dlcheck.runs import Run
from tests.report.pages import words

MISSING = Finding(
    "G306",
    "gradients-never-cleared",
    Severity.ERROR,
    0.97,
    "gradients were never cleared",
    {},
    Where(file="train.py", line=3),
)
DIFF = "--- train.py\n+++ train.py (mended)\n@@ -3 +3,2 @@\n opt.step()\n+opt.zero_grad()  # [bold]ä[/bold]\n"
SICK = Report("train", Run(), Outcome((MISSING,)), "sick")
HEALTHY = Report("train", Run(), Outcome(), "healthy")
ADVISED = ScriptTreated("train", Path("out"), SICK, (Prescription(MISSING, "clear them", DIFF, exact=True),))
MENDED = replace(
    ADVISED,
    prescriptions=(replace(ADVISED.prescriptions[0], applied=True),),
    after=HEALTHY,
    copies=(Path("out/mended/train.py"),),
    compared=(Compared("train_loss", 2.5, 0.25), Compared("val_loss", None, 0.5)),
)


def text_of(treated: ScriptTreated, *, encoding: str = "utf-8") -> str:
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding=encoding)
    render_script(treated, Console(file=file, width=100))
    file.flush()
    return raw.getvalue().decode(encoding)


@pytest.mark.parametrize(
    ("treated", "first", "last"),
    [
        (ADVISED, "1 prescription; nothing was changed", "next: the same with --apply, which edits"),
        (replace(ADVISED, notes=("not of modules",)), "1 prescription", "next: dlcheck explain G306"),
        (MENDED, "mended in a copy: G306 gone", "from out/mended/train.py"),
        (replace(MENDED, after=SICK), "mended in a copy, but found again", "from out/mended/train.py"),
        (replace(ADVISED, before=HEALTHY, prescriptions=()), "healthy: nothing to treat", "nothing to mend"),
    ],
)
def test_the_verdict_comes_first_and_what_to_do_next_last(treated: ScriptTreated, first: str, last: str) -> None:
    lines = text_of(treated).splitlines()
    assert lines[0] == "train"
    assert lines[1].startswith(first)
    assert last in lines[-1]


def test_the_edit_stands_as_it_is_and_the_runs_are_compared() -> None:
    told = text_of(MENDED)
    assert "G306 gradients-never-cleared at train.py:3" in told
    assert "do: clear them" in told
    assert "   +opt.zero_grad()  # [bold]ä[/bold]" in told
    assert "one run each, so no proof" in told
    assert ["signal", "as", "it", "is", "mended"] in [line.split() for line in told.splitlines()]
    assert ["train_loss", "2.5", "0.25"] in [line.split() for line in told.splitlines()]


def test_a_terminal_without_unicode_gets_ascii() -> None:
    told = text_of(MENDED, encoding="ascii")
    assert "[bold]a[/bold]" in told


def test_json_holds_what_was_done_and_measured() -> None:
    told = json.loads(script_json(MENDED))
    assert told["schema"] == "dlcheck.script-treatment/1"
    assert told["prescriptions"][0]["diff"] == DIFF
    assert (told["prescriptions"][0]["exact"], told["prescriptions"][0]["applied"]) == (True, True)
    assert told["compared"][1] == {"signal": "val_loss", "before": None, "after": 0.5, "note": ""}
    assert told["copies"] == [str(Path("out/mended/train.py"))]
    assert json.loads(script_json(ADVISED))["after"] is None


def test_the_page_holds_what_the_text_holds() -> None:
    page = script_html(replace(MENDED, notes=("not <of> modules",)))
    said = words(page)
    for expected in (
        "mended in a copy: G306 gone",
        "Do: clear them done in the copy",
        "+opt.zero_grad() # [bold]ä[/bold]",
        "train_loss 2.5 0.25",
        "One run each, so no proof",
        "Note: not <of> modules",
        "out/mended/train.py",
    ):
        assert expected in said
    assert said.endswith("from out/mended/train.py")
    assert "healthy: nothing to treat" in words(script_html(replace(ADVISED, before=HEALTHY, prescriptions=())))
