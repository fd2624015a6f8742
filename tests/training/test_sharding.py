"""Sharded training (FSDP2): the steps of one process, and checkpoints that one process can load."""

import signal
from pathlib import Path

import pytest
import torch

from dlcheck.errors import DlcheckError
from dlcheck.training.sharding import is_sharded, parted_weights, refuse_unsharded
from tests.training.conftest import tiny
from tests.training.test_distributed import dlcheck, interrupted, recipe, same_training, weights

FSDP = ("--set", "train.parallel=fsdp")


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("train.precision=fp16", r"train\.precision = fp16"),
        ("train.compile=true", r"train\.compile"),
        ("regularize.average=ema", r"regularize\.average"),
        ("regularize.weight_noise=0.1", r"regularize\.weight_noise"),
        ("regularize.dropconnect=0.1", r"regularize\.dropconnect"),
        ("regularize.max_norm=3", r"regularize\.max_norm"),
    ],
)
def test_what_needs_whole_weights_is_refused(override: str, told: str) -> None:
    with pytest.raises(DlcheckError, match=told + r" needs whole weights, of which train\.parallel"):
        refuse_unsharded(tiny("train.parallel=fsdp", override).recipe)
    refuse_unsharded(tiny("train.parallel=fsdp", "train.clip_norm=1", "regularize.l2=0.1").recipe)


def test_a_model_that_is_whole_takes_weights_as_they_are() -> None:
    model = torch.nn.Linear(2, 3)
    saved = {"weight": torch.ones(3, 2), "bias": torch.zeros(3)}
    assert not is_sharded(model)
    assert parted_weights(model, saved) is saved


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["momentum", "adamw", "rmsprop"])
def test_sharded_processes_make_the_steps_of_one(tmp_path: Path, optimizer: str) -> None:
    path = recipe(tmp_path, more="clip_norm = 1.0\n[regularize]\nl2 = 0.01\nl1 = 0.001\n")
    words = ("train", path, "--quiet", "--set", f"optimizer.name={optimizer}", "--set", "optimizer.lr=0.01")
    assert dlcheck(*words, "--run-dir", "alone", folder=tmp_path).returncode == 0
    done = dlcheck(*words, *FSDP, "--run-dir", "parts", "--devices", 2, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    same_training(tmp_path / "alone", tmp_path / "parts")
    assert all(type(tensor) is torch.Tensor for tensor in weights(tmp_path / "parts").values())


@pytest.mark.slow
@pytest.mark.parametrize(("first", "second"), [(2, 1), (1, 2), (2, 2)])
def test_a_sharded_run_goes_on_in_another_number_of_processes(tmp_path: Path, first: int, second: int) -> None:
    path = recipe(tmp_path, epochs=60)
    words = ("train", path, "--quiet", *FSDP, "--set", "optimizer.name=adam", "--set", "optimizer.lr=0.001")
    assert dlcheck(*words, "--run-dir", "whole", folder=tmp_path).returncode in (0, 1)
    ended = interrupted(tmp_path, signal.SIGTERM, *words[1:], "--run-dir", "run", "--devices", first)
    assert ended.returncode == 143, "it had ended before the signal came"
    went_on = dlcheck("train", "--resume", "run", "--devices", second, "--quiet", folder=tmp_path)
    assert went_on.returncode in (0, 1), went_on.stderr
    same_training(tmp_path / "whole", tmp_path / "run")


@pytest.mark.slow
def test_a_last_batch_with_fewer_samples_than_processes_holds_nobody_up(tmp_path: Path) -> None:
    path = recipe(tmp_path, more="eval_batch_size = 358\n")  # 359 samples are tested: the last batch holds one
    words = ("train", path, "--quiet", "--set", "train.batch_size=299")  # and 300 train
    assert dlcheck(*words, "--run-dir", "alone", folder=tmp_path).returncode == 0
    done = dlcheck(*words, *FSDP, "--run-dir", "parts", "--devices", 2, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    same_training(tmp_path / "alone", tmp_path / "parts")
