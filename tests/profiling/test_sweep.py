"""A sweep finds the setting that an exhaustive one would, for a fifth of its cost, and never a slower one."""

from __future__ import annotations

from dataclasses import replace
from statistics import fmean, median

import pytest

from dlcheck.errors import DlcheckError
from dlcheck.profiling.candidates import PREFETCHES, Known, ladder
from dlcheck.profiling.predict import Prediction
from dlcheck.profiling.settings import Block, Trial, TrialSettings
from dlcheck.profiling.sweep import sweep
from dlcheck.runs.facts import LoaderSetting, LoaderSweep
from tests.profiling.sweep_world import BASE, START_S, FakeTrial, Workload, World, draw, observed, true_step

NONE = LoaderSetting(workers=0, persistent=True)
IO_BOUND = Workload(cores=2, io=0.12, cpu=0.005, device=0.03, spread=0.1, noise=0.02, drift=0.1)
BALANCED = Workload(cores=2, cpu=0.002, device=0.05, spread=0.1, noise=0.05, drift=0.2)
CHEAP = Workload(cores=2, cpu=0.0005, device=0.004, get=0.003, noise=0.02)


def swept(
    world: World, known: Known | None = None, *, budget_s: float = 90.0, present: Trial | None = None
) -> LoaderSweep:
    """Sweep in a world's own time; no child may be left, and never may three be alive."""
    known = observed(world) if known is None else known
    world.most_alive = 0
    found = sweep(world.start, BASE, known, budget_s=budget_s, present=present, clock=world.clock, pause=world.pause)
    assert not world.alive
    assert world.most_alive <= 2
    return found


def chosen(world: World, found: LoaderSweep) -> LoaderSetting:
    """Return what the user runs after the sweep."""
    return world.setting(found.trials[found.best].setting) if found.best else world.user


def exhaustive(load: Workload, known: Known) -> tuple[float, float]:
    """Return the shortest step of a full grid, and the seconds that it takes to measure each setting once."""
    best, cost = float("inf"), 0.0
    for workers in ladder(known):
        for prefetch in PREFETCHES if workers else (2,):
            step_s = true_step(load, LoaderSetting(workers=workers, prefetch=prefetch, persistent=True), steps=100)
            best = min(best, step_s)
            cost += START_S + (40 + workers * prefetch + 1) * step_s
    return best, cost


def outcome(seed: int) -> dict[str, float]:
    """Return what a sweep of a random training came to, against an exhaustive one."""
    load, user = draw(seed)
    world = World(load, user, seed)
    known = observed(world)
    began = world.now
    found = swept(world, known)
    best, cost = exhaustive(load, known)
    after = true_step(load, chosen(world, found), steps=100)
    return {
        "regret": after / best - 1,
        "slower": after / true_step(load, user, steps=100) - 1,
        "cost": (world.now - began) / cost,
        "seconds": found.seconds,
        "error": found.seconds - (world.now - began),
    }


@pytest.fixture(scope="module")
def outcomes() -> list[dict[str, float]]:
    """Return what sweeps of some random trainings came to."""
    return [outcome(seed) for seed in range(210, 221)]


def test_the_recommended_setting_is_within_five_percent_of_the_best_of_a_full_grid(
    outcomes: list[dict[str, float]],
) -> None:
    assert max(one["regret"] for one in outcomes) <= 0.05


@pytest.mark.slow
def test_so_it_is_on_many_trainings() -> None:
    many = [outcome(seed) for seed in range(400, 500)]
    regrets = sorted(one["regret"] for one in many)
    assert regrets[94] <= 0.05  # what is left: batches of very uneven length, of which few were observed
    assert max(one["slower"] for one in many) <= 0.01
    assert fmean(one["cost"] for one in many) <= 0.2


def test_it_takes_at_most_a_fifth_of_an_exhaustive_sweep(outcomes: list[dict[str, float]]) -> None:
    costs = [one["cost"] for one in outcomes]
    assert fmean(costs) <= 0.2
    assert sum(cost <= 0.3 for cost in costs) >= 0.9 * len(costs)


def test_no_sweep_recommends_a_slower_setting_or_exceeds_its_budget(outcomes: list[dict[str, float]]) -> None:
    assert max(one["slower"] for one in outcomes) <= 0.01
    assert max(one["seconds"] for one in outcomes) <= 90
    assert max(abs(one["error"]) for one in outcomes) < 1e-6


def test_where_nothing_is_faster_chance_recommends_nothing() -> None:
    recommended = 0
    for seed in range(12):
        world = World(BALANCED, replace(NONE, workers=2), seed)
        known = replace(observed(world, steps=20), forecast=None, ideal_s=None)
        recommended += bool(swept(world, known).best)
    assert recommended <= 1


def test_a_clear_gain_is_told_with_its_interval_and_what_was_predicted() -> None:
    world = World(IO_BOUND, NONE)
    found = swept(world)
    assert found.best is not None
    best = found.trials[found.best]
    true = true_step(IO_BOUND, NONE) / true_step(IO_BOUND, chosen(world, found))
    assert found.gain is not None
    assert found.gain_low is not None
    assert found.gain_high is not None
    assert 1 < found.gain_low < found.gain < found.gain_high
    assert found.gain == pytest.approx(true, rel=0.1)
    assert best.predicted_s == pytest.approx(best.measured_s, rel=0.25)
    assert found.trials[0].setting == found.current
    assert found.trials[0].steps > 0


def test_workers_that_only_cost_are_taken_away_and_it_is_said() -> None:
    found = swept(World(CHEAP, LoaderSetting(workers=2, prefetch=2, persistent=True)))
    assert found.best is not None
    assert found.trials[found.best].setting.workers == 0
    assert "more workers make it slower: with 2" in found.note


def test_workers_that_would_only_cost_are_not_recommended() -> None:
    found = swept(World(CHEAP, NONE))
    assert found.best == 0
    assert "more workers make it slower" in found.note


def test_a_loader_that_keeps_up_costs_no_child() -> None:
    world = World(replace(BALANCED, noise=0.0, drift=0.0), replace(NONE, workers=2, prefetch=2))
    found = swept(world)
    assert (found.best, world.started) == (None, [])
    assert "keeps up" in found.note
    assert all(trial.measured_s is None for trial in found.trials)


@pytest.mark.parametrize(("kind", "told"), [("memory", "in memory"), ("opaque", "none of PyTorch's")])
def test_what_has_no_settings_is_not_swept(kind: str, told: str) -> None:
    world = World(IO_BOUND, NONE)
    known = observed(world)
    found = swept(world, replace(known, found=replace(known.found, kind=kind)))
    assert (found.best, world.started) == (None, [])
    assert told in found.note


def test_short_epochs_are_measured_whole_and_workers_are_kept() -> None:
    load = Workload(cores=4, io=0.03, device=0.02, epoch=8, epoch_start=0.6, noise=0.02)
    user = LoaderSetting(workers=2, prefetch=2, persistent=False)
    world = World(load, user)
    known = replace(observed(world, steps=80), startup_share=0.5)
    found = swept(world, known)
    assert chosen(world, found).persistent is True
    assert found.gain is not None
    assert found.gain > 1.5


def test_a_setting_that_fails_is_left_out_with_its_reason_and_the_rest_goes_on() -> None:
    world = World(IO_BOUND, NONE)
    known = observed(world)
    first = next(one for one in range(1, 9) if one == _first_tried(known))
    world.refuse = {first: "train.py: No space left on device"}
    found = swept(world, known)
    assert [trial.skipped for trial in found.trials if trial.setting.workers == first] == [world.refuse[first]]
    assert found.best
    assert chosen(world, found).workers != first


def _first_tried(known: Known) -> int | None:
    world = World(IO_BOUND, NONE)
    swept(world, known)
    return world.started[1].workers


def test_a_best_setting_that_dies_later_leaves_the_present_one() -> None:
    world = World(IO_BOUND, NONE)
    known = observed(world)
    world.die = dict.fromkeys(range(1, 9), "train.py: a worker was killed")
    found = swept(world, known)
    assert found.best == 0
    assert any("was killed" in trial.skipped for trial in found.trials)


def test_when_the_present_setting_dies_the_sweep_says_so() -> None:
    world = World(IO_BOUND, NONE)
    known = observed(world)
    world.die = {None: "train.py: ended"}
    found = swept(world, known)
    assert found.best is None
    assert found.note == "the present setting could not be measured: train.py: ended"


@pytest.mark.parametrize("budget_s", [1.0, 12.0, 20.0, 30.0, 60.0])
def test_any_budget_is_kept(budget_s: float) -> None:
    world = World(replace(IO_BOUND, io=0.5, device=0.2), NONE)
    known = observed(world)
    found = swept(world, known, budget_s=budget_s)
    assert found.seconds <= budget_s + START_S + 5
    if budget_s < 10:
        assert "budget ended" in found.note
        assert found.best is None


def test_a_child_that_runs_the_present_setting_is_taken_over_and_ended() -> None:
    world = World(IO_BOUND, NONE)
    known = observed(world)
    present = world.start(BASE)
    world.started.clear()
    found = swept(world, known, present=present)
    assert present.closed
    assert found.best
    assert world.started[0].workers is not None  # the present setting was not started again


def test_a_child_that_was_handed_over_is_ended_even_if_the_sweep_cannot_begin() -> None:
    class Broken:
        def step(self, workers: int, *, prefetch: int | None = None, in_order: bool | None = None) -> Prediction:
            raise RuntimeError("a bug")

    world = World(IO_BOUND, NONE)
    known = replace(observed(world), forecast=Broken())
    present = world.start(BASE)
    with pytest.raises(RuntimeError, match="a bug"):
        swept(world, known, present=present)
    assert present.closed


def test_a_training_shorter_than_the_sweep_is_started_again() -> None:
    world = World(IO_BOUND, NONE)
    known = observed(world)
    world.last = 60
    found = swept(world, known)
    assert found.best
    assert len(world.started) > 2


def test_a_training_too_short_to_be_measured_ends_the_sweep_in_words() -> None:
    world = World(IO_BOUND, NONE)
    known = observed(world)
    world.last = 5
    assert "too few steps" in swept(world, known).note


class Interrupted(FakeTrial):
    """A child during whose steps Ctrl-C is pressed, whose end takes long enough for another one."""

    ends = 0

    def run(self, steps: int, *, skip: int = 0) -> Block:
        if self.settings.loader.workers is not None:
            raise KeyboardInterrupt
        return super().run(steps, skip=skip)

    def close(self) -> None:
        self.ends += 1
        if self.ends == 1:
            raise KeyboardInterrupt
        super().close()


def test_ctrl_c_ends_every_child_even_when_pressed_twice() -> None:
    world = World(IO_BOUND, NONE)
    known = observed(world)

    def start(settings: TrialSettings) -> Trial:
        trial = Interrupted(world, settings)
        world.alive.append(trial)
        return trial

    with pytest.raises(KeyboardInterrupt):
        sweep(start, BASE, known, clock=world.clock, pause=world.pause)
    assert not world.alive


def test_ctrl_c_during_a_start_ends_the_other_child() -> None:
    world = World(IO_BOUND, NONE)
    known = observed(world)

    def start(settings: TrialSettings) -> Trial:
        if settings.loader.workers is not None:
            raise KeyboardInterrupt
        return world.start(settings)

    with pytest.raises(KeyboardInterrupt):
        sweep(start, BASE, known, clock=world.clock, pause=world.pause)
    assert not world.alive


def test_an_error_that_nobody_foresaw_ends_every_child_too() -> None:
    world = World(IO_BOUND, NONE)
    known = observed(world)

    def start(settings: TrialSettings) -> Trial:
        if settings.loader.workers is not None:
            raise RuntimeError("a bug")
        return world.start(settings)

    with pytest.raises(RuntimeError, match="a bug"):
        sweep(start, BASE, known, clock=world.clock, pause=world.pause)
    assert not world.alive


def test_measured_times_share_one_scale_whatever_the_machine_did_meanwhile() -> None:
    world = World(replace(IO_BOUND, drift=0.5), NONE)
    found = swept(world)
    assert found.best
    now, then = found.trials[0].measured_s, found.trials[found.best].measured_s
    assert now is not None
    assert then is not None
    assert median([now / then]) == pytest.approx(found.gain or 0, rel=0.15)


def test_a_sweep_never_raises_for_a_bad_setting() -> None:
    world = World(IO_BOUND, NONE)
    known = observed(world)
    world.refuse = dict.fromkeys(range(1, 33), "refused")
    found = swept(world, known)
    assert found.best == 0
    with pytest.raises(DlcheckError):
        world.start(replace(BASE, loader=LoaderSetting(workers=1)))
