"""The process that fuzzes one target until its time is over: ``python -m tests.fuzz.process TARGET FOLDER SECONDS``.

It writes ``state.json`` and every fault's smallest input into FOLDER; what libFuzzer says goes to the standard error.
"""

import hashlib
import json
import random
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import atheris

atheris.enabled_hooks.add("str")
# For good, as readers and rules are imported late.
atheris.instrument_imports(include=["dlcheck"]).__enter__()

from dlcheck.errors import DlcheckError  # noqa: E402
from tests.fuzz.attempt import attempt  # noqa: E402
from tests.fuzz.mutate import NUMBERS, WORDS, mutate  # noqa: E402
from tests.fuzz.target import MOST_BYTES, Target  # noqa: E402
from tests.fuzz.targets import named_target  # noqa: E402

MEMORY_MIB = 1536
"""Of the whole process; libFuzzer ends it there."""
HANG_SECONDS = 120
"""By the clock, for code that no Python signal reaches; the processor's time is bounded for each input."""
_STATE_EVERY_S = 2.0


@dataclass(slots=True)
class Course:
    """What happened so far, and where it is kept."""

    target: Target
    folder: Path
    executions: int = 0
    refused: int = 0
    slowest_s: float = 0.0
    faults: dict[str, int] = field(default_factory=dict)
    """Bytes of the smallest input by fault."""
    due_s: float = 0.0

    def take(self, content: bytes) -> None:
        """Try one input."""
        done = attempt(self.target, content, self.folder / "scratch")
        self.executions += 1
        self.refused += done.refused
        if done.seconds > self.slowest_s:
            self.slowest_s = done.seconds
            (self.folder / "slowest").write_bytes(content)
        if done.fault is not None and len(content) < self.faults.get(done.fault.kind, MOST_BYTES + 1):
            self.faults[done.fault.kind] = len(content)
            name = hashlib.sha256(done.fault.kind.encode()).hexdigest()[:12]
            (self.folder / f"fault-{name}").write_bytes(content)
            (self.folder / f"fault-{name}.txt").write_text(
                f"{done.fault.kind}\n\n{done.fault.story}", encoding="utf-8", errors="backslashreplace"
            )
            self.due_s = 0.0
        if time.monotonic() >= self.due_s:
            self.due_s = time.monotonic() + _STATE_EVERY_S
            self.write()

    def write(self) -> None:
        """Keep the numbers."""
        told = {
            "executions": self.executions,
            "refused": self.refused,
            "cpu_s": round(time.process_time(), 1),
            "slowest_s": round(self.slowest_s, 3),
            "faults": self.faults,
        }
        aside = self.folder / "state.json.tmp"
        aside.write_text(json.dumps(told))
        aside.replace(self.folder / "state.json")


def _dictionary(folder: Path) -> Path:
    words = (word.encode("utf-8", "surrogatepass") for word in (*WORDS, *NUMBERS) if word and len(word) < 60)
    spelled = ("".join(f"\\x{byte:02x}" for byte in word) for word in words)
    path = folder / "words.dict"
    path.write_text("".join(f'"{word}"\n' for word in spelled))
    return path


def _corpus(target: Target, folder: Path) -> Path:
    path = folder / "corpus"
    path.mkdir(exist_ok=True)
    kept = Path(__file__).parent / "corpus" / target.name
    seeds = [*target.seeds(), *(file.read_bytes() for file in sorted(kept.glob("*")))]
    for seed in seeds:
        (path / f"seed-{hashlib.sha256(seed).hexdigest()[:16]}").write_bytes(seed)
    return path


def main(name: str, place: str, seconds: str) -> None:
    """Fuzz until the time is over; libFuzzer ends the process."""
    try:
        target = named_target(name)
    except DlcheckError as error:
        sys.exit(str(error))
    folder = Path(place)
    folder.mkdir(parents=True, exist_ok=True)
    course = Course(target, folder)

    def custom(content: bytes, most: int, seed: int) -> bytes:
        return mutate(content, most, random.Random(seed), atheris.Mutate)

    for seed in list(target.seeds())[::20]:
        attempt(target, seed, folder / "scratch")  # imports what comes late, which no input is to be blamed for
    arguments = [
        f"-max_total_time={seconds}",
        f"-max_len={MOST_BYTES}",
        f"-timeout={HANG_SECONDS}",
        f"-report_slow_units={HANG_SECONDS}",
        f"-rss_limit_mb={MEMORY_MIB}",
        f"-dict={_dictionary(folder)}",
        f"-artifact_prefix={folder}/ended-by-",
        "-print_final_stats=1",
        "-use_value_profile=0",
    ]
    atheris.Setup([sys.argv[0], *arguments, str(_corpus(target, folder))], course.take, custom_mutator=custom)
    atheris.Fuzz()  # ends the process


if __name__ == "__main__":
    main(*sys.argv[1:4])
