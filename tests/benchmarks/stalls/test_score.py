"""Tests of the scores: what is right, what is merely careful, and what counts at all."""

from __future__ import annotations

from tests.benchmarks.stalls import score
from tests.benchmarks.stalls.case import INCONCLUSIVE, Build, Case, Stall
from tests.benchmarks.stalls.verdict import FAILED, Row, Verdict

SLOW = Build(stall=Stall("item", 3.0))


def case(name: str = "1-item-sleep-0", kind: str = "item-sleep", share: float = 0.4) -> Case:
    return Case(name, kind, SLOW, frozenset({"input"}), frozenset({"fetch-io"}), share)


def healthy(name: str = "1-hidden-0") -> Case:
    return Case(name, "hidden", Build(), frozenset({"compute"}), frozenset())


def rows(*said: tuple[Case, Verdict], tool: str = "dlcheck") -> dict[str, Row]:
    return {f"{one.name} {tool}": Row("stalls", one.name, tool, verdict) for one, verdict in said}


def test_a_cause_is_right_only_in_the_right_class() -> None:
    assert score.right_cause(case(), Verdict("input", "fetch-io"))
    assert not score.right_cause(case(), Verdict("input", "decode"))
    assert not score.right_cause(case(), Verdict(INCONCLUSIVE, "fetch-io"))
    assert not score.right_cause(case(), Verdict("gap", "fetch-io"))


def test_a_finding_about_workers_is_right_where_too_many_were_planted() -> None:
    crowded = Case("1-workers-0", "workers", SLOW, frozenset({"cpu"}), frozenset({"oversubscribed"}))
    said = Verdict("compute", "compute", figures={"codes": ["P512"]})
    assert score.right_class(crowded, said)
    assert score.right_cause(crowded, said)
    assert not score.right_class(case(), said)


def test_being_careful_is_neither_right_nor_wrong() -> None:
    cases = [case("a"), case("b"), case("c"), case("d")]
    answers = [Verdict("input", "fetch-io"), Verdict(INCONCLUSIVE), Verdict("gap", "outside-step"), Verdict(FAILED)]
    found = score.stalls("dlcheck", cases, rows(*zip(cases, answers, strict=True)))
    assert (found.coarse.count, found.coarse.of, found.cause.count) == (1, 4, 1)
    assert (found.inconclusive, found.failed, found.wrong) == (1, 1, ("c",))


def test_cases_that_a_tool_was_not_asked_about_do_not_count() -> None:
    found = score.stalls("dlcheck", [case("a"), case("b")], rows((case("a"), Verdict("input", "fetch-io"))))
    assert found.coarse.of == 1


def test_a_measured_share_comes_before_the_designed_one() -> None:
    large, small, unknown = case("a", share=0.5), case("b", share=0.5), case("c", share=0.0)
    assert score.counting([large, small, unknown], {"b": 0.1}) == [large]
    assert score.counting([unknown], {"c": 0.3}) == [unknown]


def test_a_healthy_pipeline_is_blamed_by_a_warning_not_by_a_class() -> None:
    cases = [healthy("a"), healthy("b"), healthy("c"), healthy("d")]
    answers = [Verdict("compute"), Verdict("input"), Verdict("input", blamed=("P501",)), Verdict(FAILED)]
    found = score.healthy("dlcheck", cases, rows(*zip(cases, answers, strict=True)))
    assert (found.blamed.count, found.blamed.of, found.other.count, found.failed) == (1, 3, 2, 1)
    assert found.names == ("c",)


def test_on_a_busy_machine_it_is_wrong_to_be_sure_of_something_else() -> None:
    cases = [case("a"), case("b"), case("c"), healthy("d"), healthy("e")]
    answers = [
        Verdict("input", "decode"),
        Verdict(INCONCLUSIVE, blamed=("P501",)),
        Verdict("compute"),
        Verdict("compute"),
        Verdict("input", blamed=("P501",)),
    ]
    found = score.contention("dlcheck", cases, rows(*zip(cases, answers, strict=True)))
    assert (found.right.count, found.inconclusive.count, found.wrong.count, found.wrong.of) == (2, 1, 2, 5)
    assert found.names == ("c", "e")
