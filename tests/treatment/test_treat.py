"""Whole treatments of small recipes, through the library."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pandas as pd
import pytest

import dlcheck
from dlcheck.checks.examine import examine
from dlcheck.checks.exams import EXAMS as ALL
from dlcheck.errors import DlcheckError
from dlcheck.recipe import load_recipe
from dlcheck.report.treated import Ending, Fate, Treated
from dlcheck.runs.atomic import refused
from dlcheck.runs.hold import Hold
from dlcheck.training.interrupt import StopOnInterrupt
from dlcheck.training.trainer import Trainer
from dlcheck.treatment.budget import Budget, Purse, parse_budget

SLOW = """# blobs that a small network tells apart
[data]
name = "blobs"
samples = 400
noise = 1.5

[model]
name = "mlp"
hidden = [16]

[optimizer]
name = "sgd"
lr = 1e-6  # far too low

[train]
epochs = 8
batch_size = 32
"""
EXAMS = ("labels", "first loss")
"""What these tests are about shows in the training."""
HEALTHY = SLOW.replace("lr = 1e-6  # far too low", "lr = 0.05")


@pytest.fixture(autouse=True, scope="module")
def _short_exams() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        few = partial(examine, exams=[one for one in ALL if one.name in EXAMS])
        patch.setattr("dlcheck.treatment.diagnose.examine", few)
        yield


@pytest.fixture(scope="module")
def cured(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Treated]:
    folder = tmp_path_factory.mktemp("treat")
    recipe = folder / "slow.toml"
    recipe.write_text(SLOW)
    return recipe, dlcheck.treat(recipe, folder=folder / "treated")


def test_a_rate_far_too_low_is_cured_and_proved(cured: tuple[Path, Treated]) -> None:
    recipe, done = cured
    assert done.ending is Ending.CURED
    assert [one.path for one in done.changes] == ["optimizer.lr"]
    assert done.proof is not None
    assert done.proof.better
    assert done.proof.low > 0
    assert len(done.proof.seeds) >= 2
    assert done.rounds[0].finding.code in ("G305", "C405")
    assert done.rounds[0].attempts[-1].fate is Fate.KEPT
    assert recipe.read_text() == SLOW


def test_the_cured_recipe_trains_as_it_is_and_keeps_comments(cured: tuple[Path, Treated]) -> None:
    _, done = cured
    assert done.cured is not None
    text = done.cured.read_text()
    assert "# blobs that a small network tells apart" in text
    assert "far too low" in text
    rate = load_recipe(done.cured).recipe.optimizer.lr
    assert rate == done.changes[0].new
    assert f"+lr = {rate}" in (done.folder / "cured.diff").read_text()


def test_what_it_cost_is_what_was_trained(cured: tuple[Path, Treated]) -> None:
    recipe, done = cured
    whole = load_recipe(recipe).recipe.train.epochs
    rows = [pd.read_csv(run / "metrics.csv") for run in (done.folder / "runs").iterdir()]
    assert done.cost == pytest.approx(sum(done.costs.values()))
    assert done.cost - done.costs.get("search", 0.0) == pytest.approx(sum(map(len, rows)) / whole)


def test_a_recipe_that_learned_nothing_is_trained_half_as_long_again_and_that_is_told(
    cured: tuple[Path, Treated],
) -> None:
    recipe, done = cured
    whole = load_recipe(recipe).recipe.train.epochs
    lengths = sorted(len(pd.read_csv(run / "metrics.csv")) for run in (done.folder / "runs").iterdir())
    assert lengths[0] == whole // 2
    assert lengths[1:] == [whole] * (len(lengths) - 1)
    assert any("half as long" in note for note in done.notes)


def test_the_same_again_trains_nothing(cured: tuple[Path, Treated]) -> None:
    recipe, done = cured
    before = {path: path.stat().st_mtime_ns for path in (done.folder / "runs").rglob("metrics.csv")}
    told: list[str] = []
    again = dlcheck.treat(recipe, folder=done.folder, listener=told.append)
    assert "looking for a learning rate" not in told
    assert (again.cost, again.costs) == (done.cost, done.costs)
    after = {path: path.stat().st_mtime_ns for path in (done.folder / "runs").rglob("metrics.csv")}
    assert after == before
    assert (again.ending, again.changes, again.proof) == (done.ending, done.changes, done.proof)


def test_another_recipe_is_refused_its_folder(cured: tuple[Path, Treated], tmp_path: Path) -> None:
    _, done = cured
    other = tmp_path / "other.toml"
    other.write_text(HEALTHY)
    with pytest.raises(DlcheckError, match="another recipe"):
        dlcheck.treat(other, folder=done.folder)
    with pytest.raises(DlcheckError, match="no treatment's folder"):
        dlcheck.treat(other, folder=tmp_path)


def test_a_run_is_taken_instead_of_training(cured: tuple[Path, Treated], tmp_path: Path) -> None:
    recipe, done = cured
    first = done.before.path
    again = dlcheck.treat(first, run=Path(first), folder=tmp_path / "of-run", dry_run=True)
    assert again.ending is Ending.PLANNED
    assert again.cost == 0.0
    assert again.plan
    assert again.plan[0].changes[0].path == "optimizer.lr"
    assert not (tmp_path / "of-run" / "runs").exists()
    assert recipe.read_text() == SLOW


def test_a_healthy_recipe_is_left_alone(tmp_path: Path) -> None:
    recipe = tmp_path / "healthy.toml"
    recipe.write_text(HEALTHY)
    done = dlcheck.treat(recipe, folder=tmp_path / "treated")
    assert done.ending is Ending.HEALTHY
    assert done.cost == 1.0
    assert not done.changes
    assert done.cured is None
    assert done.proof is None
    assert not (tmp_path / "treated" / "cured.toml").exists()
    told = json.loads((tmp_path / "treated" / "treatment.json").read_text())
    assert (told["schema"], told["ending"]) == ("dlcheck.treatment/1", "healthy")


def test_a_refusal_leaves_only_the_plan(cured: tuple[Path, Treated], tmp_path: Path) -> None:
    asked: list[Treated] = []

    def refuse(plan: Treated) -> bool:
        asked.append(plan)
        return False

    first = Path(cured[1].before.path)
    done = dlcheck.treat(first, run=first, folder=tmp_path / "t", confirm=refuse)
    assert done.ending is Ending.PLANNED
    assert done.cost == 0.0
    assert asked[0].plan == done.plan
    assert done.plan
    assert not done.rounds


def test_a_budget_of_one_training_proves_nothing(cured: tuple[Path, Treated], tmp_path: Path) -> None:
    first = Path(cured[1].before.path)
    done = dlcheck.treat(first, run=first, folder=tmp_path / "treated", budget=Budget(trainings=0.5))
    assert done.ending is Ending.BUDGET
    assert not done.changes
    assert done.cured is None


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, *(pytest.param(n, marks=pytest.mark.slow) for n in (signal.SIGHUP, signal.SIGINT))]
)
def test_an_interrupt_keeps_what_was_trained_and_the_same_again_goes_on(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = tmp_path / "slow.toml"
    recipe.write_text(SLOW)
    told: list[str] = []
    sent: list[int] = []
    look = StopOnInterrupt.on_step_end

    def interrupted(self: StopOnInterrupt, trainer: Trainer) -> None:
        if told and told[-1].endswith("seed 1") and not sent:  # in the middle of the second training
            sent.append(number)
            os.kill(os.getpid(), number)
        look(self, trainer)

    monkeypatch.setattr(StopOnInterrupt, "on_step_end", interrupted)
    done = dlcheck.treat(recipe, folder=tmp_path / "treated", listener=told.append)
    assert sent
    assert done.ending is Ending.INTERRUPTED
    assert done.signal == number
    made = len(list((tmp_path / "treated" / "runs").iterdir()))
    assert made >= 2
    again = dlcheck.treat(recipe, folder=tmp_path / "treated")
    assert again.ending is Ending.CURED


def test_an_interrupt_after_the_proof_keeps_the_cure(cured: tuple[Path, Treated], tmp_path: Path) -> None:
    def interrupt(words: str) -> None:
        if words == "the exam of the patched recipe":
            raise KeyboardInterrupt

    folder = tmp_path / "treated"
    shutil.copytree(cured[1].folder, folder)
    done = dlcheck.treat(cured[0], folder=folder, listener=interrupt)
    assert done.ending is Ending.INTERRUPTED
    assert (done.changes, done.proof, done.diff) == (cured[1].changes, cured[1].proof, cured[1].diff)
    assert done.rounds[0].attempts[-1].fate is Fate.KEPT


def test_searches_of_another_hand_are_refused(cured: tuple[Path, Treated], tmp_path: Path) -> None:
    folder = tmp_path / "treated"
    shutil.copytree(cured[1].folder, folder)
    (folder / "rates.json").write_text('{"key": {"colour": 3}}')
    with pytest.raises(DlcheckError, match=r"rates\.json"):
        dlcheck.treat(cured[0], folder=folder)


def test_the_cure_of_ones_own_code_trains_from_its_folder(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "mynet.py").write_text(
        "from torch import nn\n\n\ndef build(info):\n"
        "    return nn.Sequential(nn.Linear(info.input_shape[0], 16), nn.ReLU(), nn.Linear(16, info.outputs))\n"
    )
    recipe = home / "own.toml"
    recipe.write_text(SLOW.replace('name = "mlp"\nhidden = [16]', 'target = "mynet:build"'))
    done = dlcheck.treat(recipe, folder=tmp_path / "treated")
    assert done.ending is Ending.CURED
    assert done.cured is not None
    assert load_recipe(done.cured).folder == home


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (["data.split.folds=3"], "folds"),
        (["optimizer.lr=-1"], "optimizer.lr"),
        (["model.nosuch=1"], "nosuch"),
    ],
)
def test_what_cannot_be_treated_is_refused_in_a_line(tmp_path: Path, changes: list[str], words: str) -> None:
    recipe = tmp_path / "slow.toml"
    recipe.write_text(SLOW)
    with pytest.raises(DlcheckError, match=words) as refused:
        dlcheck.treat(recipe, folder=tmp_path / "treated", overrides=changes)
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "treated").exists()


@pytest.mark.parametrize(
    ("text", "budget"),
    [
        ("12 trainings", Budget(12.0)),
        ("1 training", Budget(1.0)),
        ("400 epochs", Budget(epochs=400.0)),
        ("90s", Budget(seconds=90.0)),
        ("30 min", Budget(seconds=1800.0)),
        ("2h", Budget(seconds=7200.0)),
        ("1.5h", Budget(seconds=5400.0)),
    ],
)
def test_budgets(text: str, budget: Budget) -> None:
    assert parse_budget(text) == budget


def test_the_default_budget_lets_a_recipe_of_few_epochs_train_longer() -> None:
    short, usual, given = Purse(Budget(), 1.0), Purse(Budget(), 40.0), Purse(Budget(2.0), 1.0)
    assert (short.allows(400.0), short.allows(401.0)) == (True, False)
    assert (usual.allows(20.0), usual.allows(20.1)) == (True, False)
    usual.pay("proof", 15.0)
    assert (usual.allows(5.0), usual.allows(5.1)) == (True, False)
    assert (given.allows(2.0), given.allows(2.1)) == (True, False)
    assert Purse(Budget(seconds=60.0), 40.0).allows(1000.0)
    assert not Purse(Budget(seconds=0.0), 40.0).allows(0.1)


@pytest.mark.parametrize("text", ["", "12", "0 trainings", "-3 epochs", "2 days", "1e3 epochs", "trainings 3"])
def test_no_budgets(text: str) -> None:
    with pytest.raises(DlcheckError, match="--budget"):
        parse_budget(text)


def test_one_treatment_at_a_time_writes_into_a_folder(cured: tuple[Path, Treated], tmp_path: Path) -> None:
    folder = tmp_path / "treated"
    shutil.copytree(cured[1].folder, folder)
    with Hold(folder), pytest.raises(DlcheckError, match="is writing into this run folder"):
        dlcheck.treat(cured[0], folder=folder)
    assert dlcheck.treat(cured[0], folder=folder).ending is Ending.CURED


def test_a_treatment_that_finds_no_room_for_its_folder_leaves_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe, folder = tmp_path / "well.toml", tmp_path / "treated"
    recipe.write_text(HEALTHY)

    def full(path: Path, text: str) -> None:
        raise refused(path, OSError(errno.ENOSPC, "full"))

    with monkeypatch.context() as patch:
        patch.setattr("dlcheck.treatment.left.write_atomic", full)
        with pytest.raises(DlcheckError, match="no space left on the device"):
            dlcheck.treat(recipe, folder=folder)
    assert list(tmp_path.iterdir()) == [recipe]
    assert dlcheck.treat(recipe, folder=folder).ending is Ending.HEALTHY
