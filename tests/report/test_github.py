import re
from pathlib import Path

from dlcheck.findings import Where
from dlcheck.report import Report
from dlcheck.report.github import command, finding_command, to_github
from dlcheck.report.triage import Triage
from dlcheck.runs.discover import Refused


def test_each_finding_is_an_annotation_of_its_level(sick: Report) -> None:
    assert to_github(Triage([sick, Refused(Path("bad.csv"), "empty")])) == (
        "::warning title=C409 overfit,file=runs/digits::val_loss rose over the last 6 validations while train_loss "
        "fell from 2.3 to 0.05; do: stop early\n"
        "::notice title=C411 stopped-late,file=runs/digits::60%25 of the run came after; explained by C409\n"
        "::error title=dlcheck%3A not read,file=bad.csv::empty\n"
    )


def test_a_run_without_findings_is_a_notice(unknown: Report) -> None:
    (line,) = to_github(Triage([unknown])).splitlines()
    assert line.startswith("::notice title=dlcheck,file=metrics.csv::unknown: too little")


def test_words_cannot_end_or_begin_a_command(hostile: Report) -> None:
    lines = to_github(Triage([hostile])).splitlines()
    assert len(lines) == 1
    assert re.match(r"::error title=C401 nan-loss,file=[^,:]*,line=3::", lines[0])
    evil = command("error", "50%\n::set-env name=X::y\r", title="a,b:c\n::error::x")
    assert evil.count("\n") == 0
    assert evil == "::error title=a%2Cb%3Ac \\x3a%3Aerror%3A%3Ax::50%25 \\x3a:set-env name=X::y "


def test_a_finding_in_code_points_at_its_line(sick: Report) -> None:
    from dataclasses import replace

    finding = replace(sick.outcome.findings[0], where=Where(file="train.py", line=7))
    assert finding_command(finding, "log.csv").startswith("::warning title=C409 overfit,file=train.py,line=7::")
