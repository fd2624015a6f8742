"""Kernels, copies and waits, on recorded tables: no device, no clock."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcheck.profiling.deep_table import (
    Activity,
    DeepTable,
    Waited,
    activities,
    computing,
    counted,
    launches,
    length,
    syncs,
    transfers,
    union,
    within,
)
from dlcheck.runs.facts import Site

LINE, OTHER = Site("train.py", 12), Site("train.py", 30)
PINNED, PAGEABLE = "Memcpy HtoD (Pinned -> Device)", "Memcpy HtoD (Pageable -> Device)"
spans = st.lists(st.tuples(st.integers(0, 100), st.integers(0, 20)).map(lambda s: (float(s[0]), float(s[0] + s[1]))))


@given(spans, spans)
def test_time_is_never_counted_twice(one: list[tuple[float, float]], other: list[tuple[float, float]]) -> None:
    covered = {second for begin, end in one for second in range(int(begin), int(end))}
    outer = {second for begin, end in other for second in range(int(begin), int(end))}
    assert length(one) == len(covered)
    assert length(within(one, other)) == len(covered & outer)
    merged = union(one)
    assert all(first[1] < second[0] for first, second in pairwise(merged))


def test_small_kernels_with_gaps_leave_the_device_idle() -> None:
    kernels = tuple(Activity("add", n * 1e-3, n * 1e-3 + 2e-4) for n in range(10))
    found = launches(DeepTable(2, kernels, computing=((0.0, 5e-3), (5e-3, 1e-2))))
    assert found is not None
    assert found.kernels == 5
    assert found.kernel_s == pytest.approx(2e-4)
    assert found.idle_share == pytest.approx(0.8)


def test_overlapping_streams_are_one_busy_device() -> None:
    kernels = (Activity("gemm", 0.0, 1.0), Activity("gemm", 0.2, 0.9), Activity("gemm", 1.0, 2.0))
    found = launches(DeepTable(1, kernels, computing=((0.0, 2.0),)))
    assert found is not None
    assert found.idle_share == 0.0


def test_copies_alone_and_behind_kernels() -> None:
    table = DeepTable(
        2,
        (
            Activity("gemm", 0.0, 1.0),
            Activity(PAGEABLE, 0.5, 1.5, bytes=10**9),
            Activity(PINNED, 3.0, 3.1, bytes=10**7),
            Activity("Memcpy DtoH (Device -> Pageable)", 4.0, 5.0, bytes=4),
        ),
    )
    found = transfers(table, pinned_gb_per_s=20.0)
    assert found is not None
    assert found.bytes == pytest.approx(505e6)
    assert found.seconds == pytest.approx(0.3)  # half a second alone, a tenth more, in two steps
    assert found.pinned is False
    assert found.gb_per_s == pytest.approx(1.01 / 1.1)
    assert found.pinned_gb_per_s == 20.0


def test_labels_from_ordinary_memory_do_not_make_a_batch_unpinned() -> None:
    found = transfers(DeepTable(1, (Activity(PINNED, 0, 1, bytes=1000), Activity(PAGEABLE, 1, 2, bytes=8))))
    assert found is not None
    assert found.pinned is True


def test_nothing_on_the_device_is_no_fact() -> None:
    assert launches(DeepTable(4, ())) is None
    assert transfers(DeepTable(4, (Activity("gemm", 0, 1),))) is None
    assert syncs(DeepTable(4, ())) is None


def test_waits_are_told_by_line_longest_first() -> None:
    waits = (Waited("Tensor.item", 0.01, LINE), Waited("Tensor.item", 0.03, LINE), Waited("Tensor.cpu", 0.1, OTHER))
    found = syncs(DeepTable(2, (), waits=waits, warned=((OTHER, 2), (Site("loop.py", 3), 4)), period_s=0.1))
    assert found is not None
    assert [(p.what, p.per_step, p.site) for p in found.points] == [
        ("Tensor.cpu", 0.5, OTHER),
        ("Tensor.item", 1.0, LINE),
        ("a wait", 2.0, Site("loop.py", 3)),
    ]
    assert found.share == pytest.approx(0.07 / 0.1)


def test_no_waits_is_a_fact_of_its_own() -> None:
    found = syncs(DeepTable(4, (), period_s=0.1))
    assert found is not None
    assert (found.points, found.share) == ((), 0.0)


def test_scaling_all_times_changes_no_share() -> None:
    def table(scale: float) -> DeepTable:
        kernels = tuple(Activity("k", n * scale, (n + 0.25) * scale) for n in range(8))
        return DeepTable(2, kernels, ((0.0, 8 * scale),), (Waited("x", scale, LINE),), period_s=4 * scale)

    for scale in (1e-6, 1e-3, 10.0):
        launched, waited = launches(table(scale)), syncs(table(scale))
        assert launched is not None
        assert waited is not None
        assert launched.idle_share == pytest.approx(0.75)
        assert waited.share == pytest.approx(0.125)


def test_lines_are_counted() -> None:
    assert counted([LINE, None, LINE]) == ((LINE, 2), (None, 1))


def test_events_of_a_chrome_trace() -> None:
    events = [
        {"ph": "X", "cat": "kernel", "name": "gemm", "ts": 1000.0, "dur": 500, "args": {"stream": 7}},
        {"ph": "X", "cat": "gpu_memcpy", "name": PINNED, "ts": 2000, "dur": 100, "args": {"bytes": 4096}},
        {"ph": "X", "cat": "cpu_op", "name": "aten::mm", "ts": 900, "dur": 10},
        {"ph": "f", "cat": "kernel", "name": "flow", "ts": 1},
        {"ph": "X", "cat": "user_annotation", "name": "forward", "ts": 0, "dur": 100},
        {"ph": "X", "cat": "user_annotation", "name": "forward", "ts": 200, "dur": 100},
        {"ph": "X", "cat": "user_annotation", "name": "backward", "ts": 400, "dur": 600},
        {"ph": "X", "cat": "gpu_user_annotation", "name": "backward", "ts": 400, "dur": 9000},
        {"ph": "X", "cat": "user_annotation", "name": "forward", "ts": 2000, "dur": 100},
        {"ph": "X", "cat": "user_annotation", "name": "backward", "ts": 2200, "dur": 300},
    ]
    gemm, copied = activities(events)
    assert (gemm.kernel, copied.kernel) == (True, False)
    assert gemm.span == pytest.approx((1e-3, 1.5e-3))
    assert copied.bytes == 4096
    first, second = computing(events, "forward", "backward")
    assert first == pytest.approx((0.0, 1e-3))
    assert second == pytest.approx((2e-3, 2.5e-3))
