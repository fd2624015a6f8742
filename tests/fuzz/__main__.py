"""Coverage-guided fuzzing of all that takes bytes from outside: ``python -m tests.fuzz TARGET… | --all``."""

import argparse
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from dlcheck.errors import DlcheckError
from tests.fuzz.shrink import shrunk
from tests.fuzz.targets import named_target, targets

INSTALL = 'fuzzing needs atheris, which is not installed: pip install "dlcheck[fuzz]"'
_GRACE_S = 300
_COVERAGE = re.compile(r"cov: (\d+) ft: (\d+)")
_PEAK = re.compile(r"stat::peak_rss_mb:\s+(\d+)")


@dataclass(frozen=True, slots=True)
class Row:
    """What fuzzing one target gave."""

    target: str
    executions: int
    cpu_s: float
    """Of the processor, in the target itself."""
    slowest_s: float
    faults: tuple[str, ...]

    def line(self) -> str:
        """Return one line of the table."""
        told = f"{self.target:<20}{self.executions:>11}{self.cpu_s:>9.0f}{self.slowest_s:>11.2f}{len(self.faults):>8}"
        return "\n".join([told, *(f"  {fault}" for fault in self.faults)])


@dataclass(frozen=True, slots=True)
class Result:
    """What one process gave: a row for each of its targets, and what it measured as a whole."""

    rows: tuple[Row, ...]
    seconds: int
    edges: int
    features: int
    peak_mib: int
    ended: tuple[str, ...]
    """Why the process ended before its time."""

    @property
    def faults(self) -> list[str]:
        """All of them."""
        return [*(fault for row in self.rows for fault in row.faults), *self.ended]

    def line(self) -> str:
        """Return the lines of the table."""
        whole = f"  {self.seconds} s, {self.edges} edges, {self.features} features, peak {self.peak_mib} MiB"
        return "\n".join([*(row.line() for row in self.rows), whole, *(f"  {why}" for why in self.ended)])


TABLE_HEAD = f"{'target':<20}{'executions':>11}{'CPU s':>9}{'slowest s':>11}{'faults':>8}"


def fuzz(names: Sequence[str], seconds: int, work: Path) -> Result:
    """Fuzz one target, or several in turn, in a process of their own; what it finds lies in ``work`` afterwards."""
    work.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "tests.fuzz.process", ",".join(names), str(work), str(seconds)]
    ended: list[str] = []
    status = 0
    with (work / "log").open("w") as log:
        try:
            environment = os.environ | {"OMP_NUM_THREADS": "1"}
            done = subprocess.run(command, stdout=log, stderr=log, timeout=seconds + _GRACE_S, env=environment)
            status = done.returncode
        except subprocess.TimeoutExpired:
            ended.append("the process did not end")
    said = (work / "log").read_text(errors="replace")
    shutil.rmtree(work / "scratch", ignore_errors=True)
    ended += [file.name for file in sorted(work.glob("ended-by-*")) if "slow-unit" not in file.name]
    if status and not ended:
        ended.append(f"the process ended with status {status}: {said.strip().rpartition(chr(10))[2][:200]}")
    state = json.loads((work / "state.json").read_text()) if (work / "state.json").exists() else {}
    counts = ((name, state[name]) for name in names if name in state)
    rows = tuple(
        Row(name, one["executions"], one["cpu_s"], one["slowest_s"], tuple(one["faults"])) for name, one in counts
    )
    edges, features = max(((int(a), int(b)) for a, b in _COVERAGE.findall(said)), default=(0, 0))
    peak = _PEAK.search(said)
    return Result(rows, seconds, edges, features, int(peak[1]) if peak else 0, tuple(ended))


def main(arguments: Sequence[str] | None = None) -> int:
    """Fuzz, print a table and the faults; return 1 where there are any."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of: {', '.join(targets())}")
    parser.add_argument("--all", action="store_true", help="every target")
    parser.add_argument("--seconds", type=int, default=600, help="for each target [default: 600]")
    parser.add_argument("--together", action="store_true", help="all of them in one process, which starts only once")
    parser.add_argument("--jobs", type=int, default=1, help="targets at once [default: 1]")
    parser.add_argument(
        "--work", type=Path, help="keep corpora and faults here, and go on with those of an earlier time"
    )
    parser.add_argument("--shrink", type=Path, metavar="FILE", help="make the input of a fault as small as can be")
    asked = parser.parse_args(arguments)
    names = list(targets()) if asked.all else list(asked.targets)
    try:
        chosen = [named_target(name) for name in names]
    except DlcheckError as error:
        parser.error(str(error))
    if not chosen:
        parser.error("name a target, or say --all")
    if asked.shrink is not None:
        asked.shrink.write_bytes(shrunk(chosen[0], asked.shrink.read_bytes()))
        return 0
    if importlib.util.find_spec("atheris") is None:
        print(INSTALL, file=sys.stderr)
        return 2
    shares = {"together": names} if asked.together and len(names) > 1 else {name: [name] for name in names}
    return _all(shares, asked.seconds, asked.jobs, asked.work or _new_work())


def _new_work() -> Path:
    memory = Path("/dev/shm")
    return Path(tempfile.mkdtemp(prefix="dlcheck-fuzzing-", dir=memory if memory.is_dir() else None))


def _all(shares: Mapping[str, Sequence[str]], seconds: int, jobs: int, work: Path) -> int:
    print(TABLE_HEAD, flush=True)
    faults = 0
    with ThreadPoolExecutor(max_workers=jobs) as pool:
        for result in pool.map(lambda share: fuzz(shares[share], seconds, work / share), shares):
            print(result.line(), flush=True)
            faults += len(result.faults)
    print(f"{faults} faults; inputs and corpora: {work}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
