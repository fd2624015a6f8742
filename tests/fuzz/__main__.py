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
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from dlcheck.errors import DlcheckError
from tests.fuzz.shrink import shrunk
from tests.fuzz.targets import named_target, targets

INSTALL = 'fuzzing needs atheris, which is not installed: pip install "dlcheck[fuzz]"'
_GRACE_S = 300
_COVERAGE = re.compile(r"cov: (\d+) ft: (\d+)")
_STATISTIC = re.compile(r"stat::(\w+):\s+(\d+)")


@dataclass(frozen=True, slots=True)
class Result:
    """What fuzzing one target gave."""

    target: str
    seconds: int
    """By the clock."""
    cpu_s: float
    """Of the processor, which a busy machine gives less of."""
    executions: int
    edges: int
    features: int
    slowest_s: float
    peak_mib: int
    faults: tuple[str, ...]

    def row(self) -> str:
        """Return one line of the table."""
        return (
            f"{self.target:<20}{self.seconds:>8}{self.cpu_s:>8.0f}{self.executions:>12}{self.edges:>8}{self.features:>10}"
            f"{self.slowest_s:>11.2f}{self.peak_mib:>10}{len(self.faults):>8}"
        )


TABLE_HEAD = (
    f"{'target':<20}{'seconds':>8}{'CPU s':>8}{'executions':>12}{'edges':>8}{'features':>10}"
    f"{'slowest s':>11}{'peak MiB':>10}{'faults':>8}"
)


def fuzz(name: str, seconds: int, work: Path) -> Result:
    """Fuzz one target in a process of its own; what it finds lies in ``work`` afterwards."""
    work.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "tests.fuzz.process", name, str(work), str(seconds)]
    ended = ""
    with (work / "log").open("w") as log:
        try:
            status = subprocess.run(
                command, stdout=log, stderr=log, timeout=seconds + _GRACE_S, env=os.environ | {"OMP_NUM_THREADS": "1"}
            ).returncode
        except subprocess.TimeoutExpired:
            status, ended = 0, "the process did not end"
    said = (work / "log").read_text(errors="replace")
    shutil.rmtree(work / "scratch", ignore_errors=True)
    state = json.loads((work / "state.json").read_text()) if (work / "state.json").exists() else {}
    statistics = {found[1]: int(found[2]) for found in _STATISTIC.finditer(said)}
    edges, features = max(((int(a), int(b)) for a, b in _COVERAGE.findall(said)), default=(0, 0))
    faults = list(state.get("faults", {}))
    faults += [file.name for file in sorted(work.glob("ended-by-*")) if "slow-unit" not in file.name] + (
        [ended] if ended else []
    )
    if status and not faults:
        faults.append(f"the process ended with status {status}: {said.strip().rpartition(chr(10))[2][:200]}")
    return Result(
        name,
        seconds,
        state.get("cpu_s", 0.0),
        max(statistics.get("number_of_executed_units", 0), state.get("executions", 0)),
        edges,
        features,
        state.get("slowest_s", 0.0),
        statistics.get("peak_rss_mb", 0),
        tuple(faults),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Fuzz, print a table and the faults; return 1 where there are any."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of: {', '.join(targets())}")
    parser.add_argument("--all", action="store_true", help="every target")
    parser.add_argument("--seconds", type=int, default=600, help="for each target [default: 600]")
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
    return _all(names, asked.seconds, asked.jobs, asked.work or _new_work())


def _new_work() -> Path:
    memory = Path("/dev/shm")
    return Path(tempfile.mkdtemp(prefix="dlcheck-fuzzing-", dir=memory if memory.is_dir() else None))


def _all(names: Sequence[str], seconds: int, jobs: int, work: Path) -> int:
    print(TABLE_HEAD, flush=True)
    found: list[Result] = []
    with ThreadPoolExecutor(max_workers=jobs) as pool:
        for result in pool.map(lambda name: fuzz(name, seconds, work / name), names):
            print(result.row(), flush=True)
            found.append(result)
    faulty = [result for result in found if result.faults]
    for result in faulty:
        for fault in result.faults:
            print(f"{result.target}: {fault}")
    print(f"{len(found)} targets, {sum(len(one.faults) for one in found)} faults; inputs and corpora: {work}")
    return 1 if faulty else 0


if __name__ == "__main__":
    sys.exit(main())
