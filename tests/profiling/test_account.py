"""Rows become facts: parts of a step, and of the making of a batch."""

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcheck.errors import DlcheckError
from dlcheck.profiling.account import loader_times, queue_shares, step_times
from dlcheck.profiling.found import Found
from dlcheck.profiling.parts import parts, steady
from dlcheck.profiling.rows import StepRow
from dlcheck.runs.facts import LoaderTimes, Site, StepTimes
from dlcheck.runs.facts.profile import PARTS
from tests.profiling.played import Played, scaled

seconds = st.floats(0.0, 1e3, allow_nan=False)


@st.composite
def any_rows(draw: st.DrawFn) -> list[StepRow]:
    """Return steps whose times need not fit together: clocks differ, and phases are nested in each other."""
    rows, now = [], draw(seconds)
    for number in range(draw(st.integers(1, 6))):
        asked, got, stepped, ended = (now + one for one in sorted(draw(st.tuples(*[seconds] * 4))))
        phases = [draw(seconds) for _ in range(4)]
        row = StepRow(
            asked=asked,
            got=got,
            stepped=stepped,
            ended=ended,
            next_cpu=draw(seconds),
            next_queue=draw(seconds),
            queue=draw(seconds),
            copy=phases[0],
            forward=phases[1],
            backward=phases[2],
            optimizer=phases[3],
            samples=draw(st.integers(0, 64)),
            epoch=draw(st.integers(0, 3)),
            first=number > 0 and draw(st.booleans()),
        )
        rows.append(row)
        now = ended
    return rows


def shares(times: StepTimes) -> dict[str, float]:
    return {part.name: part.share for part in times.parts}


@given(any_rows())
def test_parts_of_any_step_are_its_period(rows: list[StepRow]) -> None:
    for row in rows:
        assert min(parts(row)) >= 0
        assert sum(parts(row)) == pytest.approx(row.period, abs=1e-9)


@given(any_rows())
def test_shares_lie_within_0_and_1_and_add_up_to_1(rows: list[StepRow]) -> None:
    times = step_times(rows, Found("main"))
    assert [part.name for part in times.parts] == list(PARTS)
    assert all(0 <= part.share <= 1 for part in times.parts)
    assert sum(part.share for part in times.parts) == pytest.approx(1)
    assert times.startup_share is None or 0 <= times.startup_share <= 1


workers = st.integers(0, 3)


@settings(max_examples=30)
@given(workers, st.integers(2, 30), st.floats(0.01, 100), st.integers(0, 99))
def test_a_training_k_times_as_slow_has_the_same_shares(workers: int, epoch: int, k: float, seed: int) -> None:
    played = Played(workers=workers, epoch_steps=epoch, epoch_start=0.1, slow_every=7, slow=0.2, seed=seed)
    rows = played.steps(30)
    slower = [scaled(row, k) for row in rows]
    before, after = step_times(rows, played.found), step_times(slower, played.found)
    assert shares(after) == pytest.approx(shares(before))
    assert after.startup_share == pytest.approx(before.startup_share)
    assert after.period_s == pytest.approx(k * before.period_s)
    loader, loader_after = loader_times(rows, played.found), loader_times(slower, played.found)
    for name in ("fetch_cpu_share", "queue_share", "slow_share", "late_share"):
        assert getattr(loader_after, name) == pytest.approx(getattr(loader, name)), name
    assert loader.fetch_s is not None
    assert loader_after.fetch_s == pytest.approx(k * loader.fetch_s)


@settings(max_examples=30)
@given(workers, st.integers(0, 99))
def test_the_order_of_steps_does_not_matter(workers: int, seed: int) -> None:
    played = Played(workers=workers, slow_every=5, slow=0.1, seed=seed)
    rows = played.steps(24, skip=1)
    mixed = Random(seed).sample(rows, len(rows))
    one, other = step_times(rows, played.found), step_times(mixed, played.found)
    assert shares(other) == pytest.approx(shares(one))
    assert (other.period_s, other.period_p95_s) == (one.period_s, one.period_p95_s)
    loader, mixed_loader = loader_times(rows, played.found), loader_times(mixed, played.found)
    assert mixed_loader.fetch_s == loader.fetch_s
    assert mixed_loader.late_share == loader.late_share
    assert mixed_loader.slow_share == pytest.approx(loader.slow_share)
    assert [one.name for one in mixed_loader.transforms] == [one.name for one in loader.transforms]


def test_a_slow_loader_is_waited_for_and_a_fast_one_is_not() -> None:
    slow, fast = Played(workers=1, fetch=0.040), Played(workers=1, fetch=0.005)
    of_slow = shares(step_times(slow.steps(40, 5), slow.found))
    of_fast = shares(step_times(fast.steps(40, 5), fast.found))
    assert of_slow["wait"] == pytest.approx(1 - 0.0135 / 0.041, abs=0.02)
    assert of_fast["wait"] == pytest.approx(0, abs=1e-6)
    assert of_fast["backward"] == pytest.approx(0.007 / 0.0135, abs=0.02)


def test_loading_without_workers_is_taken_as_far_as_it_works_and_waited_for_otherwise() -> None:
    played = Played(workers=0, fetch=0.020, fetch_cpu=0.005)
    of = shares(step_times(played.steps(40), played.found))
    assert of["take"] == pytest.approx(0.006 / 0.034, abs=0.02)
    assert of["wait"] == pytest.approx(0.015 / 0.034, abs=0.02)


def test_the_optimizer_that_computes_the_model_again_is_not_blamed_for_that() -> None:
    row = Played(workers=0).step()
    whole = row.stepped - row.got
    closure = replace(row, forward=whole * 0.4, backward=whole * 0.5, optimizer=whole)
    found = dict(zip(PARTS, parts(closure), strict=True))
    assert found["optimizer"] == pytest.approx(whole * 0.1)
    assert found["backward"] == pytest.approx(whole * 0.5)


def test_a_copy_within_the_forward_pass_counts_once() -> None:
    row = Played(workers=0).step()
    whole = row.stepped - row.got
    inner = replace(row, copy=whole * 0.2, forward=whole * 0.5, backward=whole * 0.4, optimizer=whole * 0.1)
    found = dict(zip(PARTS, parts(inner), strict=True))
    assert found["copy"] == pytest.approx(whole * 0.2)
    assert found["forward"] == pytest.approx(whole * 0.3)


def test_first_and_last_steps_of_epochs_are_left_out() -> None:
    played = Played(workers=1, epoch_steps=10, epoch_start=1.0)
    rows = played.steps(40)
    kept = steady(rows)
    assert not any(row.first for row in kept)
    assert [row.epoch for row in kept].count(1) == 8
    times = step_times(rows, played.found)
    assert times.steps == len(kept)
    assert times.epoch_starts == 3
    assert times.epoch_start_s == pytest.approx(1.0, abs=0.1)
    assert times.steps_per_epoch == 10


def test_steps_of_the_shortest_epochs_are_counted_all_the_same() -> None:
    played = Played(workers=0, epoch_steps=1)
    assert len(steady(played.steps(5))) == 5
    assert len(steady(Played(workers=0, epoch_steps=2).steps(10))) == 5


def test_one_epoch_start_among_few_steps_is_weighed_by_the_length_of_epochs() -> None:
    played = Played(workers=1, fetch=0.005, epoch_steps=25, epoch_start=1.0)
    rows = played.steps(30)
    observed = step_times(rows, replace(played.found, steps_per_epoch=None)).startup_share
    of_all = step_times(rows, replace(played.found, steps_per_epoch=1000)).startup_share
    assert observed is not None
    assert of_all is not None
    assert observed > 0.6
    assert of_all == pytest.approx(1.0 / (1.0 + 1000 * 0.0135), abs=0.02)


def test_beginnings_without_workers_cost_no_more_than_other_batches() -> None:
    played = Played(workers=0, epoch_steps=4)
    assert step_times(played.steps(40), played.found).startup_share == pytest.approx(0, abs=0.01)


def test_what_the_child_found_stands_in_the_facts() -> None:
    site = Site("train.py", 12)
    found = Found("workers", device="cuda:0", workers=2, optimizer="Adam", gap_site=site, loader_site=site, note="x")
    rows = [replace(row, device=(0.1, 0.2, 0.3, 0.4), batch=None) for row in Played(workers=0).steps(5)]
    times = step_times(rows, found, startup_s=3.0)
    assert (times.device, times.optimizer, times.gap_site, times.startup_s) == ("cuda:0", "Adam", site, 3.0)
    assert [part.device_s for part in times.parts] == [None, None, 0.1, 0.2, 0.3, 0.4, None, None]
    loader = loader_times(rows, found)
    assert loader == LoaderTimes("workers", 2, batch_size=16, loader_site=site, note="x")


def test_the_making_of_a_batch_is_told_apart() -> None:
    played = Played(workers=2, fetch=0.040, fetch_cpu=0.010, collate=0.004, slow_every=10, slow=0.5, jitter=0)
    times = loader_times(played.steps(40), played.found)
    assert times.batches == 39
    assert times.fetch_s == pytest.approx(0.040)
    assert times.collate_s == pytest.approx(0.004)
    assert times.fetch_cpu_share == pytest.approx(0.010 * 39 / (0.040 * 39 + 4 * 0.5), abs=0.02)
    assert times.slow_share == pytest.approx(4 * 0.5 / (0.040 * 39 + 4 * 0.5), abs=0.02)
    assert times.slowest_item_s == 0.5
    assert times.item_s == pytest.approx(0.0025)
    assert [one.name for one in times.transforms] == ["Flip", "Resize"]
    assert times.transforms[0].seconds == pytest.approx(2 * times.transforms[1].seconds)


def test_a_sample_that_waited_for_a_core_is_not_a_slow_one() -> None:
    played = Played(workers=0, fetch=0.0003, fetch_cpu=0.0003, slow_every=5, slow=0.01, jitter=0)
    rows = [
        replace(row, batch=row.batch and replace(row.batch, fetch_queue=row.batch.slow)) for row in played.steps(20)
    ]
    assert loader_times(rows, played.found).slow_share == 0


def test_batches_that_are_ready_but_do_not_come_are_stuck() -> None:
    played = Played(workers=1, fetch=0.005)
    rows = played.steps(40, skip=5)
    delayed = [replace(row, got=row.got + 0.1, stepped=row.stepped + 0.1, ended=row.ended + 0.1) for row in rows]
    assert loader_times(rows, played.found).stuck_s is None
    times = loader_times(delayed, played.found)
    assert times.stuck_s == pytest.approx(0.1)
    assert times.late_share == 0
    slow = Played(workers=1, fetch=0.050)
    times = loader_times(slow.steps(40, skip=5), slow.found)
    assert times.stuck_s == pytest.approx(0, abs=1e-9)
    assert times.late_share == 1


def test_waiting_for_a_core_is_a_share_of_main_process_and_workers() -> None:
    played = Played(workers=1, queue=0.0135)
    rows = played.steps(40, skip=5)
    busy = [
        replace(row, batch=row.batch and replace(row.batch, fetch_queue=0.5 * (row.batch.ready - row.batch.began)))
        for row in rows
    ]
    main, workers = queue_shares(busy, played.found)
    assert main == pytest.approx(0.5, abs=0.02)
    assert workers == pytest.approx(0.5)
    assert queue_shares(busy, Found("main"))[1] is None
    assert queue_shares([], played.found) == (None, None)


def test_without_a_step_there_is_nothing_to_tell() -> None:
    with pytest.raises(DlcheckError, match="no training step"):
        step_times([], Found("main"))
    assert loader_times([], Found("opaque")).batches == 0
