"""Trials in processes of their own: the same training, and nothing left of it afterwards."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from dlcheck.errors import DlcheckError
from dlcheck.profiling.overriding import recipe_changes
from dlcheck.profiling.rows import StepRow
from dlcheck.profiling.settings import Mode, Subject, TrialSettings
from dlcheck.profiling.trial import ChildTrial, start_trial
from dlcheck.recipe import load_recipe
from dlcheck.recipe.resolve import resolve
from dlcheck.runs.facts import LoaderSetting
from dlcheck.training.assemble import assemble
from dlcheck.training.callbacks import Callback
from dlcheck.training.trainer import Trainer

PARTS = ("wait", "take", "copy", "forward", "backward", "optimizer", "inside", "outside")
PATIENT_S = 240.0
"""A busy machine starts PyTorch slowly."""

RECIPE = """
[data]
name = "digits"
in_memory = false
workers = 2
[augment]
rotate = 10
[model]
name = "mlp"
dropout = 0.1
[train]
batch_size = 32
epochs = 2
"""

SCRIPT = """
    import sys, time, torch
    from torch import nn
    from torch.utils.data import DataLoader, Dataset

    class Resize:
        def __call__(self, x):
            return x * 2

    class Rows(Dataset):
        def __init__(self):
            self.transform = Resize()
        def __len__(self):
            return 64
        def __getitem__(self, index):
            return self.transform(torch.full((4,), index / 64)), index % 2

    def train(epochs, workers):
        torch.manual_seed(3)
        model, criterion = nn.Linear(4, 2), nn.CrossEntropyLoss()
        optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
        loader = DataLoader(Rows(), batch_size=8, shuffle=True, num_workers=workers)
        for epoch in range(epochs):
            for x, y in loader:
                optimizer.zero_grad()
                loss = criterion(model(x), y)
                loss.backward()
                optimizer.step()
                time.sleep(0.03)  # GAP
                print(loss.item())

    if __name__ == "__main__":
        train(int(sys.argv[1]), int(sys.argv[2]))
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "train.py"
    path.write_text(textwrap.dedent(SCRIPT))
    return path


def group_of(trial: ChildTrial) -> list[str]:
    """Return the processes of a trial that are alive, itself included."""
    alive = []
    for folder in Path("/proc").iterdir():
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[2] == str(trial.pid) and fields[0] != "Z":
            alive.append(folder.name)
    return alive


def children() -> list[str]:
    """Return the processes that this one has started and not ended."""
    tasks = Path(f"/proc/{os.getpid()}/task").glob("*/children")
    return [child for task in tasks for child in task.read_text().split()]


def gone(trial: ChildTrial, seconds: float = 20.0) -> bool:
    until = time.monotonic() + seconds
    while group_of(trial) and time.monotonic() < until:
        time.sleep(0.05)
    return not group_of(trial)


def check_sums(rows: tuple[StepRow, ...]) -> None:
    for row in rows:
        parts = [getattr(row, name) for name in PARTS]
        assert min(parts) >= -1e-6
        assert sum(parts) == pytest.approx(row.period)


class Losses(Callback):
    """Keeps the loss of every step."""

    def __init__(self) -> None:
        self.values: list[float] = []

    def on_losses(self, trainer: Any, rows: Any) -> None:
        self.values += [row.loss for row in rows]


def test_a_recipe_trains_as_it_always_does_and_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE)
    loaded, losses = load_recipe(path, ["train.max_steps=12"]), Losses()
    trainer = Trainer(assemble(resolve(loaded), folder=loaded.folder, device=torch.device("cpu")), [losses])
    trainer.fit()
    before = children()  # workers of this process's own training
    with start_trial(TrialSettings(Subject("recipe", str(path))), timeout_s=PATIENT_S) as trial:
        assert trial.startup_s > 0
        first, second = trial.run(6), trial.run(4, skip=2)
        found = trial.found
        assert len(group_of(trial)) >= 3
        trial.close()
        assert gone(trial)
        assert set(children()) <= set(before)
    assert [*first.losses, *second.losses] == pytest.approx([*losses.values[:6], *losses.values[8:12]], abs=0)
    rows = (*first.rows, *second.rows)
    assert [len(first.rows), len(second.rows)] == [6, 4]
    assert [row.first for row in rows] == [True] + [False] * 9
    check_sums(rows)
    assert found is not None
    assert (found.kind, found.workers, found.persistent, found.stamped) == ("workers", 2, True, True)
    assert "RandomAffine" in found.transforms
    for row in rows:
        assert row.batch is not None
        assert row.batch.pid in found.worker_pids
        assert row.batch.items == 32
        assert dict(row.batch.transforms).keys() == set(found.transforms)


def test_a_script_is_profiled_unmodified_to_its_end(script: Path) -> None:
    alone = subprocess.run([sys.executable, str(script), "2", "0"], capture_output=True, text=True, check=True)
    with start_trial(TrialSettings(Subject("script", str(script), ("2", "2"))), timeout_s=PATIENT_S) as trial:
        rest = [trial.run(10), trial.run(100), trial.run(5)]
        found = trial.found
    assert gone(trial)
    losses = [loss for block in rest for loss in block.losses]
    assert losses == pytest.approx([float(line) for line in alone.stdout.split()], abs=0)
    assert [(len(block.rows), block.ended) for block in rest] == [(10, ""), (6, "finished"), (0, "finished")]
    rows = (*rest[0].rows, *rest[1].rows)
    check_sums(rows)
    assert [(row.epoch, row.first) for row in rows] == [(e, not i) for e in range(2) for i in range(8)]
    assert all(row.batch is not None and row.batch.transforms[0][0] == "Resize" for row in rows)
    assert all(row.outside >= 0.03 for row in rows)
    assert found is not None
    assert (found.kind, found.workers, found.optimizer, found.dataset) == ("workers", 2, "AdamW", "Rows")
    assert (found.steps_per_epoch, found.samples, found.batch_size, found.batch_bytes) == (8, 64, 8, 8 * (16 + 8))
    lines = script.read_text().splitlines()
    assert found.gap_site is not None
    assert "# GAP" in lines[found.gap_site.line - 1]
    assert found.fetch_site is not None
    assert "__getitem__" in lines[found.fetch_site.line - 1]
    assert found.loader_site is not None
    assert "DataLoader(" in lines[found.loader_site.line - 1]


def test_what_a_script_raises_is_one_line_that_names_the_place(tmp_path: Path) -> None:
    broken = tmp_path / "broken.py"
    broken.write_text("import torch\n\n\ndef main():\n    raise ValueError('no such\\nfile')\n\n\nmain()\n")
    with pytest.raises(DlcheckError, match=r"broken\.py, line 5: ValueError: no such file$"):
        start_trial(TrialSettings(Subject("script", str(broken))), timeout_s=PATIENT_S)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("none.py", r"none\.py: no such file"),
        ("syntax.py", r"syntax\.py: SyntaxError"),
        ("usage.py", r"usage\.py: exited with status 2: usage\.py: error: unknown"),
        ("killed.py", r"killed\.py: its process was ended by SIGKILL"),
        ("worker.py", r"worker\.py, line \d+: RuntimeError: DataLoader worker \(pid"),
        ("lambda.py", r"lambda\.py, line \d+: .*pickle"),
        ("nothing.py", r"nothing\.py: ended without a training step"),
    ],
)
def test_whatever_goes_wrong_is_one_line(tmp_path: Path, name: str, message: str) -> None:
    head = "import os, signal, sys, torch\nfrom torch.utils.data import DataLoader\n"
    item = "class Data:\n    def __len__(self): return 8\n    def __getitem__(self, i): {}\n"
    contents = {
        "syntax.py": "def\n",
        "usage.py": "import sys\nprint('usage.py: error: unknown', file=sys.stderr)\nsys.exit(2)\n",
        "killed.py": "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n",
        "worker.py": head + item.format("os._exit(3)") + "next(iter(DataLoader(Data(), num_workers=1)))\n",
        "lambda.py": head + item.format("return self.f(i)") + "d = Data()\nd.f = lambda i: i\n"
        "if __name__ == '__main__':\n"
        "    next(iter(DataLoader(d, num_workers=1, multiprocessing_context='spawn')))\n",
        "nothing.py": head + "next(iter(DataLoader([1, 2])))\n",
    }  # fmt: skip
    if name in contents:
        (tmp_path / name).write_text(contents[name])
    with pytest.raises(DlcheckError, match=message) as caught:
        start_trial(TrialSettings(Subject("script", str(tmp_path / name))), timeout_s=PATIENT_S)
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_a_failure_in_a_later_step_ends_the_block_and_says_why(script: Path) -> None:
    script.write_text(script.read_text().replace("print(loss.item())", "assert index_of(x) < 1 or epoch < 1").replace(
        "def train(", "def index_of(x):\n    return 5\n\ndef train(")
    )  # fmt: skip
    with start_trial(TrialSettings(Subject("script", str(script), ("2", "0"))), timeout_s=PATIENT_S) as trial:
        block = trial.run(30)
    assert len(block.rows) == 8
    assert "AssertionError" in block.ended


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["ideal", "copied", "loader"])
def test_a_module_runs_in_every_mode(script: Path, monkeypatch: pytest.MonkeyPatch, mode: Mode) -> None:
    monkeypatch.chdir(script.parent)
    settings = TrialSettings(Subject("module", "train", ("2", "1")), mode=mode, kept=2)
    with start_trial(settings, timeout_s=PATIENT_S) as trial:
        block = trial.run(40, skip=2)  # more than the script has
    assert len(block.rows) == 40
    check_sums(block.rows)
    assert gone(trial)
    if mode == "loader":
        assert all(row.forward == row.backward == row.optimizer == 0.0 for row in block.rows)
        assert any(row.first for row in block.rows)
        assert not block.losses
    else:
        assert all(row.batch is None and row.forward > 0 and row.outside >= 0.03 for row in block.rows)
        assert len(block.losses) == 40


FACTORY = """
    import torch
    from torch import nn
    from torch.utils.data import DataLoader, TensorDataset

    def make(step=False):
        torch.manual_seed(0)
        model = nn.Linear(4, 2)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        data = TensorDataset(torch.randn(64, 4), torch.zeros(64).long())
        return {"model": model, "loss": nn.CrossEntropyLoss(), "optimizer": optimizer,
                "train": DataLoader(data, batch_size=8, num_workers=1)}

    def own():
        parts = make()
        def train_step(batch):
            parts["optimizer"].zero_grad()
            parts["loss"](parts["model"](batch[0]), batch[1]).backward()
            parts["optimizer"].step()
        return {**parts, "train_step": train_step, "train": [(torch.randn(8, 4), torch.zeros(8).long())] * 5}
"""


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["whole", "ideal", "loader"])
@pytest.mark.parametrize("function", ["make", "own"])
def test_a_factory_trains_by_the_usual_step_or_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: Mode, function: str
) -> None:
    (tmp_path / "parts.py").write_text(textwrap.dedent(FACTORY))
    monkeypatch.chdir(tmp_path)
    with start_trial(TrialSettings(Subject("factory", f"parts:{function}"), mode=mode), timeout_s=PATIENT_S) as trial:
        block, found = trial.run(20, skip=1), trial.found
    assert len(block.rows) == 20
    check_sums(block.rows)
    assert found is not None
    assert found.kind == ("workers" if function == "make" else "opaque")
    assert all((row.backward > 0) == (mode != "loader") for row in block.rows)
    if function == "make" and mode == "whole":
        assert all(row.batch is not None and row.batch.pid != found.main_pid for row in block.rows)


@pytest.mark.slow
def test_trials_beside_one_another_are_independent_and_later_ones_start_sooner(script: Path) -> None:
    subject = Subject("script", str(script), ("1", "0"))
    began = time.monotonic()
    with start_trial(TrialSettings(subject), timeout_s=PATIENT_S) as first:
        alone = time.monotonic() - began
        with start_trial(TrialSettings(subject), timeout_s=PATIENT_S) as second:
            losses = second.run(8).losses
            assert first.pid != second.pid
        began = time.monotonic()
        with start_trial(TrialSettings(subject, threads=1), timeout_s=PATIENT_S) as third:
            assert third.run(8).losses == losses
        assert time.monotonic() - began < alone
        assert first.run(8).losses == losses
        assert len(children()) == 1  # all of them come from one process
    assert not children()


@pytest.mark.slow
def test_settings_of_the_loader_reach_a_script(script: Path) -> None:
    setting = LoaderSetting(workers=1, prefetch=3, persistent=True, batch_size=4)
    settings = TrialSettings(Subject("script", str(script), ("2", "0")), loader=setting)
    with start_trial(settings, timeout_s=PATIENT_S) as trial:
        block, found = trial.run(20), trial.found
    assert found is not None
    assert (found.workers, found.prefetch, found.persistent, found.batch_size) == (1, 3, True, 4)
    assert {row.samples for row in block.rows} == {4}
    assert len({row.batch.pid for row in block.rows if row.batch is not None}) == 1


@pytest.mark.slow
def test_nothing_is_left_when_the_parent_is_killed(script: Path, tmp_path: Path) -> None:
    parent = tmp_path / "parent.py"
    parent.write_text(
        "import time\nfrom dlcheck.profiling.settings import *\nfrom dlcheck.profiling.trial import start_trial\n"
        f"trial = start_trial(TrialSettings(Subject('script', {str(script)!r}, ('900', '2'))), timeout_s={PATIENT_S})\n"
        "print(trial.pid, flush=True)\ntrial.run(100000)\n"
    )
    with subprocess.Popen([sys.executable, str(parent)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        group = int(process.stdout.readline())
        os.killpg(group, 0)
        process.send_signal(signal.SIGKILL)
    until = time.monotonic() + 20
    while time.monotonic() < until and _alive(group):
        time.sleep(0.1)
    assert not _alive(group)


def _alive(group: int) -> bool:
    for folder in Path("/proc").iterdir():
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[2] == str(group) and fields[0] != "Z":
            return True
    return False


@pytest.mark.slow
def test_a_block_that_takes_too_long_comes_short(script: Path) -> None:
    with start_trial(TrialSettings(Subject("script", str(script), ("900", "0"))), timeout_s=PATIENT_S) as trial:
        trial.timeout_s = 3.0
        block = trial.run(100_000)
    assert 0 < len(block.rows) < 100_000
    assert block.ended == "out of time"


def test_settings_become_keys_of_a_recipe() -> None:
    loader = LoaderSetting(2, 3, True, batch_size=16, in_memory=False, augment_on_device=True)
    subject = Subject("recipe", "digits")
    settings = TrialSettings(subject, loader=loader, precision="bf16", channels_last=True, threads=2)
    changes = recipe_changes(settings)
    recipe = load_recipe("digits", changes).recipe
    assert (recipe.data.workers, recipe.data.prefetch, recipe.data.pin_memory) == (2, 3, True)
    assert (recipe.data.in_memory, recipe.train.batch_size, recipe.augment.where) == (False, 16, "batch")
    assert (recipe.train.precision, recipe.train.channels_last, recipe.train.threads) == ("bf16", True, 2)
    assert recipe_changes(TrialSettings(Subject("recipe", "digits"))) == []


@pytest.mark.gpu
def test_a_recipe_on_a_gpu_has_times_of_the_device(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE)
    found: dict[Mode, tuple[StepRow, ...]] = {}
    modes: tuple[Mode, ...] = ("whole", "copied", "ideal")
    for mode in modes:
        settings = TrialSettings(Subject("recipe", str(path), device="cuda"), mode=mode)
        with start_trial(settings, timeout_s=PATIENT_S) as trial:
            found[mode] = trial.run(20, skip=5).rows
            assert trial.found is not None
            assert trial.found.device.startswith("cuda")
    for mode, rows in found.items():
        check_sums(rows)
        assert all(row.device is not None and min(row.device[1:]) > 0 for row in rows)
        assert all((row.copy > 0) == (mode != "ideal") for row in rows)
