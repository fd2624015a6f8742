"""A sick and a healthy run for each rule that compares the ranks of a distributed training."""

from typing import Any

import numpy as np

from dlcheck.runs import Run
from dlcheck.runs.facts import RankPace, Ranks, RankState, RankTimes, Site
from tests.rules.fact_runs import fact_run

LINE, SLEEP = Site("train.py", 35), Site("train.py", 32)
RESET = "RuntimeError: [pair.cc:545] Read error [127.0.0.1]:24713: Connection reset by peer"


def state(rank: int, step: int = 100, **more: Any) -> RankState:
    return RankState(rank, step, **more)


def ranks(*states: RankState, size: int = 0) -> Run:
    return fact_run(Ranks(size or len(states), states))


def waited(rank: int, seconds: float = 20.0, **more: Any) -> RankState:
    """Return a rank that a time limit ended in a backward pass."""
    told: dict[str, Any] = {
        "ending": "timeout",
        "detail": "waited",
        "site": LINE,
        "call": "backward",
        "since_s": seconds,
    }
    return state(rank, **(told | more))


def failed(rank: int, **more: Any) -> RankState:
    """Return a rank that failed because another was gone."""
    told: dict[str, Any] = {"ending": "exception", "detail": RESET, "site": LINE, "call": "backward", "ended_s": 1.0}
    return state(rank, **(told | more))


def finished(rank: int, **more: Any) -> RankState:
    told: dict[str, Any] = {"ending": "finished", "ended_s": 0.0}
    return state(rank, **(told | more))


def times(*levels: float, blocks: int = 20, noise: float = 0.05, period: float = 0.05) -> Run:
    """Return a run whose ranks work so many seconds in a step."""
    random = np.random.default_rng(0)
    rows = [level * np.exp(noise * random.standard_normal(blocks)) for level in levels]
    paces = tuple(RankPace(rank, tuple(map(float, row))) for rank, row in enumerate(rows))
    return fact_run(RankTimes(16, tuple([period] * blocks), paces))


SICK: dict[str, Run] = {
    "G320": ranks(failed(0), state(1, 81, alive=False, silent_s=2.0), failed(2)),
    "G321": ranks(waited(0), state(1, site=SLEEP, doing="time.sleep(3600)", alive=True), waited(2)),
    "P516": times(0.01, 0.03, 0.01),
}

HEALTHY: dict[str, Run] = {
    "G320": ranks(finished(0), finished(1), state(2, alive=True)),
    "G321": ranks(finished(0), finished(1)),
    "P516": times(0.01, 0.0105, 0.0098),
}
