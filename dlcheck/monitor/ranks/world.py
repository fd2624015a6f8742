"""Which rank of how many a process is, by what its launcher told it. Imports no torch."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dlcheck.runs.ranks import beat_s


@dataclass(frozen=True, slots=True)
class World:
    """The place of this process among those of one training."""

    rank: int
    size: int
    restart: int = 0
    """Times that the launcher has started all of them anew."""
    agent: tuple[str, int] | None = None
    """Host and port of the store that torchrun's agent serves to all ranks from their start."""
    local: int = 0
    """Place among the processes of this host: the number of its GPU."""

    @classmethod
    def of(cls, environment: Mapping[str, str] = os.environ) -> World | None:
        """Return what the environment tells; None for a process that trains alone."""
        rank, size = _whole(environment.get("RANK")), _whole(environment.get("WORLD_SIZE"))
        if rank is None or size is None or not 0 <= rank < size or size < 2:
            return None
        agent = None
        host, port = environment.get("MASTER_ADDR"), _whole(environment.get("MASTER_PORT"))
        if environment.get("TORCHELASTIC_USE_AGENT_STORE") == "True" and host and port is not None:
            agent = host, port
        restart, local = (_whole(environment.get(name)) or 0 for name in ("TORCHELASTIC_RESTART_COUNT", "LOCAL_RANK"))
        return cls(rank, size, restart, agent, local)

    @property
    def leads(self) -> bool:
        """Whether this process writes, prints and judges."""
        return self.rank == 0

    def named(self, path: Path) -> Path:
        """Return a path of this start of all ranks: what an earlier start left under the plain name stays."""
        return path.with_stem(f"{path.stem}-restart{self.restart}") if self.restart else path

    @property
    def beat_s(self) -> float:
        """Seconds between two words."""
        return beat_s(self.size)


def host_name() -> str:
    """Return the name of this host."""
    return socket.gethostname()


def _whole(word: str | None) -> int | None:
    return int(word) if word is not None and word.isascii() and word.isdecimal() and len(word) < 10 else None
