"""Whatever stands in logs, file names, recipes and studies, in no output of any command does it come through live."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Console

from dlcheck.findings import Finding, NotChecked, Outcome, Severity
from dlcheck.report import Report
from dlcheck.report.comparison import compare, comparison_json, render_comparison
from dlcheck.report.exams import ExamRow
from dlcheck.report.html.comparison import comparison_html
from dlcheck.report.html.profile import profile_html
from dlcheck.report.html.script import script_html
from dlcheck.report.html.study import study_html
from dlcheck.report.html.treatment import treatment_html
from dlcheck.report.json import to_json
from dlcheck.report.live import change_line
from dlcheck.report.profile import render_profile
from dlcheck.report.profile_json import profile_json
from dlcheck.report.render import RENDERERS, render
from dlcheck.report.text import render_text
from dlcheck.report.text_triage import render_diagnosis
from dlcheck.report.treated_script_json import script_json
from dlcheck.report.treated_script_text import render_script
from dlcheck.report.treatment import render_treatment
from dlcheck.report.treatment_json import treatment_json
from dlcheck.report.triage import Triage
from dlcheck.rules import diagnose, verdict
from dlcheck.runs.discover import Refused
from dlcheck.runs.facts import SearchStudy
from tests.cli.conftest import Command
from tests.hostile.live import (
    EVIL,
    FRAGMENTS,
    assert_coloured,
    assert_github,
    assert_json,
    assert_markdown,
    assert_page,
    assert_plain,
    assert_sarif,
    poisoned,
)
from tests.report.conftest import sick
from tests.report.test_profile import ALL
from tests.report.test_study import FULL
from tests.report.test_treated_script import ADVISED, MENDED
from tests.report.treatments import TREATMENTS
from tests.rules.examples_speed import WHOLE
from tests.rules.fact_runs import fact_run

__all__ = ["sick"]

TEXTS = [EVIL, *(pytest.param(text, marks=pytest.mark.slow) for text in FRAGMENTS)]
"""All of them in one each time; each by itself takes two minutes."""
MIXED = st.lists(st.sampled_from(FRAGMENTS) | st.text(max_size=4), min_size=1, max_size=4).map("".join)
EXAM = ExamRow("name", "found", ("M201",), ("M201",), "2.3", "2.3", "why")
NOT = ExamRow("name", "not checked", why="why")


def printed(render_: Callable[[Console], None], width: int = 100) -> str:
    """Return what is printed, once it is sure that colour adds nothing but colour."""
    written = []
    for colour in (False, True):
        file = io.StringIO()
        terminal = Console(
            file=file,
            width=width,
            force_terminal=colour,
            color_system="truecolor" if colour else None,
            legacy_windows=False,
            _environ={"TERM": "xterm"},
        )
        render_(terminal)
        written.append(file.getvalue())
    assert_coloured(written[1], written[0])
    return written[0]


def whole(report: Report, text: str) -> Report:
    """Return a report with this text in every string, findings with places, exams, and rules of others included."""
    evil: Report = poisoned(report, text)
    return replace(evil, exams=(poisoned(EXAM, text), poisoned(NOT, text)))


def refused(text: str) -> Refused:
    return Refused(Path(text.replace("\0", "")), text)


def assert_all_formats(triage: Triage, text: str) -> None:
    assert_plain(printed(lambda console: render_diagnosis(triage, console, verbose=True)))
    assert_plain(render(triage, "text", verbose=True))
    assert_json(render(triage, "json"), text)
    assert_page(render(triage, "html"))
    assert_markdown(render(triage, "markdown"))
    assert_github(render(triage, "github"))
    assert_sarif(render(triage, "sarif"))


def test_every_format_is_looked_at() -> None:
    assert set(RENDERERS) == {"text", "json", "html", "markdown", "github", "sarif"}


@pytest.mark.parametrize("text", TEXTS)
def test_a_diagnosis(sick: Report, text: str) -> None:
    report = whole(sick, text)
    assert_all_formats(Triage([report, refused(text)]), text)
    assert_all_formats(Triage([report, report, refused(text)]), text)
    compared = compare([report, report])
    assert_plain(printed(lambda console: render_comparison(compared, console)))
    assert_json(comparison_json(compared), text)
    assert_page(comparison_html(compared))


@settings(max_examples=3, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=MIXED)
def test_a_diagnosis_of_any_words(sick: Report, text: str) -> None:
    assert_all_formats(Triage([whole(sick, text), refused(text)]), text)


@pytest.mark.parametrize("text", TEXTS)
def test_the_report_of_a_training_and_of_an_exam(sick: Report, text: str) -> None:
    from dlcheck.errors import printable
    from dlcheck.report.training import result_lines

    report = whole(sick, text)
    for exams in (report.exams, ()):
        told = replace(report, exams=exams)
        assert_plain(printed(lambda console, one=told: render_text([one], console, chart=True, moments=True)))  # type: ignore[misc]
    facts = {"metric": text, f"test_{text}": 0.5, "notes": [text], "task": text, "samples": {}}
    for line in result_lines(facts):
        assert_plain(printable(line))


@pytest.mark.parametrize("text", TEXTS)
def test_findings_while_they_come(sick: Report, text: str) -> None:
    report = whole(sick, text)
    for finding in report.outcome.findings:
        for kind in ("found", "withdrawn"):
            for line in change_line(kind, report, finding, "text").split("\n"):
                assert_plain(line)
            assert_json(change_line(kind, report, finding, "json"), text)
            assert_github(change_line(kind, report, finding, "github"), 1)


@pytest.mark.parametrize("text", [EVIL, *(pytest.param(text, marks=pytest.mark.slow) for text in FRAGMENTS[::5])])
def test_a_treatment(text: str) -> None:
    for treated in TREATMENTS.values():
        evil = poisoned(treated, text)
        assert_plain(printed(lambda console, one=evil: render_treatment(one, console)))  # type: ignore[misc]
        assert_json(treatment_json(evil), text)
        assert_page(treatment_html(evil))


@pytest.mark.parametrize("text", TEXTS)
def test_the_treatment_of_a_script(text: str) -> None:
    for treated in (ADVISED, MENDED):
        evil = poisoned(treated, text)
        assert_plain(printed(lambda console, one=evil: render_script(one, console)))  # type: ignore[misc]
        assert_json(script_json(evil), text)
        assert_page(script_html(evil))


@pytest.mark.parametrize("text", TEXTS)
def test_a_study(text: str) -> None:
    evil: SearchStudy = poisoned(FULL, text)
    for known in (evil, replace(evil, minimize=False, trials=poisoned(FULL, text).trials[:3])):
        run = fact_run(known)
        outcome = diagnose(run, select=["S6"])
        report = Report(text, run, outcome, verdict(outcome))
        assert_page(study_html(report, known))
        assert_json(to_json([report]), text)


@pytest.mark.parametrize("text", TEXTS)
def test_a_profile(text: str) -> None:
    for facts in (ALL, *WHOLE.values()):
        run = fact_run(*(poisoned(one, text) for one in facts))
        outcome = diagnose(run, select=["P"])
        report = Report(text, run, poisoned(outcome, text), verdict(outcome), then=text)
        assert_plain(printed(lambda console, one=report: render_profile(one, console)))  # type: ignore[misc]
        assert_page(profile_html(report))
        assert_json(profile_json(report), text)


@pytest.mark.parametrize("text", TEXTS)
def test_a_study_in_the_terminal(text: str) -> None:
    from dlcheck.tuning.live import Table, lines
    from dlcheck.tuning.status import status
    from dlcheck.tuning.study_json import study_json
    from dlcheck.tuning.table import trials_csv
    from dlcheck.tuning.trials import Ending, StudyView
    from tests.tuning.views import SPACE, died, row

    trials = tuple(poisoned(one, text) for one in (row(0, 0.01, 0.1), died(1, 0.5), died(2, 0.1, Ending.error)))
    runs = replace(poisoned(row(3, 0.02, 0.2), text), state="RUNNING", ending=None)
    view = StudyView(text, text, True, (*trials, runs), SPACE, metrics=(text,), directions=(True,), why=text)
    assert_plain(status(view))
    assert_plain(printed(lambda console: console.print(Table(view))))
    for line in lines(None, view):
        assert_plain(line)
    assert_json(study_json(view), text)
    for cell in trials_csv(view, {}).replace('"', "").replace("\n", ",").split(","):
        assert not cell.startswith(("=", "+", "@", "\t"))


@pytest.mark.parametrize("text", TEXTS)
def test_the_search_for_a_rate(text: str) -> None:
    import numpy as np

    from dlcheck.tuning.rate.found import FoundRate, RateRun
    from dlcheck.tuning.rate.rules import Sweep
    from dlcheck.tuning.rate.text import render as told

    rates = np.geomspace(1e-5, 1.0, 40)
    sweep = Sweep(rates, np.linspace(2.3, 0.5, 40), np.linspace(2.3, 0.5, 40), diverged=False)
    for suggestion in (0.01, None):
        found = FoundRate(
            name=text,
            suggestion=suggestion,
            interval=(0.001, 0.1),
            largest_stable=1.0,
            why=text,
            rate=0.1,
            rules={"steepest": 0.01},
            sweep=sweep,
            runs=(RateRun(0.01, 0.5, 20),),
            schedule=text,
            short_best=0.01,
            short_steps=20,
            total_steps=100,
            batch_size=32,
            seed=0,
            steps=60,
            seconds=1.0,
            notes=(text,),
        )
        assert_plain(told(found, subject=text))


NAMES = [
    pytest.param(text.replace("/", "∕").replace("\0", ""), marks=() if text.startswith("\n::") else pytest.mark.slow)
    for text in FRAGMENTS
    if "\ud800" not in text
]


@pytest.mark.parametrize("name", NAMES)
def test_names_of_files_and_columns_from_the_command_line(command: Command, tmp_path: Path, name: str) -> None:
    import csv

    path = tmp_path / f"{name}.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["epoch", "train_loss", "val_loss", name])
        writer.writerows([epoch, 2 / epoch, 0.5 + 0.1 * epoch, 0.5] for epoch in range(1, 31))
    (tmp_path / f"{name}.pkl").write_bytes(b"\x80\x04broken")
    looks: dict[str, Callable[[str], None]] = {
        "text": assert_plain,
        "json": assert_json,
        "html": assert_page,
        "markdown": assert_markdown,
        "github": assert_github,
        "sarif": assert_sarif,
    }
    for format_, look in looks.items():
        done = command("diagnose", str(path), "--format", format_)
        assert done.returncode in (0, 1)
        look(done.stdout)
    done = command("diagnose", str(tmp_path / f"{name}.pkl"))
    assert done.returncode == 2
    assert_plain(done.stderr)


@pytest.mark.parametrize("name", NAMES)
def test_errors_tell_names_as_they_are_and_nothing_more(command: Command, tmp_path: Path, name: str) -> None:
    recipe = tmp_path / f"{name}.toml"
    recipe.write_text("[data\n")
    for words in (("train", str(recipe)), ("diagnose", str(tmp_path / name)), ("train", name), ("explain", name)):
        done = command(*words)
        assert done.returncode == 2
        assert_plain(done.stderr)
        assert done.stderr.count("\n") == 1


def test_the_poison_reaches_every_string(sick: Report) -> None:
    report = whole(sick, "EVIL")
    assert report.source == report.path == report.then == report.format == "EVIL"
    finding = report.outcome.findings[0]
    assert (finding.code, finding.name, finding.summary, finding.cause) == ("EVIL",) * 4
    assert (finding.where.metric, finding.remedies[0].text, finding.references) == ("EVIL", "EVIL", ("EVIL",))
    assert next(iter(finding.evidence)) == "EVIL0"
    assert report.outcome.not_checked[0] == NotChecked("EVIL", "EVIL", "EVIL")
    assert isinstance(finding, Finding)
    assert finding.severity is Severity.WARNING
    assert isinstance(report.outcome, Outcome)
