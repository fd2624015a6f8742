"""An interrupted training goes on bit for bit, whatever the recipe uses."""

import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import torch

from dlcheck.errors import DlcheckError
from dlcheck.training.callbacks import Callback
from dlcheck.training.folds import across_folds, resume_all, train_all
from dlcheck.training.session import TrainResult, resume
from dlcheck.training.trainer import Trainer
from tests.training.conftest import TINY, RunTraining, tiny

RECIPES = {
    "plain": [],
    "random everything": [
        "model.dropout=0.3",
        "augment.translate=0.1",
        "regularize.mixup=0.2",
        "regularize.weight_noise=0.01",
        "regularize.input_noise=0.1",
        "regularize.dropconnect=0.1",
    ],
    "ema and one cycle": ["regularize.average=ema", "schedule.name=one_cycle", "optimizer.name=momentum"],
    "swa, warm-up, batch norm": [
        "regularize.average=swa",
        "regularize.average_start=0.3",
        "schedule.name=cosine",
        "schedule.warmup=1",
        "model.norm=batch",
    ],
    "switch": ["optimizer.switch.epoch=1", "optimizer.switch.to.name=nesterov", "schedule.name=exponential"],
    "plateau and patience": ["schedule.name=plateau", "schedule.patience=0", "train.patience=3"],
    "accumulation": ["train.accumulate=3", "train.batch_size=10", "train.clip_norm=1.0"],
    "loader": ["data.in_memory=false", "data.workers=0", "augment.rotate=10"],
    "fp16": ["train.precision=fp16"],
}


class StopAfter(Callback):
    """Interrupts after so many steps."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_step_end(self, trainer: Trainer) -> None:
        if trainer.state.step == self.step:
            trainer.stop = "interrupted"


def same_layers(whole: TrainResult, parts: TrainResult) -> None:
    """Check the statistics of the steps that both runs looked at: which ones, the clock decides, but for some."""
    keys, summed = ["step", "layer", "statistic"], {"dead_fraction", "saturated_fraction"}
    left, right = (pd.read_csv(r.folder / "layers.csv") for r in (whole, parts))
    assert not right.duplicated(keys).any()
    both = left.merge(right, on=keys)
    both = both[~both["statistic"].isin(summed)]
    assert set(both["step"]) >= {1, 2, 4, 8, 16}
    pd.testing.assert_series_equal(both["value_x"], both["value_y"], check_exact=True, check_names=False)


def same(whole: TrainResult, parts: TrainResult) -> None:
    """Check that two runs ended alike to the last bit, clocks aside."""
    clocks = ["wall_s", "samples_per_s"]
    for name in ("metrics.csv", "steps.csv"):
        tables = [pd.read_csv(r.folder / name) for r in (whole, parts)]
        left, right = (table.drop(columns=clocks, errors="ignore") for table in tables)
        pd.testing.assert_frame_equal(left, right, check_exact=True)
    same_layers(whole, parts)
    for name in ("last.pt", "best.pt"):
        first, second = (torch.load(r.folder / "checkpoints" / name)["model"] for r in (whole, parts))
        assert all(torch.equal(first[key], second[key]) for key in first), name
    assert whole.facts["test_loss"] == parts.facts["test_loss"]


@pytest.mark.parametrize("step", [9, 14], ids=["inside an epoch", "at an epoch's end"])
@pytest.mark.parametrize("overrides", RECIPES.values(), ids=RECIPES.keys())
def test_resuming_is_bit_for_bit(run: RunTraining, overrides: list[str], step: int) -> None:
    whole = run(*overrides)
    broken = run(*overrides, callbacks=[StopAfter(step)])
    assert broken.stopped == "interrupted"
    assert not broken.facts["finished"]
    torch.manual_seed(12345)  # a new process starts from other random numbers
    same(whole, resume(broken.folder))


def test_a_run_that_died_after_its_rows_were_written_repeats_none(run: RunTraining) -> None:
    whole = run()
    broken = run(callbacks=[StopAfter(9)])
    for name, row in (("steps.csv", "10,1,9.9,0.01,\n11,1,9.9,0.01,\n"), ("layers.csv", "14,x,weight_norm,1.0\n14,to")):
        with (broken.folder / name).open("a", encoding="utf-8") as file:
            file.write(row)
    same(whole, resume(broken.folder))


def test_a_run_that_died_before_its_first_checkpoint_starts_again(run: RunTraining) -> None:
    whole = run()
    broken = run(callbacks=[StopAfter(2)])
    (broken.folder / "checkpoints" / "last.pt").unlink()
    same(whole, resume(broken.folder))


def test_a_killed_process_loses_nothing_that_resuming_does_not_bring_back(run: RunTraining, tmp_path: Path) -> None:
    overrides = ("train.epochs=25", "train.checkpoint_every_s=0.2", "train.threads=1")
    whole = run(*overrides)
    (tmp_path / "tiny.toml").write_text(TINY, encoding="utf-8")
    sets = [word for override in overrides for word in ("--set", override)]
    command = [sys.executable, "-m", "dlcheck", "train", str(tmp_path / "tiny.toml"), "--run-dir", "killed", "--quiet"]
    process = subprocess.Popen([*command, *sets], cwd=tmp_path, stderr=subprocess.PIPE)
    steps = tmp_path / "killed" / "steps.csv"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (steps.exists() and steps.read_text(encoding="utf-8").count("\n") > 20):
        time.sleep(0.02)
    process.kill()
    process.communicate()
    same(whole, resume(tmp_path / "killed"))


def test_a_finished_run_is_not_resumed(run: RunTraining) -> None:
    result = run()
    with pytest.raises(DlcheckError, match="has ended"):
        resume(result.folder)


def test_another_folder_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(DlcheckError, match="not a dlcheck run folder"):
        resume(tmp_path)


def test_every_fold_validates_once_and_the_test_set_never(tmp_path: Path) -> None:
    folder = tmp_path / "cv"
    results = train_all(tiny("data.split.folds=3", "train.epochs=1"), device="cpu", run_path=folder)
    assert [r.folder.name for r in results] == ["fold-0", "fold-1", "fold-2"]
    assert len({r.facts["val_loss" if "val_loss" in r.facts else "best_val_loss"] for r in results}) == 3
    mean, deviation, folds = across_folds(folder)["val_accuracy"]
    assert 0 < mean <= 1
    assert deviation >= 0
    assert folds == 3


def test_an_interrupted_cross_validation_goes_on_with_the_folds_left(tmp_path: Path) -> None:
    folder = tmp_path / "cv"
    loaded = tiny("data.split.folds=3", "train.epochs=1")
    first = train_all(loaded, device="cpu", run_path=folder, callbacks=[StopAfter(3)])
    assert [r.stopped for r in first] == ["interrupted"]
    rest = resume_all(folder)
    assert [r.stopped for r in rest] == [None, None, None]
    with pytest.raises(DlcheckError, match="every fold"):
        resume_all(folder)
