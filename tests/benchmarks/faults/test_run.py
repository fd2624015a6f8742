"""The benchmark itself: halves, loop and store, and dlcheck asked about one healthy and one faulty training."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from dlcheck.checks.data import exams
from dlcheck.checks.data.samples import Samples
from tests.benchmarks.faults import ask, memo
from tests.benchmarks.faults.__main__ import catalogue, main
from tests.benchmarks.faults.data import DATA, available, data
from tests.benchmarks.faults.jobs import PLANTS, SEEDS, Job, jobs, short
from tests.benchmarks.faults.loop import WORST, Training
from tests.benchmarks.faults.plants import FAULTS
from tests.benchmarks.faults.programs import OPTIONAL, PROGRAMS, Program, halves, present
from tests.benchmarks.faults.record import Told, Trained
from tests.benchmarks.faults.run import Store, make, planned

PROGRAM = next(one for one in PROGRAMS if one.name == "moons/mlp2/momentum")


def test_programs_are_many_and_fall_into_two_halves() -> None:
    of = halves()
    assert len(PROGRAMS) >= 40
    assert {one.name for one in (*PROGRAMS, *OPTIONAL)} == set(of)
    assert {one.data for one in (*PROGRAMS, *OPTIONAL)} == set(DATA)
    assert {one.data for one in present()} == {name for name in DATA if available(name)}
    assert len({one.optimizer for one in PROGRAMS}) == 5
    sizes = Counter(of.values())
    assert abs(sizes["tuning"] - sizes["held"]) <= 1
    assert halves() == of


def test_jobs_are_as_many_as_promised_and_differ() -> None:
    found = jobs()
    assert len({job.key for job in found}) == len(found)
    healthy = [job for job in found if job.kind == "healthy"]
    assert len(healthy) >= 300
    plants = Counter(job.variant for job in found if job.kind == "fault" and job.seed == 0)
    optimizers = {name: {job.program.optimizer for job in found if job.variant == name} for name in plants}
    assert sum(count >= 2 * PLANTS and len(optimizers[name]) >= 2 for name, count in plants.items()) >= 30
    assert all(job.half == halves()[job.program.name] for job in found)
    assert {job.half for job in jobs("held")} == {"held"}


def test_the_short_version_has_every_fault_and_half_of_the_programs() -> None:
    kept = short(jobs())
    assert len({job.program for job in kept if job.kind == "healthy"}) == len(PROGRAMS[::2])
    assert {job.variant for job in kept if job.kind == "fault"} == set(FAULTS)


@pytest.mark.parametrize("program", [PROGRAMS[0], PROGRAM], ids=lambda one: one.name)
def test_a_training_is_the_same_bits_watched_or_not(program: Program) -> None:
    samples = data(program.data)

    def plan() -> object:
        made = program.plan(3)
        made.epochs = 3
        return made

    alone = ask.plain(plan, samples)  # type: ignore[arg-type]
    training, _, error = ask.watched(plan, samples)  # type: ignore[arg-type]
    assert error is None
    assert training is not None
    seen = training.judge()
    assert seen.scores == alone.scores
    assert seen.log == alone.log
    for mine, theirs in zip(seen.states[-1].values(), alone.states[-1].values(), strict=True):
        assert torch.equal(mine, theirs)


def test_a_healthy_training_is_told_nothing_of_and_a_softmax_too_many_is() -> None:
    healthy = make(Job(PROGRAM, "plain", "healthy", "tuning", 0, checked=True))
    assert healthy.error is None
    assert healthy.score > 0.9
    assert set(healthy.doctors) == {"live", "log", "check"}
    assert not [one for told in healthy.doctors.values() for one in told if one.severity != "info"]
    sick = make(Job(PROGRAM, "softmax-before-cross-entropy", "fault", "tuning", 0, checked=True))
    for way in ("live", "check"):
        assert "M206" in {one.code for one in sick.doctors[way] if one.primary}
    found = next(one for one in sick.doctors["live"] if one.code == "M206")
    assert found.step is not None
    assert found.step <= 64


def test_an_exception_is_the_end_and_the_worst_score() -> None:
    row = make(Job(PROGRAM, "labels-from-one", "fault", "tuning", 0))
    assert row.error is not None
    assert row.error.startswith("IndexError")
    assert row.score == WORST
    assert "D104" in {one.code for one in row.doctors["live"]}


def test_the_log_is_what_the_loop_left() -> None:
    plan, _ = planned(Job(PROGRAM, "plain", "healthy", "tuning", 0))
    plan.epochs = 2
    result = Training(plan, plan.data).run()
    epochs = [row for row in result.log if "val_loss" in row]
    assert [row["epoch"] for row in epochs] == [1, 2]
    assert all({"train_loss", "train_accuracy", "val_accuracy", "lr", "step"} <= set(row) for row in epochs)
    assert result.steps == epochs[-1]["step"] == 2 * -(-len(plan.data.x) // plan.batch)


def test_what_is_stored_comes_back_and_a_torn_line_is_left_out(tmp_path: Path) -> None:
    store = Store(tmp_path / "deep" / "rows.jsonl")
    row = Trained("a/b/c", "plain", "healthy", "held", 1, 0.5, 0.5, doctors={"live": [Told("C409", "warning", 0.9)]})
    store.add(row)
    store.add(replace(row, seed=2))
    whole = store.path.read_text(encoding="utf-8")
    store.path.write_text(whole + whole[:40], encoding="utf-8")
    assert store.rows() == {"a/b/c plain 1": row, "a/b/c plain 2": replace(row, seed=2)}
    Store(store.path).add(replace(row, seed=3))
    assert len(store.rows()) == 3


def test_what_is_there_is_not_made_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--only", "moons/mlp2/momentum plain", "--out", str(tmp_path), "--workers", "1"]
    rows = [Trained(PROGRAM.name, "plain", "healthy", "held", seed, 0.9, 0.9) for seed in range(SEEDS)]
    for row in rows:
        Store(tmp_path / "full.jsonl").add(row)
    assert main([*words, "--json", str(tmp_path / "figures.json")]) == 0
    assert len((tmp_path / "full.jsonl").read_text(encoding="utf-8").splitlines()) == SEEDS
    figures = json.loads((tmp_path / "figures.json").read_text(encoding="utf-8"))
    assert figures["held"]["healthy"] == SEEDS
    assert "held half" in capsys.readouterr().out


def test_every_fault_has_its_facts() -> None:
    assert {one.name for one in catalogue()} == set(FAULTS)


def test_samples_that_were_measured_are_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []

    def noise(train: Samples, classes: int) -> int:
        made.append(classes)
        return int(train.target.sum())

    def ask_of(last: int, classes: int) -> int:
        found: int = vars(exams)["label_noise"](
            Samples(np.ones((3, 2), np.float32), np.array([0, 1, last]), np.arange(3), 3), classes
        )
        return found

    monkeypatch.setattr(exams, "label_noise", noise)
    memo.forget()
    with memo.remembered():
        assert [ask_of(*one) for one in [(2, 3), (2, 3), (1, 3), (2, 4)]] == [3, 3, 2, 3]
    assert made == [3, 3, 4]
    ask_of(2, 3)
    assert made == [3, 3, 4, 3]  # outside, nothing is looked up


def test_an_examination_says_the_same_of_samples_that_it_knows() -> None:
    job = next(job for job in jobs() if job.program is PROGRAM and job.variant == "plain" and job.checked)
    memo.forget()
    first = ask.examined(lambda: planned(job)[0], job.seed)
    assert ask.examined(lambda: planned(job)[0], job.seed) == first
