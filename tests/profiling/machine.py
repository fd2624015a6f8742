"""A machine's files under ``/proc`` and ``/sys``, written into a folder."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dlcheck.profiling.environment import Environment

TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Machine:
    """Cores, programs and control groups that a test moves on by hand."""

    root: Path
    cores: int = 4
    now: float = 1000.0
    busy: dict[int, float] = field(default_factory=dict)
    """Seconds that each core was busy."""
    stalled: float = 0.0

    def __post_init__(self) -> None:
        self.busy = dict.fromkeys(range(self.cores), 50.0)
        self.own = 10.0
        self.file("proc/meminfo", "MemTotal:       16000000 kB\nMemFree: 1 kB\nMemAvailable: 9000000 kB\n")
        self.file("proc/self/cgroup", "0::/\n")
        (self.root / "dev/shm").mkdir(parents=True)
        self.process(os.getpid(), 1, 0.5)
        self.child(self.own)
        self.counted()

    def file(self, place: str, content: str) -> None:
        path = self.root / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="ascii")

    def process(self, pid: int, parent: int, seconds: float, *, ended: float = 0.0, memory: int | None = None) -> None:
        before, after = " ".join(["0"] * 9), " ".join(["0"] * 30)
        times = f"{round(seconds * TICKS)} 0 {round(ended * TICKS)} 0"
        self.file(f"proc/{pid}/stat", f"{pid} (python (x) y) S {parent} {before} {times} {after}\n")
        if memory is not None:
            self.file(f"proc/{pid}/status", f"Name:\tpython\nRssAnon:\t {memory // 1024} kB\nRssFile:\t 99 kB\n")

    def child(self, seconds: float, memory: int = 1 << 28) -> None:
        self.process(700, os.getpid(), seconds, memory=memory)

    def counted(self) -> None:
        lines = ["cpu  0 0 0 0 0 0 0 0 0 0"]
        for core, seconds in self.busy.items():
            user = round(0.75 * seconds * TICKS)
            steal = round(seconds * TICKS) - user
            lines.append(f"cpu{core} {user} 0 0 {round(self.now * TICKS)} 7 0 0 {steal} 0 0")
        self.file("proc/stat", "\n".join([*lines, "intr 5 0 0"]) + "\n")
        total = round(1e6 * self.stalled)
        self.file(
            "proc/pressure/cpu", f"some avg10=1.00 avg60=1.00 avg300=1.00 total={total}\nfull avg10=0.00 total=9\n"
        )

    def pass_by(self, seconds: float, *, own: float, others: float, stalled: float = 0.0) -> None:
        """Let time pass, in which this training and other programs keep that many cores busy."""
        self.now += seconds
        self.own += own * seconds
        self.stalled += stalled * seconds
        for core in self.busy:
            self.busy[core] += (own + others) * seconds / self.cores
        self.child(self.own)
        self.counted()

    def environment(self, *, cores: int | None = None, variables: Mapping[str, str] | None = None) -> Environment:
        return Environment(
            self.root,
            clock=lambda: self.now,
            affinity=frozenset(range(cores or self.cores)),
            variables=variables or {},
        )
