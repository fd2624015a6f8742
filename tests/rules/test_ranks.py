"""The rules that compare ranks, on recorded and made-up endings."""

from dataclasses import replace
from typing import Any

import pytest

from dlcheck.findings import Finding
from dlcheck.rules import diagnose
from dlcheck.runs import Run
from dlcheck.runs.facts import RankTimes, fact
from tests.rules.examples_ranks import RESET, SLEEP, failed, finished, ranks, state, times, waited
from tests.rules.fact_runs import fact_run
from tests.rules.judging import found, why


def sure(run: Run, code: str) -> Finding:
    one = found(run, code)
    assert one is not None
    return one


def test_a_killed_rank_is_named_and_those_that_waited_are_not() -> None:
    finding = sure(ranks(failed(0), state(1, 81, alive=False), failed(2)), "G320")
    assert finding.evidence["rank"] == 1
    assert (finding.evidence["step"], finding.evidence["last_step_of_others"]) == (81, 100)
    assert "rank 1 of 3 went without a word" in finding.summary
    assert "ranks 0 and 2 waited" in finding.summary


def test_a_silent_rank_of_another_host_is_lost_and_one_that_was_heard_is_not() -> None:
    assert "was not heard of for 9 s" in sure(ranks(failed(0), state(1, silent_s=9.0)), "G320").summary
    assert found(ranks(failed(0), state(1, silent_s=1.0)), "G320") is None


def test_a_rank_whose_native_code_failed_is_told_with_its_line() -> None:
    finding = sure(ranks(state(0, 20, detail="Aborted", site=SLEEP, alive=False), failed(1)), "G320")
    assert "Aborted (train.py, line 32)" in finding.summary
    assert (finding.where.file, finding.where.line) == ("train.py", 32)


def test_the_rank_that_raised_is_told_and_not_those_that_its_end_reached() -> None:
    own = state(2, ending="exception", detail="ValueError: broken batch", site=SLEEP, ended_s=0.0)
    finding = sure(ranks(failed(0), state(1, ending="signal", detail="SIGTERM"), own), "G320")
    assert finding.evidence["rank"] == 2
    assert "ValueError: broken batch (train.py, line 32)" in finding.summary


def test_a_fault_that_all_ranks_meet_is_no_lost_rank() -> None:
    each = [state(rank, ending="exception", detail="KeyError: 'x'", site=SLEEP) for rank in range(3)]
    assert found(ranks(*each), "G320") is None


@pytest.mark.parametrize("others", [failed(0), waited(0)])
def test_a_rank_with_fewer_batches_came_to_its_end_too_early(others: Any) -> None:
    finding = sure(ranks(others, finished(1)), "G320")
    assert "rank 1 of 2 came to its end after step 100" in finding.summary
    assert any("equally many batches" in one.text for one in finding.remedies)


def test_a_whole_training_that_was_killed_or_ended_names_no_rank() -> None:
    assert found(ranks(*(state(rank, alive=False) for rank in range(3))), "G320") is None
    assert found(ranks(*(state(rank, ending="signal", detail="SIGTERM") for rank in range(3))), "G320") is None
    assert found(ranks(*(finished(rank) for rank in range(3))), "G320") is None


def test_ranks_that_left_by_os_exit_after_the_last_step_are_not_lost() -> None:
    assert found(ranks(finished(0), state(1, alive=False)), "G320") is None
    assert found(ranks(finished(0), state(1, 60, alive=False)), "G320") is not None


def test_a_hang_tells_who_waits_where_and_who_never_came() -> None:
    away = state(1, site=SLEEP, doing="time.sleep(3600)", alive=True)
    finding = sure(ranks(waited(0), away, waited(2)), "G321")
    assert "ranks 0 and 2 of 3 waited 20 s in backward (train.py, line 35) after step 100" in finding.summary
    assert "rank 1 never came: it was in time.sleep(3600) (train.py, line 32)" in finding.summary
    assert (finding.where.file, finding.where.line) == ("train.py", 35)
    assert finding.evidence["missing_rank"] == 1
    # The launcher ends that rank later on, which changes nothing.
    assert sure(ranks(waited(0), replace(away, ending="signal", detail="SIGTERM"), waited(2)), "G321") == finding


def test_ranks_in_different_calls_and_ranks_that_all_came() -> None:
    other = waited(1, call="barrier", site=SLEEP, since_s=19.0)
    assert sure(ranks(waited(0), other), "G321").cause == "ranks that make different collective calls"
    assert "the way between them" in sure(ranks(waited(0), waited(1)), "G321").summary
    assert "2 ranks that were not watched" in sure(ranks(waited(0), waited(1), size=4), "G321").summary


def test_the_time_limit_of_the_script_s_own_group_is_a_hang_too() -> None:
    late = failed(0, detail="RuntimeError: Timed out waiting 10000ms for recv operation to complete")
    assert found(ranks(late, state(1, site=SLEEP, alive=True)), "G321") is not None
    assert found(ranks(failed(0, detail=RESET), state(1, alive=True)), "G321") is None


def test_a_wait_is_a_hang_only_beyond_its_limit() -> None:
    waits = state(0, call="barrier", site=SLEEP, since_s=300.0, alive=True)
    assert found(ranks(waits, state(1)), "G321") is None
    assert found(ranks(replace(waits, since_s=700.0), state(1)), "G321") is not None


def test_a_lost_rank_explains_the_wait_for_it() -> None:
    outcome = diagnose(ranks(waited(0), state(1, 80, alive=False), waited(2)), select=("G32",))
    assert [(one.code, one.explained_by) for one in outcome.findings] == [("G320", None), ("G321", "G320")]


def test_one_watched_rank_of_several_cannot_be_compared() -> None:
    for code in ("G320", "G321"):
        assert why(ranks(failed(0), size=4), code) == "only one rank was watched"


def test_a_straggler_is_named_with_its_ratio_and_interval() -> None:
    finding = sure(times(0.01, 0.03, 0.01, 0.01), "P516")
    low, high = finding.evidence["ratio_low"], finding.evidence["ratio_high"]
    assert finding.evidence["rank"] == 1
    assert isinstance(low, float)
    assert isinstance(high, float)
    assert 2.6 < low < 3 < high < 3.4


def test_a_rank_that_is_a_little_slower_or_costs_little_is_no_straggler() -> None:
    assert found(times(0.01, 0.0115), "P516") is None
    assert found(times(0.0005, 0.0015, period=0.002), "P516") is None
    assert found(times(0.01, 0.03, period=1.0), "P516") is None


def test_ranks_that_all_scatter_are_not_judged() -> None:
    spread = fact(times(0.01, 0.014, noise=0.6, blocks=12), RankTimes)
    assert spread is not None
    assert "scatter too much" in why(fact_run(spread), "P516")


def test_a_few_steps_are_too_few_to_compare_by() -> None:
    assert "blocks of 16 steps" in why(times(0.01, 0.03, blocks=5), "P516")


def test_more_ranks_need_more_blocks_for_the_same_certainty() -> None:
    assert found(times(0.01, 0.03, blocks=8), "P516") is not None
    assert "blocks of 16 steps" in why(times(0.03, *[0.01] * 400, blocks=8), "P516")
