"""``dlcheck watch`` as a person meets it, in processes of its own."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.conftest import Command

HEALTHY = """
import sys
import torch
from torch import nn

torch.manual_seed(0)
torch.set_num_threads(1)
x = torch.randn(256, 8)
y = (x[:, 0] > 0).long()
model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 2))
optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
for step in range(60):
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(model(x), y)
    loss.backward()
    optimizer.step()
print("arguments", sys.argv[1:], "loss %.6f" % loss.item())
"""
SICK = HEALTHY.replace("    optimizer.zero_grad()\n", "")


def dlcheck(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a shell would."""
    environment = {**os.environ, "COLUMNS": "80", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-m", "dlcheck", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_a_script_gets_its_own_arguments_and_its_output_stays_its_own(command: Command, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(HEALTHY, encoding="utf-8")
    plain = subprocess.run(
        [sys.executable, "train.py", "--quiet", "--format", "x"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    done = dlcheck(tmp_path, "watch", "--run-dir", "run", "train.py", "--quiet", "--format", "x")
    assert done.returncode == 0, done.stderr
    assert done.stdout == plain.stdout
    assert "--quiet" in done.stdout
    assert done.stderr.splitlines()[-2] == "run folder: run (report.html)"
    again = command("diagnose", "run", "--format", "json")
    found = json.loads(again.stdout)["runs"][0]
    assert found["verdict"] == json.loads((tmp_path / "run" / "findings.json").read_text())["runs"][0]["verdict"]
    assert found["format"] == "dlcheck-run"


def test_a_fault_of_usage_is_told_with_its_line_and_exit_status_1(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(SICK, encoding="utf-8")
    done = dlcheck(tmp_path, "watch", "--format", "json", "--output", "found.json", "train.py")
    assert done.returncode == 1, done.stderr
    (run,) = json.loads((tmp_path / "found.json").read_text())["runs"]
    first = run["findings"][0]
    assert (first["code"], first["primary"]) == ("G306", True)
    assert first["where"]["file"] == "train.py"
    assert SICK.splitlines()[first["where"]["line"] - 1].strip() == "optimizer.step()"


def test_a_failing_script_keeps_its_traceback_and_status(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("import sys\nprint('begun')\nsys.exit(7)\n", encoding="utf-8")
    assert dlcheck(tmp_path, "watch", "train.py").returncode == 7
    (tmp_path / "train.py").write_text("def deep():\n    1 / 0\n\ndeep()\n", encoding="utf-8")
    done = dlcheck(tmp_path, "watch", "train.py")
    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stderr
    assert "dlcheck/watching" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "word"), [(("missing.py",), "missing.py"), (("-m", "no_such_module_here"), "no_such_module_here")]
)
def test_what_is_not_there_is_told_in_one_line(tmp_path: Path, arguments: tuple[str, ...], word: str) -> None:
    done = dlcheck(tmp_path, "watch", *arguments)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert word in done.stderr
    assert not list(tmp_path.iterdir())


SLEEPS = """
import sys
import time
try:
    print("begun", flush=True)
    time.sleep(60)
finally:
    print("cleaned", flush=True)
"""


def signalled(folder: Path, number: signal.Signals, *command: str) -> tuple[int, str, str]:
    """Run a script, send a signal once it has begun, and return its status and what it wrote."""
    environment = {**os.environ, "COLUMNS": "80", "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(
        [sys.executable, *command],
        cwd=folder,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        time.sleep(0.2)  # until it sleeps
        process.send_signal(number)
        stdout, stderr = process.communicate(timeout=60)
    return process.returncode, stdout, stderr


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent otherwise there")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_watched_script_as_it_would_end_it_alone(
    command: Command, tmp_path: Path, number: signal.Signals
) -> None:
    (tmp_path / "train.py").write_text(SLEEPS, encoding="utf-8")
    status, stdout, stderr = signalled(tmp_path, number, "train.py")
    watched = signalled(tmp_path, number, "-m", "dlcheck", "watch", "--quiet", "--run-dir", "run", "train.py")
    if number is signal.SIGINT:  # Python kills itself by an interrupt that nobody caught: 130 in a shell, as here
        assert watched == (130, stdout, stderr)
    else:  # alone it dies at once; watched it is ended as by Ctrl-C, so that it is diagnosed: 143 in a shell both times
        assert (status, stdout) == (-number, "")
        assert watched == (143, "cleaned\n", "")
    assert ("KeyboardInterrupt" in stderr) == (number is signal.SIGINT)
    again = command("diagnose", "run", "--format", "json")
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["runs"][0]["verdict"] == "unknown"


SPAWNS = """
import sys
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Rows(Dataset):
    def __init__(self):
        self.augment, self.loss = nn.Dropout(0.1), nn.functional.cross_entropy

    def __len__(self):
        return 64

    def __getitem__(self, index):
        x = torch.randn(8, generator=torch.Generator().manual_seed(index))
        return self.augment(x), int(x[0] > 0)


def start(worker):
    torch.set_num_threads(1)


def main():
    torch.manual_seed(0)
    torch.set_num_threads(1)
    data, how = Rows(), {"num_workers": 1, "multiprocessing_context": "spawn", "worker_init_fn": start}
    loader = DataLoader(data, 16, persistent_workers=True, **how)
    model = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2))
    optimizer = torch.optim.SGD(model.parameters(), lr=float(Path("rate.txt").read_text()))
    seen = 0
    for epoch in range(2):
        for x, y in loader:
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x), y).backward()
            optimizer.step()
            seen += len(x)
    print(__name__, __package__, __spec__.name, *sys.argv, sys.path[0], seen, sep="|")
    sys.exit(3)


if __name__ == "__main__":
    main()
"""


def test_a_module_whose_loader_spawns_its_workers(tmp_path: Path) -> None:
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "train.py").write_text(SPAWNS, encoding="utf-8")
    (tmp_path / "rate.txt").write_text("0.5", encoding="utf-8")
    done = dlcheck(tmp_path, "watch", "--quiet", "--run-dir", "run", "-m", "package.train", "-m", "--rate", "a b")
    assert done.returncode == 3, done.stderr
    expected = ("__main__", "package", "package.train", package / "train.py", "-m", "--rate", "a b", tmp_path, 128)
    assert done.stdout == "|".join(map(str, expected)) + "\n"
    assert done.stderr == ""
    facts = json.loads((tmp_path / "run" / "facts.json").read_text(encoding="utf-8"))
    assert facts["worker_seeds"]["workers"] == 1
    assert facts["worker_seeds"]["site"]["file"] == "package/train.py"
    assert facts["gradient_clearing"]["steps"] > 0
    assert not (tmp_path / "run" / "events.jsonl").exists()  # nothing of the doctor's failed
