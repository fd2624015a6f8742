"""Memory that grows from step to step, and memory that does not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcheck.profiling.growth import Sample, common_samples, growth

MIB = 1 << 20


def samples(*mib: float, every: int = 10) -> list[Sample]:
    return [Sample(8 + every * number, round(one * MIB)) for number, one in enumerate(mib)]


def test_a_graph_that_is_kept_grows_in_every_part() -> None:
    told = growth(samples(100, 105, 111, 115, 120), kind="device", capacity=1 << 30)
    assert told is not None
    assert told.certain
    assert told.bytes_per_step == pytest.approx(0.5 * MIB)
    assert (told.kind, told.steps, told.bytes, told.capacity) == ("device", 40, 120 * MIB, 1 << 30)


@pytest.mark.parametrize(
    "mib",
    [
        (100, 100, 100, 100, 100),
        (100, 140, 150, 150, 150),  # a pool that fills
        (100, 140, 160, 165, 166),  # and one that is nearly full
        (100, 120, 110, 125, 112),
        (100, 100.1, 100.2, 100.3, 100.4),  # the interpreter's own
        (100, 90, 80, 70, 60),
        (100, 100, 130, 130, 160),  # a list that doubles, a file that is read
    ],
)
def test_memory_that_comes_to_rest_is_not_certain_to_grow(mib: tuple[float, ...]) -> None:
    told = growth(samples(*mib), kind="host")
    assert told is not None
    assert not told.certain


def test_few_samples_tell_nothing() -> None:
    assert growth(samples(100, 110, 120, 130), kind="host") is None
    assert growth([], kind="host") is None
    assert growth([Sample(8, 1), *samples(1, 2, 3, 4)], kind="host") is None


def test_parts_of_different_length_are_compared_by_the_step() -> None:
    uneven = [Sample(step, (100 + step) * MIB) for step in (0, 10, 20, 100, 400)]
    told = growth(uneven, kind="host")
    assert told is not None
    assert told.certain
    assert told.bytes_per_step == pytest.approx(MIB)


@given(st.lists(st.integers(0, 1 << 40), min_size=5, max_size=12))
def test_what_is_certain_to_grow_never_shrank(bytes_: list[int]) -> None:
    told = growth([Sample(10 * number, one) for number, one in enumerate(bytes_)], kind="host")
    assert told is not None
    if told.certain:
        assert bytes_ == sorted(bytes_)
        assert told.bytes_per_step > 0


def test_workers_that_come_and_go_are_no_growth() -> None:
    taken = [(8, {1: 50, 2: 10}), (18, {1: 51, 3: 10}), (28, {1: 52, 3: 10, 4: 10})]
    assert common_samples(taken) == (Sample(8, 50), Sample(18, 51), Sample(28, 52))
    assert common_samples([(8, {1: 50, 2: 10}), (18, {1: 51, 2: 20})]) == (Sample(8, 60), Sample(18, 71))
    assert common_samples([(8, {1: 50}), (18, {2: 51})]) == ()
    assert common_samples([]) == ()
