"""``dlcheck watch`` as a person meets it, in processes of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

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


def test_a_script_gets_its_own_arguments_and_its_output_stays_its_own(tmp_path: Path) -> None:
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
    assert done.stderr.splitlines()[-1].startswith("run folder: ")
    again = dlcheck(tmp_path, "diagnose", "run", "--format", "json")
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
