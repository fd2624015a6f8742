"""Whether a long watched training drifts: memory and step time of a real script, watched and not watched.

    python -m tests.benchmarks.soak [--minutes 30] [--idle-share 0.25] [--keep FOLDER]

A plain training loop on scikit-learn's digits runs in two processes, one under ``dlcheck watch`` and one alone. They
take turns of some seconds, so that a slow moment of the machine meets both, and each writes once a second its resident
memory and the median time of its steps since. ``--minutes`` is the time that the watched script trains; the other
trains ``--idle-share`` of the whole. Printed are slopes with a 95 % interval: of the memory of each in KiB a minute,
and of the ratio of their step times, turn by turn, in per cent an hour. They are least-squares lines through the
medians of blocks, as single rows hang together; the first tenth is left out. A drift is an interval above 0 that is
also large enough to matter: 64 KiB a minute, 5 % an hour.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.benchmarks.growth import fitted

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
TURN_S = 12.0


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
TURN_S = 12.0
"""Of the script: both train within one."""
MATTERS_KIB, MATTERS_PERCENT = 64.0, 5.0


Rows = NDArray[np.float64]
"""What a script wrote, shape (rows, 4): time in seconds, steps, resident KiB, seconds of a step."""


def main() -> int:
    """Measure and print; 1 where something drifts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=30.0, help="time that the watched script trains")
    parser.add_argument("--idle-share", type=float, default=0.25, help="share of the time of the other one")
    parser.add_argument("--keep", type=Path, help="a new folder for script, rows and run; taken away unless named")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = given.keep or Path(name)
        folder.mkdir(exist_ok=True)
        rows = measure(folder, given.minutes, given.idle_share)
        size = sum(path.stat().st_size for path in (folder / "run").rglob("*") if path.is_file())
        findings = json.loads((folder / "run" / "findings.json").read_text())["runs"][0]
    return told(rows, size, findings)


def told(rows: dict[str, Rows], size: int, findings: dict[str, Any]) -> int:
    """Print the figures; return 1 where something drifts."""
    memory = {label: fitted(*blocks(*late(one, one[:, 2]))) for label, one in rows.items()}
    print(f"{'':<10}{'steps':>10}{'minutes':>9}{'ms/step':>9}{'MiB':>7}{'KiB/min (95 %)':>28}")
    for label, one in rows.items():
        minutes, pace, peak = (one[-1, 0] - one[0, 0]) / 60, 1e3 * np.median(one[:, 3]), one[:, 2].max() / 1024
        print(f"{label:<10}{one[-1, 1]:>10.0f}{minutes:>9.1f}{pace:>9.3f}{peak:>7.0f}{memory[label].told('.1f'):>28}")
    times, ratios = paired(rows["watched"], rows["alone"])
    x, y = blocks((times - times[0]) / 3600, 100 * ratios / float(np.median(ratios)))
    pace_line = fitted(x, y)
    drift = f"drift {pace_line.told('.1f')} % an hour"
    print(f"step time, watched over alone: {np.median(ratios):.3f} in {len(ratios)} turns, {drift}")
    codes = ", ".join(f"{one['code']} {one['severity']}" for one in findings["findings"]) or "no finding"
    print(f"run folder of the watched script: {size / 2**20:.1f} MiB; {findings['verdict']}: {codes}")
    missed = memory["watched"].low > MATTERS_KIB or pace_line.low > MATTERS_PERCENT
    print("MISSED: it drifts" if missed else "ok: no drift that matters")
    return int(missed)


def measure(folder: Path, minutes: float, share: float) -> dict[str, Rows]:
    """Run both scripts in turns, and return the rows of each."""
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
    return {label: np.loadtxt(folder / f"{label}.csv", delimiter=",", ndmin=2) for label in children}


def late(rows: Rows, values: Rows) -> tuple[Rows, Rows]:
    """Return minutes and values without the first tenth."""
    times = rows[:, 0]
    kept = times >= times[0] + (times[-1] - times[0]) / 10
    return (times[kept] - times[0]) / 60, values[kept]


def paired(watched: Rows, alone: Rows) -> tuple[Rows, Rows]:
    """Return the time of each turn in which both trained, the first tenth left out, and the ratio of their steps."""
    turns = [np.floor(rows[:, 0] / TURN_S) for rows in (watched, alone)]
    both = np.intersect1d(turns[0], turns[1])
    both = both[len(both) // 10 :]
    ratios = [np.median(watched[turns[0] == turn, 3]) / np.median(alone[turns[1] == turn, 3]) for turn in both]
    return both * TURN_S, np.array(ratios)


def blocks(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the means of x and the medians of y over blocks of equal length."""
    parts = [part for part in np.array_split(np.arange(len(x)), BLOCKS) if len(part)]
    return np.array([x[part].mean() for part in parts]), np.array([np.median(y[part]) for part in parts])


if __name__ == "__main__":
    sys.exit(main())
