"""Whether a long watched training drifts: memory and step time of a real script, watched and not watched.

    python -m tests.benchmarks.soak [--minutes 30] [--idle-share 0.1]

A plain training loop on scikit-learn's digits runs in two processes, one under ``dlcheck watch`` and one alone. They
take turns of some seconds, so that a slow moment of the machine meets both, and each writes once a second its resident
memory and the median time of its steps since. ``--minutes`` is the time that the watched script trains; the other
trains ``--idle-share`` of the whole. Printed are the slopes of both, each with a 95 % interval: of memory in KiB a
minute, of step time in per cent an hour. They are least-squares lines through the means of blocks, as single rows hang
together; the first tenth is left out. A drift is an interval above 0 that is also large enough to matter: 64 KiB a
minute, 5 % an hour.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tests.benchmarks.growth import Line, fitted

SCRIPT = """
import statistics
import sys
import time

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

end_s, share, first, out = float(sys.argv[1]), float(sys.argv[2]), sys.argv[3] == "watched", open(sys.argv[4], "w")
torch.set_num_threads(1)
torch.manual_seed(0)
digits = load_digits()
x = torch.tensor(digits.data, dtype=torch.float32) / 16
y = torch.tensor(digits.target)
order = torch.randperm(len(x))
train, val = order[:1500], order[1500:]
loader = DataLoader(TensorDataset(x[train], y[train]), batch_size=64, shuffle=True)
model = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Dropout(0.2), nn.Linear(128, 10))
optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-3)
loss_fn = nn.CrossEntropyLoss()
TURN_S = 20.0


def resident_kib():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))


def my_turn():
    now = time.time() % TURN_S / TURN_S
    return (now >= share) == first


times, told, steps = [], time.time(), 0
while time.time() < end_s:
    if not my_turn():
        time.sleep(0.02)
        continue
    model.train()
    for inputs, targets in loader:
        begun = time.perf_counter()
        optimizer.zero_grad()
        loss = loss_fn(model(inputs), targets)
        loss.backward()
        optimizer.step()
        times.append(time.perf_counter() - begun)
        steps += 1
    model.eval()
    with torch.no_grad():
        loss_fn(model(x[val]), y[val]).item()
    if time.time() - told >= 1:
        told = time.time()
        out.write(f"{told},{steps},{resident_kib()},{statistics.median(times)}\\n")
        out.flush()
        times.clear()
"""
BLOCKS = 24
MATTERS_KIB, MATTERS_PERCENT = 64.0, 5.0


@dataclass(frozen=True)
class Drift:
    """How memory and step time of one process moved."""

    steps: int
    minutes: float
    memory: Line
    """KiB a minute."""
    pace: Line
    """Per cent an hour."""
    peak_mib: float
    step_ms: float


def main() -> int:
    """Measure and print; 1 where something drifts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=30.0, help="time that the watched script trains")
    parser.add_argument("--idle-share", type=float, default=0.1, help="share of the time in which the other one trains")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        drifts = measure(folder, given.minutes, given.idle_share)
        size = sum(path.stat().st_size for path in (folder / "run").rglob("*") if path.is_file())
        findings = json.loads((folder / "run" / "findings.json").read_text())["runs"][0]
    print(f"{'':<10}{'steps':>10}{'minutes':>9}{'ms/step':>9}{'MiB':>7}{'KiB/min (95 %)':>28}{'%/hour (95 %)':>28}")
    for label, one in drifts.items():
        print(
            f"{label:<10}{one.steps:>10}{one.minutes:>9.1f}{one.step_ms:>9.3f}{one.peak_mib:>7.0f}"
            f"{one.memory.told('.1f'):>28}{one.pace.told('.1f'):>28}"
        )
    told = ", ".join(f"{one['code']} {one['severity']}" for one in findings["findings"]) or "no finding"
    print(f"run folder of the watched script: {size / 2**20:.1f} MiB; {findings['verdict']}: {told}")
    drifts_away = drifts["watched"].memory.low > MATTERS_KIB or drifts["watched"].pace.low > MATTERS_PERCENT
    print("MISSED: it drifts" if drifts_away else "ok: no drift that matters")
    return int(drifts_away)


def measure(folder: Path, minutes: float, share: float) -> dict[str, Drift]:
    """Run both scripts in turns, and return the drift of each."""
    script = folder / "digits.py"
    script.write_text(SCRIPT)
    end_s = time.time() + minutes * 60 / (1 - share)
    watched = [sys.executable, "-m", "dlcheck", "watch", "--quiet", "--run-dir", str(folder / "run"), str(script)]
    children = {
        label: subprocess.Popen(
            [*command, str(end_s), str(share), label, str(folder / f"{label}.csv")],
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stderr=subprocess.DEVNULL,
        )
        for label, command in (("watched", watched), ("alone", [sys.executable, str(script)]))
    }
    for label, child in children.items():
        if child.wait() not in (0, 1):
            raise SystemExit(f"{label}: the script ended with status {child.returncode}")
    return {label: drift(folder / f"{label}.csv") for label in children}


def drift(path: Path) -> Drift:
    """Return the drift that a script's own rows show."""
    rows = np.loadtxt(path, delimiter=",", ndmin=2)
    times, steps, memory, pace = rows.T
    kept = times >= times[0] + (times[-1] - times[0]) / 10
    minutes = (times[kept] - times[0]) / 60
    return Drift(
        steps=int(steps[-1]),
        minutes=float((times[-1] - times[0]) / 60),
        memory=fitted(*blocks(minutes, memory[kept])),
        pace=fitted(*blocks(minutes / 60, 100 * pace[kept] / float(np.median(pace[kept])))),
        peak_mib=float(memory.max() / 1024),
        step_ms=float(1e3 * np.median(pace[kept])),
    )


def blocks(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the means of x and the medians of y over blocks of equal length."""
    parts = [part for part in np.array_split(np.arange(len(x)), BLOCKS) if len(part)]
    return np.array([x[part].mean() for part in parts]), np.array([np.median(y[part]) for part in parts])


if __name__ == "__main__":
    sys.exit(main())
