"""Tests of the cases: how many, how different, and that each is a program with and without what holds it up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest

from tests.benchmarks.stalls import draw
from tests.benchmarks.stalls.case import COARSE, Case
from tests.benchmarks.stalls.script import Dress, script


def every(seed: int = draw.DEVELOPMENT) -> list[Case]:
    return draw.stalls(seed) + draw.healthy(seed) + draw.gpu_stalls(seed)


def test_there_are_as_many_cases_as_were_asked_for() -> None:
    assert len(draw.stalls(1)) >= 60
    assert len(draw.healthy(1)) >= 20
    assert len({case.name for case in every()}) == len(every())


def test_a_seed_draws_the_same_cases_again_and_another_seed_others() -> None:
    assert draw.stalls(1) == draw.stalls(1)
    ours, others = ({case.name[2:]: case.build for case in draw.stalls(seed)} for seed in (1, 2))
    assert ours.keys() == others.keys()
    assert sum(ours[name] == others[name] for name in ours) == 0


def test_designed_shares_are_between_a_fifth_and_seven_tenths() -> None:
    for case in draw.stalls(1):
        assert case.kind in {"threads", "workers"} or 0.2 <= case.share <= 0.7, case


def test_every_kind_has_answers_that_are_classes() -> None:
    for case in every():
        assert case.coarse <= set(COARSE)
        assert case.healthy or case.coarse
    for case in draw.stalls(1):
        assert case.causes, case.name


def test_a_transform_is_right_by_its_own_name_alone() -> None:
    found = [case for case in draw.stalls(1) if case.kind == "transform"]
    for case in found:
        assert case.build.stall is not None
        assert case.causes == {f"transform:{case.build.stall.name}"}
    assert len({case.causes for case in found}) > 2


def test_cases_differ_in_how_they_are_written() -> None:
    builds = [case.build for case in draw.stalls(1)]
    ways: Sequence[tuple[str, int]] = [
        ("layout", 3),
        ("data", 3),
        ("model", 3),
        ("optimizer", 3),
        ("workers", 4),
        ("start", 2),
    ]
    for name, least in ways:
        assert len(Counter(getattr(build, name) for build in builds)) >= least, name


def test_the_busy_cases_hold_stalls_and_healthy_pipelines() -> None:
    found = draw.contended(1)
    assert 5 <= sum(case.healthy for case in found) <= len(found) // 2


@pytest.mark.parametrize("dress", ["plain", "traceml", "loadtune"])
def test_every_case_is_a_program_with_and_without_what_holds_it_up(dress: Dress) -> None:
    for case in every() + every(draw.HELD_OUT):
        for build in (case.build, case.build.relieved()):
            compile(script(build, dress), case.name, "exec")


def test_what_holds_a_training_up_is_gone_without_it() -> None:
    for case in draw.stalls(1):
        free = case.build.relieved()
        assert free.stall is None
        assert script(free) != script(case.build), case.name


def test_words_choose_cases() -> None:
    assert {case.kind for case in draw.named(draw.stalls(1), ["rare", "start"])} == {"rare", "start"}
    assert draw.named(draw.stalls(1), []) == draw.stalls(1)
