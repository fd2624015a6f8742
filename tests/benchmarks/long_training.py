"""Memory and run folder of a very long training under the monitors.

    python -m tests.benchmarks.long_training [--steps 1e6] [--keep FOLDER]

``dlcheck train`` trains a tiny network for so many steps, in epochs of 10,000; beside it, once a second, its resident
memory, the size of its run folder and the last step in ``steps.csv`` are read. Printed are the slope of memory in KiB
per 100,000 steps with a 95 % interval (a line through the medians of blocks, the first fifth left out), what the run
folder holds at a tenth, at half and at the end, and what the training's own diagnosis says. The bar: less than 256 KiB
per 100,000 steps, which of a billion steps would make 2.5 GB.
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

ROWS, BATCH = 80_000, 8
STEPS_AN_EPOCH = ROWS // BATCH
BAR_KIB = 256.0
BLOCKS = 24
RECIPE = """
[data]
name = "csv"
path = "{data}"
[data.split]
val = 0.01
test = 0.01
[model]
name = "mlp"
hidden = [8]
[optimizer]
name = "sgd"
lr = 0.01
[train]
epochs = {epochs}
batch_size = {batch}
seed = 0
"""


@dataclass(frozen=True)
class Long:
    """What was seen beside a training: each of shape (looks,)."""

    steps: NDArray[np.float64]
    memory_kib: NDArray[np.float64]
    folder_bytes: NDArray[np.float64]
    said: str

    @property
    def slope(self) -> Line:
        """KiB per 100,000 steps."""
        late = self.steps > self.steps[-1] / 5
        parts = [part for part in np.array_split(np.flatnonzero(late), BLOCKS) if len(part)]
        x = [float(self.steps[part].mean()) / 1e5 for part in parts]
        return fitted(x, [float(np.median(self.memory_kib[part])) for part in parts])


def main() -> int:
    """Measure and print; 1 where memory grows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=float, default=1e6)
    parser.add_argument("--keep", type=Path, help="a new folder for data, recipe and run; taken away unless named")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = given.keep or Path(name)
        folder.mkdir(exist_ok=True)
        found = train(folder, int(given.steps))
    slope = found.slope
    print(f"steps {found.steps[-1]:.0f}, memory at most {found.memory_kib.max() / 1024:.0f} MiB")
    print(f"memory, KiB per 100,000 steps: {slope.told('.1f')}")
    for share in (0.1, 0.5, 1.0):
        at = int(np.argmax(found.steps >= share * found.steps[-1]))
        print(f"run folder at step {found.steps[at]:>9.0f}: {found.folder_bytes[at] / 2**20:.2f} MiB")
    print(found.said)
    print("MISSED" if slope.low > BAR_KIB else "ok")
    return int(slope.low > BAR_KIB)


def train(folder: Path, steps: int) -> Long:
    """Train, and look at the process once a second."""
    write_data(folder / "data.csv")
    recipe = folder / "recipe.toml"
    recipe.write_text(RECIPE.format(data=folder / "data.csv", epochs=max(steps // STEPS_AN_EPOCH, 1), batch=BATCH))
    run = folder / "run"
    command = [sys.executable, "-m", "dlcheck", "train", str(recipe), "--run-dir", str(run), "--quiet"]
    child = subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, stdout=subprocess.DEVNULL)
    looks: list[tuple[int, int, int]] = []
    while child.poll() is None:
        time.sleep(1)
        if (step := last_step(run / "steps.csv")) and (resident := resident_kib(child.pid)):
            looks.append((step, resident, held(run)))
    if child.returncode not in (0, 1):
        raise SystemExit(f"the training ended with status {child.returncode}")
    told = json.loads((run / "findings.json").read_text())["runs"][0]
    said = f"{told['verdict']}: {' '.join(sorted(one['code'] for one in told['findings'])) or 'no finding'}"
    at, memory, size = np.array(looks, dtype=np.float64).T
    return Long(at, memory, size, said)


def write_data(path: Path) -> None:
    """Write a table of four numbers and a class that they tell."""
    random = np.random.default_rng(0)
    x = random.normal(0, 1, (ROWS + ROWS // 49 + 2, 4))
    y = (x @ np.array([1.0, -2.0, 0.5, 1.5]) + random.normal(0, 1, len(x)) > 0).astype(int)
    np.savetxt(path, np.column_stack([x, y]), "%.5f,%.5f,%.5f,%.5f,%d", header="a,b,c,d,y", comments="")


def last_step(path: Path) -> int:
    """Return the step of the last whole row of a table; 0 without one."""
    try:
        with path.open("rb") as file:
            file.seek(max(path.stat().st_size - 400, 0))
            lines = file.read().split(b"\n")[1:-1]
    except FileNotFoundError:
        return 0
    return int(lines[-1].split(b",")[0]) if lines and lines[-1][:1].isdigit() else 0


def resident_kib(process: int) -> int:
    """Return a process's resident memory; 0 when it is gone."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("VmRSS")), 0)


def held(folder: Path) -> int:
    """Return the bytes of all files in a folder to which files come and go."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except FileNotFoundError:
            continue
    return total


if __name__ == "__main__":
    sys.exit(main())
