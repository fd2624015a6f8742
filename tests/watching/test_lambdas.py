"""For how many steps the function of a schedule was made."""

import argparse
import functools
import math
from collections.abc import Callable

import pytest

from dlcheck.watching.lambdas import horizon, pure

CALLS: list[int] = []
TOTAL = 100


class Schedule:
    def __init__(self) -> None:
        self.seen = 0

    def __call__(self, step: int) -> float:
        self.seen += 1
        return 1.0

    def rate(self, step: int) -> float:
        return 1.0 / (1 + step)


def noting(step: int) -> float:
    CALLS.append(step)
    return 1.0


def counting(step: int) -> float:
    global TOTAL
    TOTAL += 1
    return 1.0


def printing(step: int) -> float:
    print(step)
    return 1.0


def half_cosine(step: int, *, warmup: int, total: int) -> float:
    if step < warmup:
        return float(step) / float(max(1, warmup))
    progress = float(step - warmup) / float(max(1, total - warmup))
    return max(0.0, 0.5 * (1.0 + math.cos(math.pi * progress)))


def from_settings() -> Callable[[int], float]:
    settings = argparse.Namespace(steps=80)
    return lambda step: max(0.0, 1 - step / settings.steps)


def warm(step: int) -> float:
    return half_cosine(step, warmup=5, total=50)


@pytest.mark.parametrize("function", [noting, counting, printing, Schedule(), Schedule().rate, math.sqrt, None])
def test_what_may_change_something_is_left_alone(function: object) -> None:
    assert pure(function) is None
    assert not CALLS
    assert TOTAL == 100


@pytest.mark.parametrize(
    ("function", "ends"),
    [
        pytest.param(lambda step: 1 - step / 100 if step < 100 else 0.0, 100, id="line"),
        pytest.param(lambda step: (1 - min(step, 60) / 60) ** 2, 60, id="parabola"),
        pytest.param(lambda step: 0.5 * (1 + math.cos(math.pi * step / 100)), 100, id="cosine that rises again"),
        pytest.param(functools.partial(half_cosine, warmup=10, total=120), 120, id="warm-up and half a cosine"),
        pytest.param(warm, 50, id="a function that calls another"),
        pytest.param(from_settings(), 80, id="settings of a command line"),
        pytest.param(lambda step: [1.0, 1.0, 0.5, 0.0, 0.0][step], 3, id="a table"),
        pytest.param(lambda step: 0.95**step, None, id="exponential"),
        pytest.param(lambda step: max(0.01, 0.9**step), None, id="exponential with a floor"),
        pytest.param(lambda step: min(1.0, (step + 1) / 10), None, id="warm-up alone"),
        pytest.param(lambda step: 1.0 if step < 50 else 0.1, None, id="one fall to a tenth"),
        pytest.param(lambda step: 1 / (1 + step) ** 0.5, None, id="inverse root"),
        pytest.param(lambda step: 1 - step / 500, None, id="far longer than the training"),
        pytest.param(lambda step: 1 / 0 if step else 1.0, None, id="raises"),
    ],
)
def test_the_end_of_a_function(function: object, ends: int | None) -> None:
    factor = pure(function)
    assert factor is not None
    assert horizon(factor, 100) == ends
