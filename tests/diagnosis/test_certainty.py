from dataclasses import replace

from dlcheck.diagnosis.follow import Certainty, worst
from dlcheck.findings import Finding, Outcome, Severity, Where
from dlcheck.report import Report
from dlcheck.runs import Run

GUESS = Finding("C409", "overfit", Severity.WARNING, 0.9, "…", {}, Where(metric="val_loss"))
EXACT = Finding("C401", "nan-loss", Severity.ERROR, 0.99, "…", {}, Where(metric="train_loss"))


def told(certainty: Certainty, *findings: Finding, source: str = "log.csv") -> list[tuple[str, str]]:
    report = Report(source, Run(), Outcome(findings), "sick")
    return [(change.kind, change.finding.code) for change in certainty.update([report])]


def test_what_is_not_exact_must_be_seen_twice_and_is_told_once() -> None:
    certainty = Certainty()
    assert told(certainty, GUESS) == []
    assert told(certainty, GUESS) == [("found", "C409")]
    assert told(certainty, GUESS) == []


def test_a_glimpse_is_never_told() -> None:
    certainty = Certainty()
    assert [told(certainty, *seen) for seen in ((GUESS,), (), (GUESS,), ())] == [[], [], [], []]


def test_what_is_exact_is_told_at_once() -> None:
    assert told(Certainty(), EXACT) == [("found", "C401")]


def test_what_was_told_is_withdrawn_aloud_and_must_then_be_seen_twice_again() -> None:
    certainty = Certainty()
    told(certainty, GUESS)
    told(certainty, GUESS)
    assert told(certainty) == [("withdrawn", "C409")]
    assert told(certainty) == []
    assert told(certainty, GUESS) == []
    assert told(certainty, GUESS) == [("found", "C409")]


def test_a_finding_that_grows_worse_is_told_again() -> None:
    certainty = Certainty()
    told(certainty, replace(EXACT, severity=Severity.WARNING))
    assert told(certainty, EXACT) == [("found", "C401")]
    assert told(certainty, replace(EXACT, severity=Severity.WARNING)) == []


def test_findings_of_other_metrics_and_other_runs_are_others() -> None:
    certainty = Certainty()
    told(certainty, GUESS)
    assert told(certainty, replace(GUESS, where=Where(metric="val_accuracy"))) == []
    assert told(certainty, GUESS, source="other.csv") == []


def test_how_a_log_ends_says_nothing_while_it_grows() -> None:
    certainty = Certainty()
    early = replace(EXACT, code="C412")
    assert told(certainty, early) + told(certainty, early) == []


def test_the_worst_change_is_of_what_was_found() -> None:
    certainty = Certainty()
    report = Report("x", Run(), Outcome((EXACT,)), "sick")
    assert worst(certainty.update([report])) is Severity.ERROR
    assert worst(certainty.update([replace(report, outcome=Outcome())])) is None
