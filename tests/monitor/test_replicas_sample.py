"""Among many ranks some are compared at a time, and in the end all."""

from dlcheck.monitor.replicas import FIRST, MOST_COMPARED, compared

STEPS = [FIRST << power for power in range(16)]


def test_few_ranks_are_all_compared() -> None:
    assert compared(FIRST, MOST_COMPARED + 1) == tuple(range(1, MOST_COMPARED + 1))
    assert compared(FIRST, 1) == ()


def test_of_many_ranks_a_sample_is_compared_and_never_rank_0() -> None:
    for step in STEPS:
        ranks = compared(step, 1000)
        assert len(set(ranks)) == MOST_COMPARED
        assert 0 not in ranks
        assert max(ranks) < 1000


def test_all_of_a_thousand_ranks_have_their_turn() -> None:
    assert {rank for step in STEPS for rank in compared(step, 1000)} == set(range(1, 1000))
