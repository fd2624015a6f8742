"""``dlcheck train`` killed at random moments goes on as if nothing had been."""

from pathlib import Path

import pandas as pd
import pytest
import torch

from dlcheck.runs.folder import read_object
from tests.crash.killing import Killer, kills, readable, whole

BASE = """
[data]
name = "digits"
limit = 300
[model]
name = "cnn"
channels = [4, 8]
hidden = [16]
[train]
epochs = 8
batch_size = 16
threads = 1
checkpoint_every_s = 0.1
"""
RECIPES = {
    "momentum, plateau, patience": [
        "optimizer.name=momentum",
        "optimizer.lr=0.3",
        "schedule.name=plateau",
        "schedule.patience=0",
        "train.patience=2",
    ],
    "adamw, cosine, dropout, augment": [
        "optimizer.name=adamw",
        "schedule.name=cosine",
        "model.dropout=0.3",
        "augment.translate=0.1",
        "regularize.mixup=0.2",
        "regularize.weight_noise=0.01",
    ],
    "lbfgs": ["optimizer.name=lbfgs", "optimizer.lr=0.1", "train.epochs=4"],
    "ema and a loss scaler": ["optimizer.name=adam", "regularize.average=ema", "train.precision=fp16"],
    "workers, switch": [
        "data.in_memory=false",
        "data.workers=2",
        "augment.rotate=10",
        "optimizer.name=adam",
        "optimizer.switch.epoch=2",
        "optimizer.switch.to.name=nesterov",
        "train.epochs=4",
    ],
}
KILLS = kills(8)
"""Of each recipe, every second one of a command that goes on after a kill."""
CLOCKS = ["wall_s", "samples_per_s"]


def rows(path: Path) -> int:
    """Return the finished epochs that a run's table tells of."""
    table = path / "metrics.csv"
    return max(0, table.read_text(encoding="utf-8").count("\n") - 1) if table.exists() else 0


def kept(path: Path) -> int:
    """Return the finished epochs that need not be trained again."""
    last = path / "checkpoints" / "last.pt"
    return len(torch.load(last, weights_only=True)["state"]["history"]) if last.exists() else 0


def same(one: Path, other: Path) -> None:
    """Check that two runs ended alike to the last bit, clocks aside."""
    for name in ("metrics.csv", "steps.csv"):
        left, right = (pd.read_csv(path / name).drop(columns=CLOCKS, errors="ignore") for path in (one, other))
        pd.testing.assert_frame_equal(left, right, check_exact=True)
    for name in ("last.pt", "best.pt"):
        left, right = (torch.load(path / "checkpoints" / name, weights_only=True)["model"] for path in (one, other))
        assert all(torch.equal(left[key], right[key]) for key in left), name
    facts = [read_object(path / "facts.json") for path in (one, other)]
    for name in ("stopped", "best_epoch", "finished", "test_loss"):
        assert facts[0][name] == facts[1][name], name
    assert set(facts[0]) - set(facts[1]) == set()
    for table, keys in (("layers.csv", ["step", "layer", "statistic"]), ("phases.csv", ["step", "phase"])):
        assert not pd.read_csv(other / table).duplicated(keys).any(), table
    assert set(pd.read_csv(other / "layers.csv")["step"]) >= {1, 2, 4, 8, 16}


@pytest.mark.slow
@pytest.mark.parametrize("name", RECIPES)
def test_a_training_killed_at_any_moment_ends_as_if_it_had_not_been(name: str, tmp_path: Path) -> None:
    killer = Killer()
    (tmp_path / "r.toml").write_text(BASE, encoding="utf-8")
    sets = [word for override in RECIPES[name] for word in ("--set", override)]
    command = ["train", "r.toml", "--quiet", "--device", "cpu", *sets, "--run-dir"]
    status, took_s = whole([*command, "whole"], tmp_path)
    assert status in (0, 1), (tmp_path / "output.txt").read_text()
    count = 0
    while killer.kills < KILLS:
        count += 1
        path = tmp_path / f"run-{count}"
        told = f"seed {killer.seed}, {name}, run {count}, after {killer.kills} kills"
        killed = killer.kill([*command, path.name], tmp_path, took_s)
        for _ in range(2):
            assert readable(path), told
            if not killed or not path.exists():
                break
            before = rows(path)
            assert kept(path) >= before, told
            killed = killer.kill(["train", "--quiet", "--resume", path.name], tmp_path, took_s)
            assert rows(path) >= before, told
        if not path.exists():
            assert whole([*command, path.name], tmp_path)[0] == status, told
        elif not read_object(path / "facts.json").get("finished"):
            assert whole(["train", "--quiet", "--resume", path.name], tmp_path)[0] == status, told
        elif not (path / "report.html").exists():
            assert readable(path), told
        same(tmp_path / "whole", path)
        assert not [p for p in tmp_path.rglob(".*.tmp") if p.is_file() and p.is_relative_to(path)], told
    print(f"{name}: {killer.kills} kills, a whole training {took_s:.1f} s")
