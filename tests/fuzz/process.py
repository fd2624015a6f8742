"""The process that fuzzes one target, or several in turn, until its time is over.

``python -m tests.fuzz.process TARGET[,TARGET…] FOLDER SECONDS`` writes ``state.json`` and every fault's smallest input
into FOLDER; what libFuzzer says goes to the standard error.
"""

import hashlib
import json
import random
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import atheris

atheris.enabled_hooks.add("str")
# For good, as readers and rules are imported late.
atheris.instrument_imports(include=["dlcheck"]).__enter__()

from dlcheck.errors import DlcheckError  # noqa: E402
from tests.fuzz.attempt import Fault, attempt  # noqa: E402
from tests.fuzz.mutate import mutate  # noqa: E402
from tests.fuzz.target import MOST_BYTES, Target  # noqa: E402
from tests.fuzz.targets import named_target  # noqa: E402
from tests.fuzz.words import NUMBERS, WORDS  # noqa: E402

MEMORY_MIB = 1536
"""Of the whole process; libFuzzer ends it there."""
HANG_SECONDS = 120
"""By the clock, for code that no Python signal reaches; the processor's time is bounded for each input."""
_STATE_EVERY_S = 2.0


@dataclass(slots=True)
class Count:
    """What happened to one target."""

    executions: int = 0
    refused: int = 0
    cpu_s: float = 0.0
    slowest_s: float = 0.0
    faults: dict[str, int] = field(default_factory=dict)
    """Bytes of the smallest input by fault."""


@dataclass(slots=True)
class Course:
    """What happened so far to each target, and where it is kept."""

    targets: Sequence[Target]
    folder: Path
    counts: dict[str, Count] = field(default_factory=dict)
    due_s: float = 0.0

    def take(self, content: bytes) -> None:
        """Try one input; where there are several targets its first byte says whose it is."""
        target, rest = self.targets[0], content
        if len(self.targets) > 1:
            target, rest = self.targets[content[0] % len(self.targets) if content else 0], content[1:]
        done = attempt(target, rest, self.folder / "scratch")
        count = self.counts.setdefault(target.name, Count())
        count.executions += 1
        count.refused += done.refused
        count.cpu_s += done.seconds
        if done.seconds > count.slowest_s:
            count.slowest_s = done.seconds
            (self.folder / f"slowest-{target.name}").write_bytes(rest)
        if done.fault is not None and len(rest) < count.faults.get(done.fault.kind, MOST_BYTES + 1):
            count.faults[done.fault.kind] = len(rest)
            self._keep(target, done.fault, rest)
            self.due_s = 0.0
        if time.monotonic() >= self.due_s:
            self.due_s = time.monotonic() + _STATE_EVERY_S
            self.write()

    def _keep(self, target: Target, fault: Fault, content: bytes) -> None:
        name = f"fault-{target.name}-{hashlib.sha256(fault.kind.encode()).hexdigest()[:8]}"
        (self.folder / name).write_bytes(content)
        told = f"{fault.kind}\n\n{fault.story}"
        (self.folder / f"{name}.txt").write_text(told, encoding="utf-8", errors="backslashreplace")

    def write(self) -> None:
        """Keep the numbers."""
        aside = self.folder / "state.json.tmp"
        aside.write_text(json.dumps({name: asdict(count) for name, count in self.counts.items()}))
        aside.replace(self.folder / "state.json")


def _dictionary(folder: Path) -> Path:
    words = (word.encode("utf-8", "surrogatepass") for word in (*WORDS, *NUMBERS) if word and len(word) < 60)
    spelled = ("".join(f"\\x{byte:02x}" for byte in word) for word in words)
    path = folder / "words.dict"
    path.write_text("".join(f'"{word}"\n' for word in spelled))
    return path


def _corpus(targets: Sequence[Target], folder: Path) -> Path:
    path = folder / "corpus"
    path.mkdir(exist_ok=True)
    for place, target in enumerate(targets):
        first = bytes([place]) if len(targets) > 1 else b""
        kept = Path(__file__).parent / "corpus" / target.name
        for seed in (*target.seeds(), *(file.read_bytes() for file in sorted(kept.glob("*")))):
            name = f"seed-{hashlib.sha256(first + seed).hexdigest()[:16]}"
            (path / name).write_bytes(first + seed)
    return path


def _warm_up(targets: Sequence[Target], folder: Path) -> None:
    """Import what comes late, which no input is to be blamed for."""
    for target in targets:
        for seed in list(target.seeds())[::20]:
            attempt(target, seed, folder / "scratch")


def main(names: str, place: str, seconds: str) -> None:
    """Fuzz until the time is over; libFuzzer ends the process."""
    try:
        targets = [named_target(name) for name in names.split(",")]
    except DlcheckError as error:
        sys.exit(str(error))
    folder = Path(place)
    folder.mkdir(parents=True, exist_ok=True)
    kept = 1 if len(targets) > 1 else 0

    def custom(content: bytes, most: int, seed: int) -> bytes:
        changed = mutate(content[kept:], most - kept, random.Random(seed), atheris.Mutate)
        return content[:kept] + changed

    _warm_up(targets, folder)
    arguments = [
        f"-max_total_time={seconds}",
        f"-max_len={MOST_BYTES}",
        f"-timeout={HANG_SECONDS}",
        f"-report_slow_units={HANG_SECONDS}",
        f"-rss_limit_mb={MEMORY_MIB}",
        f"-dict={_dictionary(folder)}",
        f"-artifact_prefix={folder}/ended-by-",
        "-print_final_stats=1",
    ]
    course = Course(targets, folder)
    atheris.Setup([sys.argv[0], *arguments, str(_corpus(targets, folder))], course.take, custom_mutator=custom)
    atheris.Fuzz()  # ends the process


if __name__ == "__main__":
    main(*sys.argv[1:4])
