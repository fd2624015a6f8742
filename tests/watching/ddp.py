"""A script for torchrun that goes wrong in the way that its first argument says, and commands around it."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
SCRIPT = """
import os
import signal
import sys
import time

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

case, steps, pause = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
dist.init_process_group("gloo")
rank = dist.get_rank()
torch.manual_seed(0)
model = DistributedDataParallel(nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 2)))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
generator = torch.Generator().manual_seed(rank)
for step in range(steps):
    x = torch.randn(32, 8, generator=generator)
    y = (x[:, 0] > 0).long()
    time.sleep(3 * pause if case == "slow" and rank == 1 else pause)
    if rank == 1 and step == steps // 2:
        if case == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if case == "raise" and os.environ.get("TORCHELASTIC_RESTART_COUNT", "0") == "0":
            raise ValueError("a broken batch")
        if case == "short":
            break
        if case == "hang":
            time.sleep(3600)
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(model(x), y)
    loss.backward()
    optimizer.step()
    if case == "skip" and step == steps // 2 and rank != 1:
        dist.all_reduce(loss.detach())
print("rank", rank, "done", flush=True)
dist.destroy_process_group()
"""


def line_of(text: str) -> int:
    """Return the number of the script's line that holds a text."""
    (line,) = [number for number, line in enumerate(SCRIPT.splitlines(), start=1) if text in line]
    return line


@dataclass(frozen=True)
class Launched:
    """How a launch ended, and what was found."""

    status: int
    stdout: str
    stderr: str
    found: list[dict[str, Any]]
    verdict: str
    folder: Path

    @property
    def codes(self) -> list[str]:
        """Codes of the primary findings of a warning or worse."""
        return [one["code"] for one in self.found if one["primary"] and one["severity"] != "info"]

    def word(self, rank: int) -> dict[str, Any]:
        """Return what a rank said last."""
        text = (self.folder / "ranks" / str(rank) / "rank.json").read_text(encoding="utf-8")
        return dict(json.loads(text))


def launch(
    folder: Path,
    ranks: int,
    case: str,
    *options: str,
    steps: int = 100,
    pause: float = 0.01,
    launcher: Sequence[str] = (),
    text: str = SCRIPT,
) -> Launched:
    """Run the script in several processes under watch, as a person would."""
    (folder / "train.py").write_text(text, encoding="utf-8")
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "COLUMNS": "100"}
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={ranks}", *launcher]
    watch = ["-m", "dlcheck", "watch", "--run-dir", "run", "--format", "json", "--output", "found.json", *options]
    script = ["train.py", case, str(steps), str(pause)]
    done = subprocess.run(
        [*torchrun, *watch, *script],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    run: dict[str, Any] = {"findings": [], "verdict": ""}
    if (folder / "found.json").exists():
        (run,) = json.loads((folder / "found.json").read_text(encoding="utf-8"))["runs"]
    return Launched(done.returncode, done.stdout, done.stderr, run["findings"], run["verdict"], folder / "run")


def diagnosed(folder: Path, environment: dict[str, str] | None = None) -> list[dict[str, Any]]:
    """Return what ``dlcheck diagnose`` finds in a run folder later on."""
    done = subprocess.run(
        [sys.executable, "-m", "dlcheck", "diagnose", str(folder), "--format", "json"],
        env={**os.environ, "PYTHONPATH": str(ROOT), **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr
    (run,) = json.loads(done.stdout)["runs"]
    return list(run["findings"])
