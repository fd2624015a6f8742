"""``dlcheck treat -- train.py`` from the outside: the script is run, never changed, and a copy is mended."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from dlcheck.treatment.script.treat_script import treat_script

SCRIPT = """import sys

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from nearby import CLASSES

torch.manual_seed(0)
x = torch.randn(480, 16)
y = (x @ torch.randn(16, CLASSES)).argmax(1)
train = DataLoader(TensorDataset(x, y), batch_size=32, shuffle=True)
model = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, CLASSES))
opt = torch.optim.SGD(model.parameters(), lr=0.05)
for epoch in range(6):
    for inputs, labels in train:
        loss = nn.functional.cross_entropy(model(inputs), labels)
        loss.backward()
        opt.step()
print("done", *sys.argv[1:])
"""


def treat(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "dlcheck", "treat", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_a_missing_zero_grad_is_mended_in_a_copy(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(SCRIPT)
    (tmp_path / "nearby.py").write_text("CLASSES = 4\n")
    arguments = ("--run-dir", "out", "--format", "json", "--output", "told.json", "--apply")
    done = treat(tmp_path, *arguments, "--", "train.py", "--its", "own")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "done --its own\n" * 2  # the script as it is, and the copy
    assert (tmp_path / "train.py").read_text() == SCRIPT
    told = json.loads((tmp_path / "told.json").read_text())
    assert told["schema"] == "dlcheck.script-treatment/1"
    first = told["prescriptions"][0]
    assert (first["finding"]["code"], first["exact"], first["applied"]) == ("G306", True, True)
    assert "+        opt.zero_grad()" in first["diff"]
    assert "G306" not in [one["code"] for one in told["after"]["findings"]]
    copy = (tmp_path / "out" / "mended" / "train.py").read_text()
    assert copy == SCRIPT.replace("        loss.back", "        opt.zero_grad()\n        loss.back")
    names = sorted(path.name for path in tmp_path.iterdir() if path.name != "__pycache__")
    assert names == ["nearby.py", "out", "told.json", "train.py"]


def test_a_modules_package_is_mended_in_a_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    package = tmp_path / "work" / "job_of_module"
    package.mkdir(parents=True)
    loop = SCRIPT[SCRIPT.index("opt =") :].replace("range(6)", "range(2)").replace("from nearby", "")
    data = SCRIPT[SCRIPT.index("torch.manual") : SCRIPT.index("opt =")].replace("CLASSES", "int(here.read_text())")
    head = "import sys\nfrom pathlib import Path\nimport torch\nfrom torch import nn\n"
    head += "from torch.utils.data import DataLoader, TensorDataset\n"
    (package / "data.txt").write_text("4")
    (package / "__init__.py").write_text("")
    (package / "parts.py").write_text(f"{head}here = Path(__file__).parent / 'data.txt'\n{data}")
    written = f"{head}from .parts import model, train\n{loop}"
    (package / "fit.py").write_text(written)
    monkeypatch.chdir(tmp_path / "work")
    done = treat_script("job_of_module.fit", ["--its", "own"], module=True, apply=True, folder=Path("out"))
    assert sys.modules.pop("job_of_module", None) is not None  # its package, as Python would import it
    assert done.status == 0
    assert capfd.readouterr().out == "done --its own\n" * 2
    assert (package / "fit.py").read_text() == written
    assert done.notes == ()
    assert done.after is not None
    assert "G306" not in [one.code for one in done.after.outcome.findings]
    copies = tmp_path / "work" / "out" / "mended" / "job_of_module"
    assert done.copies == (Path("out", "mended", "job_of_module", "fit.py"),)
    assert "opt.zero_grad()" in (copies / "fit.py").read_text()
    assert (copies / "parts.py").read_text() == (package / "parts.py").read_text()
    names = [sorted(one.name for one in place.iterdir() if one.name != "__pycache__") for place in (package, copies)]
    assert names[0] == names[1] == ["__init__.py", "data.txt", "fit.py", "parts.py"]


def test_the_scripts_own_failure_is_passed_on(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("import sys\nprint('before')\nsys.exit(7)\n")
    failed = treat(tmp_path, "--run-dir", "out", "--", "broken.py")
    assert failed.returncode == 7, failed.stderr
    assert failed.stdout == "before\n"
