"""Other ways to compute are tried in turns, their losses compared, and what is faster is told with its interval."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcheck.errors import DlcheckError
from dlcheck.profiling.found import Found
from dlcheck.profiling.rows import StepRow
from dlcheck.profiling.settings import Block, Subject, TrialSettings
from dlcheck.profiling.whatif import same_loss, whatif
from dlcheck.profiling.whatif_variation import multiplies_bf16, variations
from dlcheck.recipe import Recipe, parse_recipe
from dlcheck.runs.facts import ComputeTrial, ComputeTrials

RECIPE = TrialSettings(Subject("recipe", "mine.toml"))
CUDA = Found(kind="workers", device="cuda", batch_size=64, samples=1000, precision="fp32", threads=1)
CPU = replace(CUDA, device="cpu", threads=2)
LOSSES = tuple(1.0 / (step + 1) for step in range(60))
CNN = '[data]\nname = "digits"\n[model]\nname = "cnn"\n'


def recipe(text: str = "") -> Recipe:
    return parse_recipe(CNN + text, "mine.toml").recipe


class Computer:
    """Runs trainings on kept batches in a time of its own."""

    def __init__(self, faster: Callable[[TrialSettings], float], *, step_s: float = 0.05, noise: float = 0.01) -> None:
        self.faster, self.step_s, self.noise = faster, step_s, noise
        self.now, self.random = 0.0, random.Random(3)
        self.alive = self.most_alive = 0
        self.started: list[TrialSettings] = []
        self.loss: Callable[[TrialSettings], float] = lambda _: 0.0
        """Relative error of the losses."""
        self.fail: Callable[[TrialSettings], str] = lambda _: ""

    def clock(self) -> float:
        return self.now

    def pause(self, seconds: float) -> None:
        self.now += seconds

    def start(self, settings: TrialSettings) -> Computing:
        assert settings.mode == "ideal"
        self.started.append(settings)
        self.now += 4.0
        self.alive += 1
        self.most_alive = max(self.most_alive, self.alive)
        return Computing(self, settings)


class Computing:
    """A child of a ``Computer``."""

    def __init__(self, computer: Computer, settings: TrialSettings) -> None:
        self.computer, self.settings, self.startup_s = computer, settings, 0.1
        self.made = 0
        self.open = True

    def run(self, steps: int, *, skip: int = 0) -> Block:
        computer = self.computer
        if told := computer.fail(self.settings):
            raise DlcheckError(told)
        if self.settings.compile and not self.made:
            computer.now += 20.0
        step_s = computer.step_s / computer.faster(self.settings) * math.exp(computer.random.gauss(0, computer.noise))
        computer.now += step_s * (steps + skip)
        losses = LOSSES[self.made + skip : self.made + skip + steps]
        self.made += steps + skip
        error = computer.loss(self.settings)
        return Block((timed(step_s),) * steps, tuple(loss * (1 + error) for loss in losses))

    def close(self) -> None:
        self.computer.alive -= self.open
        self.open = False


def timed(step_s: float) -> StepRow:
    return StepRow(0.0, 0.0, step_s, step_s, 0.0, 0.0, 0.0, 0.0, step_s, 0.0, 0.0, 64, 0, False)


def tried(
    computer: Computer, found: Found = CUDA, *, budget_s: float = 200.0, text: str = ""
) -> dict[str, ComputeTrial]:
    """Try everything; at most two children are alive, and none is left."""
    made = whatif(
        computer.start,
        RECIPE,
        found,
        recipe=recipe(text),
        cores=2.0,
        period_s=0.05,
        budget_s=budget_s,
        clock=computer.clock,
        pause=computer.pause,
    )
    assert (computer.alive, computer.most_alive <= 2) == (0, True)
    assert isinstance(made, ComputeTrials)
    return {trial.name: trial for trial in made.trials}


def gains(settings: TrialSettings) -> float:
    """Return how many times as fast a setting is: bf16 1.6, TF32 1.2, channels_last 1.1, compiled 1.02."""
    made = {"bf16": 1.6, "fp16": 1.7}.get(settings.precision or "", 1.0)
    made *= 1.2 if settings.tf32 else 1.0
    made *= 1.1 if settings.channels_last else 1.0
    made *= 0.8 if settings.compile else 1.0
    return made * (0.8 if settings.loader.batch_size else 1.0)


def test_each_way_to_compute_is_told_with_its_gain_and_interval() -> None:
    told = tried(Computer(gains))
    for name, gain in (("bf16", 1.6), ("tf32", 1.2), ("channels_last", 1.1), ("compile", 0.8)):
        trial = told[name]
        assert trial.ratio == pytest.approx(gain, rel=0.05)
        assert trial.low is not None
        assert trial.high is not None
        assert trial.low < (trial.ratio or 0) < trial.high
        assert trial.same_loss is True
    assert (told["bf16"].path, told["bf16"].value) == ("train.precision", "bf16")
    assert told["fp16"].ratio is None
    assert told["fp16"].note == "bf16 is faster already"
    assert told["compile"].startup_s == pytest.approx(20, abs=3)


def test_a_doubled_batch_is_told_in_samples_a_second_without_judging_its_losses() -> None:
    told = tried(Computer(gains))["batch doubled"]
    assert told.ratio == pytest.approx(1.6, rel=0.05)
    assert (told.value, told.same_loss) == (128, None)
    assert "trains otherwise" in told.note


def test_what_is_faster_is_measured_together_as_well() -> None:
    told = tried(Computer(gains))
    assert told["bf16 + tf32 + channels_last"].ratio == pytest.approx(1.6 * 1.2 * 1.1, rel=0.05)
    assert not told["bf16 + tf32 + channels_last"].path


def test_other_losses_are_seen_and_not_taken_into_what_runs_together() -> None:
    computer = Computer(gains)
    computer.loss = lambda settings: 0.2 if settings.precision == "bf16" else 0.0
    told = tried(computer)
    assert told["bf16"].same_loss is False
    assert told["fp16"].same_loss is True
    assert "fp16 + tf32 + channels_last" in told


def test_rounding_is_no_other_loss_and_a_number_that_is_none_is() -> None:
    assert same_loss(LOSSES[:8], [loss * 1.004 for loss in LOSSES[:8]], 0.03) is True
    assert same_loss(LOSSES[:8], [loss * 1.1 for loss in LOSSES[:8]], 0.03) is False
    assert same_loss(LOSSES[:8], [math.nan, *LOSSES[1:8]], 0.03) is False
    assert same_loss([math.nan] * 8, [math.nan] * 8, 0.03) is None
    assert same_loss((), LOSSES[:8], 0.03) is None


@given(st.lists(st.floats(0.01, 100), min_size=2, max_size=20), st.integers(0, 100))
def test_losses_that_differ_by_chance_alone_are_the_same(losses: list[float], seed: int) -> None:
    rng = random.Random(seed)
    again = [loss + sign * 0.1 for loss, sign in zip(losses, (rng.choice((-1, 1)) for _ in losses), strict=True)]
    assert same_loss(losses, losses, 0.0) is True
    if len(losses) >= 8 and len({round(one - other, 6) for one, other in zip(losses, again, strict=True)}) > 1:
        assert same_loss(losses, again, 0.2 / min(losses)) is True


def test_a_setting_that_does_not_run_says_why_and_the_others_go_on() -> None:
    computer = Computer(gains)
    computer.fail = lambda settings: "mine.toml: out of memory" if settings.tf32 else ""
    told = tried(computer)
    assert (told["tf32"].ratio, told["tf32"].note) == (None, "mine.toml: out of memory")
    assert told["channels_last"].ratio is not None


def test_when_the_present_computation_does_not_run_the_error_is_told() -> None:
    computer = Computer(gains)
    computer.fail = lambda _: "mine.toml: no batch"
    with pytest.raises(DlcheckError, match="no batch"):
        tried(computer)
    assert computer.alive == 0


def test_ctrl_c_ends_all() -> None:
    computer = Computer(gains)

    def press(settings: TrialSettings) -> str:
        if settings.tf32:
            raise KeyboardInterrupt
        return ""

    computer.fail = press
    with pytest.raises(KeyboardInterrupt):
        tried(computer)
    assert computer.alive == 0


@pytest.mark.parametrize("budget_s", [3.0, 15.0, 30.0, 80.0])
def test_the_budget_is_kept(budget_s: float) -> None:
    computer = Computer(gains)
    told = tried(computer, budget_s=budget_s)
    assert computer.now <= budget_s + 4
    assert told["compile"].note == "the budget ended first"
    assert (told["bf16"].ratio is None) == (budget_s < 10)


def test_nothing_is_faster_by_chance() -> None:
    wrong = 0
    for seed in range(12):
        computer = Computer(lambda settings: 0.5 if settings.loader.batch_size else 1.0, noise=0.03)
        computer.random = random.Random(seed)
        wrong += sum((trial.low or 0) > 1 for trial in tried(computer).values())
    assert wrong <= 2  # of 60 trials, at 5 %


def names(found: Found, text: str = "", *, code: bool = True) -> list[str]:
    return [one.name for one in variations(found, recipe(text) if code else None, cores=2.0, code=code)]


def test_what_makes_sense_depends_on_device_and_subject(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dlcheck.profiling.whatif_variation.multiplies_bf16", lambda: False)
    assert names(CUDA) == ["bf16", "fp16", "tf32", "channels_last", "batch doubled", "compile"]
    assert names(CPU) == ["threads", "channels_last", "batch doubled", "compile"]
    assert names(CUDA, code=False) == ["tf32", "batch doubled"]
    assert names(CPU, code=False) == ["threads", "batch doubled"]
    text = '[train]\ntf32 = true\nchannels_last = true\ncompile = true\nprecision = "bf16"\n'
    assert names(replace(CUDA, precision="bf16"), text) == ["batch doubled"]
    assert names(replace(CUDA, samples=100)) == ["bf16", "fp16", "tf32", "channels_last", "compile"]


def test_threads_are_tried_the_other_way() -> None:
    by_threads = {
        threads: next(iter(variations(replace(CPU, threads=threads), None, cores=4.0, code=False))).value
        for threads in (1, 2, 4)
    }
    assert by_threads == {1: 4, 2: 1, 4: 1}
    assert names(replace(CPU, threads=1, samples=None), code=False) == ["threads"]
    assert not variations(replace(CPU, threads=1, samples=None), None, cores=1.0, code=False)


@pytest.mark.parametrize(("flags", "has"), [("fpu avx512_bf16", True), ("fpu amx_bf16", True), ("fpu avx2", False)])
def test_a_processor_without_bfloat16_is_not_made_to_emulate_it(flags: str, has: bool, tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text(f"processor : 0\nflags : {flags}\n")
    assert multiplies_bf16(tmp_path / "cpuinfo") is has
    assert multiplies_bf16(tmp_path / "none") is False
