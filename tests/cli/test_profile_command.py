"""``dlcheck profile-gpu`` from the outside."""

import json
import os
from pathlib import Path

import pytest

from dlcheck.runs.facts.profile import PARTS
from tests.cli.conftest import Command

SCRIPT = """
import sys
import time

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Slow(Dataset):
    def __len__(self):
        return 4000

    def __getitem__(self, index):
        time.sleep(0.004)
        return torch.randn(16), index % 3


if __name__ == "__main__":
    print("hello from the script", sys.argv[1:])
    model = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 3))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for epoch in range(3):
        for inputs, labels in DataLoader(Slow(), batch_size=8):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(inputs), labels)
            loss.backward()
            optimizer.step()
"""
FEW = ("--no-sweep", "--budget", "20", "--quiet", "--device", "cpu")


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "train.py"
    path.write_text(SCRIPT)
    return path


def processes_in(folder: Path) -> set[str]:
    """Return the other processes that run in a folder."""
    found = set()
    for process in Path("/proc").iterdir():
        try:
            if process.name.isdigit() and (process / "cwd").readlink() == folder:
                found.add(process.name)
        except OSError:  # it ended meanwhile
            continue
    return found - {str(os.getpid())}


def test_a_script_is_profiled_unmodified(command: Command, script: Path, tmp_path: Path) -> None:
    arguments = ("--format", "json", "--output", "profile.json", "--trace", "trace.json", "--run-dir", "run")
    done = command("profile-gpu", *FEW, *arguments, "--", str(script), "--epochs", "3")
    assert done.returncode in (0, 1), done.stderr
    assert done.stdout == ""
    told = json.loads((tmp_path / "profile.json").read_text())
    steps = told["facts"]["step_times"]
    assert told["schema"] == "dlcheck.profile/1"
    assert [part["name"] for part in steps["parts"]] == list(PARTS)
    assert sum(part["share"] for part in steps["parts"]) == pytest.approx(1.0, abs=1e-6)
    assert told["facts"]["loader_times"]["dataset"] == "Slow"
    assert told["bound"]["kind"] in ("input", "inconclusive")  # a busy machine cannot be told from a slow one
    assert json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    assert (tmp_path / "run" / "report.html").read_text().startswith("<!doctype html>")
    assert script.read_text() == SCRIPT
    assert not processes_in(tmp_path)


def test_the_run_folder_can_be_diagnosed_later(command: Command, tmp_path: Path) -> None:
    recipe = tmp_path / "small.toml"
    recipe.write_text('[data]\nname = "digits"\nlimit = 300\n[model]\nname = "mlp"\nhidden = [24]\n')
    done = command("profile-gpu", *FEW, str(recipe), "--run-dir", "run")
    assert done.returncode in (0, 1), done.stderr
    assert done.stdout.splitlines()[0] == str(recipe)
    assert done.stdout.splitlines()[-2] == "run folder: run (report.html)"
    assert done.stdout.splitlines()[-1].startswith("next: ")
    again = command("diagnose", "run", "--select", "P", "--format", "json")
    told = json.loads(again.stdout)["runs"][0]
    assert {"P501", "P511"} & {*told["clean"], *(item["code"] for item in [*told["findings"], *told["not_checked"]])}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["no-such-recipe"], "no-such-recipe"),
        (["digits", "--epochs"], "--epochs"),
        (["digits", "extra"], "extra: one recipe at a time"),
        (["digits", "--set", "train.nothing=3"], "train.nothing"),
        (["digits", "--device", "tpu"], "expected auto, cpu or cuda[:N]"),
        (["digits", "--output", "there"], "there: exists already"),
        (["digits", "--trace", "there"], "there: exists already"),
        (["digits", "--trace", "nowhere/trace.json"], "there is no folder nowhere"),
        (["digits", "--run-dir", "there"], "there: exists already"),
        (["digits", "--write"], "--write: digits is no recipe file of yours"),
        (["digits", "--budget", "1"], "--budget"),
        (["--set", "a=1", "--", "train.py"], "--set and --seed are for recipes"),
        (["--write", "--", "train.py"], "train.py is no recipe"),
        (["--", "missing.py"], "missing.py: no such file"),
        (["-m", "no_such_module"], "no_such_module"),
        (["no_such_module:factory"], "no_such_module"),
        ([], "Missing argument"),
    ],
)
def test_bad_input_is_one_line(command: Command, tmp_path: Path, words: list[str], told: str) -> None:
    (tmp_path / "there").write_text("mine")
    (tmp_path / "train.py").write_text(SCRIPT)
    done = command("profile-gpu", "--quiet", *words)
    assert done.returncode == 2, done.stderr
    assert told in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert (tmp_path / "there").read_text() == "mine"


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("raise ValueError('no data here')", "no data here"),
        ("print('nothing to train')", "train.py: ended without a training step"),
        ("import os; os._exit(7)", "ended"),
        ("def broken(:", "line 1"),
    ],
)
def test_a_script_that_never_trains_is_one_line(command: Command, tmp_path: Path, body: str, told: str) -> None:
    (tmp_path / "train.py").write_text(body)
    done = command("profile-gpu", *FEW, "--", "train.py")
    assert done.returncode == 2, done.stderr
    assert told in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert not list(tmp_path.glob("dlcheck-runs/*"))


def test_help_needs_no_torch(command: Command) -> None:
    done = command("profile-gpu", "--help")
    assert done.returncode == 0
    assert "--write" in done.stdout
