from dataclasses import replace
from pathlib import Path

import pytest

from dlcheck.findings import Finding, Outcome, Severity
from dlcheck.report import Report
from dlcheck.report.render import to_text
from dlcheck.report.triage import Triage, worst_finding
from dlcheck.rules import Verdict
from dlcheck.runs import Run
from dlcheck.runs.discover import Refused


def report(source: str, verdict: Verdict, *findings: Finding) -> Report:
    return Report(source, Run(), Outcome(findings), verdict, path=source)


def finding(code: str, severity: Severity, confidence: float = 0.9, *, primary: bool = True) -> Finding:
    return Finding(code, f"name-{code.lower()}", severity, confidence, "…", {}, primary=primary)


NAN = finding("C401", Severity.ERROR)
OVERFIT = finding("C409", Severity.WARNING)
GAP = finding("C410", Severity.INFO)
MANY = [
    report("c.csv", "healthy"),
    report("b.csv", "sick", OVERFIT, replace(GAP, primary=False)),
    report("d.csv", "unknown"),
    report("a.csv", "sick", OVERFIT),
    report("my runs/e.csv", "sick", NAN),
    report("f.csv", "healthy", GAP),
]


def test_the_sickest_come_first() -> None:
    order = [item.source for item in Triage(MANY).reports]
    assert order == ["my runs/e.csv", "b.csv", "a.csv", "d.csv", "f.csv", "c.csv"]


def test_the_order_of_arrival_makes_no_difference() -> None:
    assert Triage(MANY).reports == Triage(reversed(MANY)).reports


def test_the_worst_finding_is_a_cause() -> None:
    consequence = finding("C401", Severity.ERROR, 0.99, primary=False)
    assert worst_finding(report("x", "sick", consequence, OVERFIT)) == OVERFIT
    assert worst_finding(report("x", "healthy")) is None


def test_a_rule_is_counted_once_a_run() -> None:
    twice = report("z", "sick", OVERFIT, OVERFIT)
    assert [(rule.code, rule.runs) for rule in Triage([*MANY, twice]).rules] == [("C409", 3), ("C410", 2), ("C401", 1)]


def test_only_the_worst_keep_their_curves(sick: Report) -> None:
    lighter = [replace(sick, source=f"{number:03}") for number in range(100)]
    triage = Triage([*lighter, replace(sick, source="nan", outcome=Outcome((NAN,)))], with_curves=3)
    kept = [item.source for item in triage.reports if len(item.run.scalars)]
    assert kept == ["nan", "000", "001"]
    assert len(triage.reports) == 101
    assert all(item.format == "dlcheck-run" for item in triage.reports)


TABLE = """\
6 runs: 3 sick, 2 healthy, 1 unknown; 1 not read

verdict  worst finding             findings  run
sick     C401 name-c401 (error)           1  my runs/e.csv
sick     C409 name-c409 (warning)         2  b.csv
and 4 more, less sick; --top 0 shows all

runs  in which it was found
   2  C409 name-c409
   2  C410 name-c410
   1  C401 name-c401

not read: 1
   x\\x1b[2J.csv: binary

next: dlcheck diagnose 'my runs/e.csv'
"""


def test_the_table_as_a_whole() -> None:
    assert to_text(Triage([*MANY, Refused(Path("x\x1b[2J.csv"), "binary")]), top=2) == TABLE


@pytest.mark.parametrize("verbose", [False, True])
def test_verbose_tells_each_of_many_in_full(sick: Report, unknown: Report, verbose: bool) -> None:
    text = to_text(Triage([sick, unknown]), 0, verbose)
    assert text.startswith("2 runs: 1 sick, 0 healthy, 1 unknown\n")
    assert ("cause: the network learns" in text) is verbose


def test_one_run_is_told_in_full(sick: Report) -> None:
    text = to_text(Triage([sick, Refused(Path("bad.csv"), "empty")]))
    assert text.startswith("runs/digits\nsick: C409 overfit\n")
    assert "bad.csv: empty" in text
