"""The loop never waits for the device at every step: on a CPU by counting reads, on a GPU by forbidding them."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from dlcheck.training import trainer as trainer_module
from dlcheck.training.assemble import assemble
from dlcheck.training.callbacks import Callback
from dlcheck.training.session import resume, train
from dlcheck.training.trainer import Trainer
from tests.training.conftest import tiny
from tests.training.test_resume import StopAfter


class Reads(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts how often one number is read from a tensor, which on a GPU waits for all work before it."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += func is torch.ops.aten._local_scalar_dense.default
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize(
    "overrides",
    [
        [],
        ["train.clip_norm=1.0", "model.norm=batch", "model.dropout=0.2"],
        ["regularize.l1=0.001", "regularize.max_norm=2.0", "regularize.weight_noise=0.01"],
        ["regularize.l2=0.001", "regularize.input_noise=0.1", "regularize.dropconnect=0.1"],
        ["regularize.average=ema", "schedule.name=one_cycle", "optimizer.name=momentum"],
        ["augment.rotate=10", "augment.translate=0.1", "augment.flip_horizontal=true", "augment.erase=0.5"],
    ],
)
def test_no_step_reads_a_number_from_the_device(overrides: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainer_module, "FLUSH_S", 1e9)
    found = []
    for steps in (5, 20):
        loaded = tiny("train.batch_size=10", "train.epochs=1", f"train.max_steps={steps}", *overrides)
        parts = assemble(loaded.recipe, folder=Path(), device=torch.device("cpu"))
        with Reads() as reads:
            Trainer(parts).fit()
        found.append(reads.count)
    assert found[0] == found[1], "reads grow with the number of steps"


needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


@pytest.mark.gpu
@needs_cuda
@pytest.mark.parametrize(
    "overrides", [[], ["train.precision=bf16", "train.channels_last=true"], ["train.compile=true"]]
)
def test_a_gpu_trains_like_a_cpu(tmp_path: Path, overrides: list[str]) -> None:
    found = []
    for device in ("cpu", "cuda"):
        loaded = tiny("data.limit=1000", "train.epochs=5", *overrides)
        found.append(train(loaded, device=device, run_path=tmp_path / device).facts["best_val_accuracy"])
    assert found[1] == pytest.approx(found[0], abs=0.04)


@pytest.mark.gpu
@needs_cuda
def test_no_step_waits_for_the_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    class Forbid(Callback):
        def on_epoch_begin(self, trainer: Trainer) -> None:
            torch.cuda.set_sync_debug_mode("error")

    monkeypatch.setattr(trainer_module, "FLUSH_S", 1e9)
    monkeypatch.setattr(Trainer, "flush", lambda self: torch.cuda.set_sync_debug_mode("default"))
    loaded = tiny("train.epochs=1", "train.max_steps=5")
    parts = assemble(loaded.recipe, folder=Path(), device=torch.device("cuda"))
    trainer = Trainer(parts, [Forbid()])
    try:
        trainer.fit()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert trainer.state.step == 5


@pytest.mark.gpu
@needs_cuda
def test_a_gpu_run_resumes(tmp_path: Path) -> None:
    loaded = tiny("train.precision=fp16", "train.epochs=4")
    broken = train(loaded, device="cuda", run_path=tmp_path / "run", callbacks=[StopAfter(9)])
    assert resume(broken.folder).facts["finished"]
