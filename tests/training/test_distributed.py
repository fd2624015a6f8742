"""One training in several processes: the same steps as in one, and one voice."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import torch

from dlcheck.cli.app import run as run_command
from dlcheck.errors import DlcheckError
from dlcheck.recipe import load_recipe
from dlcheck.runs import read_run
from dlcheck.runs.folder import read_object
from dlcheck.training.session import train

RECIPE = """
[data]
name = "digits"
limit = 300

[model]
name = "mlp"
hidden = [16]

[optimizer]
name = "momentum"
lr = 0.05

[train]
epochs = {epochs}
batch_size = 31
accumulate = 2
threads = 1
"""
EXACT = ["epoch", "step", "lr"]
CLOSE = ["train_loss", "train_accuracy", "train_eval_loss", "train_eval_accuracy", "val_loss", "val_accuracy"]


def dlcheck(*words: object, folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*words), cwd=folder, env=environment(**more), capture_output=True, text=True, timeout=300
    )


def command(*words: object) -> list[str]:
    return [sys.executable, "-m", "dlcheck", *map(str, words)]


def environment(**more: str) -> dict[str, str]:
    return os.environ | {"OMP_NUM_THREADS": "1", "COLUMNS": "100", "PYTHONPATH": str(Path(__file__).parents[2])} | more


def recipe(folder: Path, epochs: int = 2, more: str = "") -> Path:
    path = folder / "recipe.toml"
    path.write_text(RECIPE.format(epochs=epochs) + more, encoding="utf-8")
    return path


def curves(run: Path) -> pd.DataFrame:
    return pd.read_csv(run / "metrics.csv")


def weights(run: Path) -> dict[str, torch.Tensor]:
    saved = torch.load(run / "checkpoints" / "last.pt", weights_only=True)
    return dict(saved["model"])


def same_training(one: Path, other: Path) -> None:
    first, second = curves(one), curves(other)
    pd.testing.assert_frame_equal(first[EXACT], second[EXACT])
    pd.testing.assert_frame_equal(first[CLOSE], second[CLOSE], rtol=1e-4, atol=1e-6)
    for name, tensor in weights(one).items():
        torch.testing.assert_close(weights(other)[name], tensor, rtol=1e-3, atol=1e-5)


def test_two_processes_make_the_steps_of_one(tmp_path: Path) -> None:
    path = recipe(tmp_path)
    train(load_recipe(path), run_path=tmp_path / "alone", device="cpu")
    both = dlcheck("train", path, "--run-dir", "both", "--devices=2", folder=tmp_path)
    assert both.returncode == 0, both.stderr
    same_training(tmp_path / "alone", tmp_path / "both")
    assert both.stdout.count("run folder: ") == 1
    assert both.stderr.count("2 processes: each takes 31 of a batch of 62, the rate of 0.05 stays") == 1
    assert "Traceback" not in both.stderr
    facts = read_object(tmp_path / "both" / "facts.json")
    assert facts["processes"] == 2
    assert facts["test_accuracy"] == read_object(tmp_path / "alone" / "facts.json")["test_accuracy"]
    run = read_run(tmp_path / "both")
    assert not run.layers.empty


@pytest.mark.slow
@pytest.mark.parametrize(
    "more",
    [
        '\n[regularize]\nl2 = 0.01\naverage = "ema"\n',
        '\n[schedule]\nname = "plateau"\n',
        '\n[model]\nname = "cnn"\n'.replace("[model]", "[schedule]").replace('"cnn"', '"cosine"'),
    ],
)
@pytest.mark.parametrize("devices", [2, 3])
def test_regularisers_and_schedules_act_as_in_one_process(tmp_path: Path, more: str, devices: int) -> None:
    path = recipe(tmp_path, 3, more)
    alone = dlcheck("train", path, "--run-dir", "alone", "--quiet", folder=tmp_path)
    assert alone.returncode in (0, 1), alone.stderr  # three epochs of averages are no good training
    done = dlcheck("train", path, "--run-dir", "all", "--quiet", "--devices", devices, folder=tmp_path)
    assert done.returncode == alone.returncode, done.stderr
    same_training(tmp_path / "alone", tmp_path / "all")


def wait_for(there: Callable[[], bool], limit_s: float = 120.0) -> None:
    end = time.monotonic() + limit_s
    while not there():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.05)


def interrupted(folder: Path, number: int, *words: object) -> subprocess.CompletedProcess[str]:
    """Start a long training, send a signal once it has a checkpoint, and wait for its end."""
    started = subprocess.Popen(
        command("train", *words),
        cwd=folder,
        env=environment(),
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    wait_for(lambda: (folder / "run" / "checkpoints" / "last.pt").exists() or started.poll() is not None)
    started.send_signal(number)
    stdout, stderr = started.communicate(timeout=120)
    return subprocess.CompletedProcess(command("train", *words), started.returncode, stdout, stderr)


@pytest.mark.slow
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_all_processes_with_everything_kept(tmp_path: Path, number: int, status: int) -> None:
    path = recipe(tmp_path, epochs=100_000)
    ended = interrupted(tmp_path, number, path, "--run-dir", "run", "--devices", 2, "--quiet")
    assert ended.returncode == status
    assert "next: dlcheck train --resume" in ended.stdout
    assert len(curves(tmp_path / "run")) >= 1


@pytest.mark.slow
@pytest.mark.parametrize(("first", "second"), [(2, 1), (1, 2), (2, 2)])
def test_a_run_goes_on_in_another_number_of_processes(tmp_path: Path, first: int, second: int) -> None:
    path = recipe(tmp_path, epochs=60)
    assert dlcheck("train", path, "--run-dir", "whole", "--quiet", folder=tmp_path).returncode == 0
    ended = interrupted(tmp_path, signal.SIGTERM, path, "--run-dir", "run", "--devices", first, "--quiet")
    assert ended.returncode == 143, "it had ended before the signal came"
    went_on = dlcheck("train", "--resume", "run", "--devices", second, "--quiet", folder=tmp_path)
    assert went_on.returncode in (0, 1), went_on.stderr
    same_training(tmp_path / "whole", tmp_path / "run")


@pytest.mark.slow
def test_a_damaged_checkpoint_is_told_by_the_leading_process_alone(tmp_path: Path) -> None:
    path = recipe(tmp_path, epochs=60)
    ended = interrupted(tmp_path, signal.SIGTERM, path, "--run-dir", "run", "--quiet")
    assert ended.returncode == 143, "it had ended before the signal came"
    kept = tmp_path / "run" / "checkpoints" / "last.pt"
    kept.write_bytes(kept.read_bytes()[:100])
    went_on = dlcheck("train", "--resume", "run", "--devices", 2, "--quiet", folder=tmp_path)
    assert went_on.returncode in (0, 1), went_on.stderr
    told = [line for line in went_on.stderr.splitlines() if "last.pt" in line]
    assert len(told) == 1, went_on.stderr


@pytest.mark.slow
def test_as_many_processes_go_on_bit_for_bit(tmp_path: Path) -> None:
    path = recipe(tmp_path, epochs=60, more="\n[regularize]\ninput_noise = 0.1\n")
    whole = dlcheck("train", path, "--run-dir", "whole", "--quiet", "--devices", 2, folder=tmp_path)
    assert whole.returncode in (0, 1)
    ended = interrupted(tmp_path, signal.SIGTERM, path, "--run-dir", "run", "--devices", 2, "--quiet")
    assert ended.returncode == 143, "it had ended before the signal came"
    assert dlcheck("train", "--resume", "run", "--devices", 2, "--quiet", folder=tmp_path).returncode in (0, 1)
    columns = [*EXACT, *CLOSE]
    pd.testing.assert_frame_equal(
        curves(tmp_path / "run")[columns], curves(tmp_path / "whole")[columns], check_exact=True
    )
    for name, tensor in weights(tmp_path / "whole").items():
        assert torch.equal(weights(tmp_path / "run")[name], tensor)


@pytest.mark.slow
def test_a_process_that_is_killed_ends_the_others_with_one_line(tmp_path: Path) -> None:
    path = recipe(tmp_path, epochs=100_000)
    words = ("train", path, "--run-dir", "run", "--devices", 2, "--quiet")
    started = subprocess.Popen(command(*words), cwd=tmp_path, env=environment(), stderr=subprocess.PIPE, text=True)
    wait_for(lambda: (tmp_path / "run" / "checkpoints" / "last.pt").exists())
    victims = subprocess.run(["pgrep", "-f", str(path)], capture_output=True, text=True, check=True).stdout.split()
    os.kill(max(map(int, victims)), signal.SIGKILL)  # the process that was started last
    _, told = started.communicate(timeout=120)
    assert started.returncode not in (0, 1)
    assert len([line for line in told.splitlines() if line.startswith("dlcheck: ")]) <= 1, told
    assert "Traceback" not in told
    assert len(curves(tmp_path / "run")) >= 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--set", "optimizer.name=lbfgs"), "lbfgs trains in one process"),
        (("--set", "train.batch_size=1"), "fewer than one sample for each of 2 processes"),
        (("--set", "data.split.folds=3"), "several processes train one fold at a time"),
        (("--device", "cuda:0"), "takes a GPU of its own"),
        (("--set", "optimizer.lrr=1"), "unknown key; did you mean 'lr'?"),
    ],
)
def test_what_cannot_be_is_one_line(tmp_path: Path, words: tuple[str, ...], told: str) -> None:
    done = dlcheck("train", recipe(tmp_path), "--devices", 2, *words, folder=tmp_path)
    assert done.returncode == 2
    lines = [line for line in done.stderr.splitlines() if line.startswith("dlcheck: ")]
    assert len(lines) == 1, done.stderr
    assert told in lines[0]
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_the_status_of_the_leading_process_comes_through(tmp_path: Path) -> None:
    words = ("train", recipe(tmp_path, 12), "--devices", 2, "--quiet", "--set", "optimizer.lr=30", "--run-dir", "run")
    done = dlcheck(*words, folder=tmp_path)
    assert done.returncode == 1, done.stderr
    assert "ChildFailedError" not in done.stderr
    assert done.stdout.count("run folder: ") == 1


@pytest.mark.slow
def test_torchrun_itself_will_do(tmp_path: Path) -> None:
    words = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", "dlcheck", "train"]
    done = subprocess.run(
        [sys.executable, *words, str(recipe(tmp_path)), "--run-dir", "run", "--quiet"],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert read_object(tmp_path / "run" / "facts.json")["processes"] == 2


def test_devices_under_a_launcher_are_refused(tmp_path: Path) -> None:
    done = dlcheck("train", recipe(tmp_path), "--devices", 2, folder=tmp_path, RANK="0", WORLD_SIZE="2")
    assert done.returncode == 2
    assert "leave it out under torchrun" in done.stderr


@pytest.mark.parametrize("name", ["check", "treat", "tune", "lr-find", "profile-gpu"])
def test_other_commands_are_not_for_torchrun(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(DlcheckError, match=f"dlcheck {name} runs in one process, not in 2"):
        run_command([name, "digits"])
