"""The processes of one training: who this one is, and the few things that they tell each other."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch import distributed as dist

from dlcheck.components.batches import Batches, Share, Shared
from dlcheck.errors import DlcheckError, ExitCode, one_line
from dlcheck.monitor.ranks.world import World

TIMEOUT = datetime.timedelta(minutes=10)
"""Longest wait for another process; NCCL's own default, where gloo's is 30 minutes."""
FIRST_WORD = "dlcheck/failed"
"""Key of the store under which the first rank that fails leaves its number: it alone tells why."""
LOST = ("connection closed by peer", "connection reset", "gloo", "nccl", "timed out")
"""What stands in PyTorch's exceptions where another process does not answer."""


class RankError(DlcheckError):
    """What the first process that fails has to say, once the processes have met."""


@dataclass(frozen=True, slots=True)
class Ranks:
    """The place of this process among those of its training. Alone, nothing here costs anything."""

    rank: int = 0
    size: int = 1
    local: int = 0
    """Place among the processes of this host: the number of its GPU."""

    @property
    def leads(self) -> bool:
        """Whether this process writes, prints and judges."""
        return self.rank == 0

    @property
    def share(self) -> Share:
        """Which rows of each batch are this process's."""
        return Share(self.rank, self.size)

    def rows(self, batches: Batches, batch: int) -> tuple[int, int]:
        """Return how many rows of a batch count for this process, and how many it has for all together."""
        assert isinstance(batches, Shared)
        rows = min(batches.batch_size, batches.samples - batch * batches.batch_size)
        return batches.share.rows(rows), rows

    def mean(self, values: Tensor) -> Tensor:
        """Return the mean over all processes of a tensor that each has in the same shape."""
        return values if self.size == 1 else self.sum(values) / self.size

    def sum(self, values: Tensor) -> Tensor:
        """Return the sum over all processes of a tensor that each has in the same shape."""
        if self.size > 1:
            values = values.clone()
            dist.all_reduce(values)
        return values

    def any(self, wishes: Sequence[bool]) -> list[bool]:
        """Return for each wish whether any process has it."""
        if self.size == 1:
            return list(wishes)
        asked = torch.tensor([int(wish) for wish in wishes], device=self._device)
        dist.all_reduce(asked, dist.ReduceOp.MAX)
        return [bool(answer) for answer in asked.tolist()]

    def gather(self, value: object) -> list[Any]:
        """Return what each process gave, by rank, in the leading process; an empty list in the others."""
        if self.size == 1:
            return [value]
        found: list[Any] | None = [None] * self.size if self.leads else None
        dist.gather_object(value, found)
        return found or []

    def everywhere(self, value: object) -> list[Any]:
        """Return what each process gave, by rank, in all processes."""
        if self.size == 1:
            return [value]
        found: list[Any] = [None] * self.size
        dist.all_gather_object(found, value)
        return found

    def spread(self, model: nn.Module) -> None:
        """Give all processes the leading one's buffers, as running statistics are."""
        if self.size > 1:
            for tensor in model.buffers():
                dist.broadcast(tensor.detach(), 0)

    @property
    def _device(self) -> torch.device:
        cuda = dist.get_backend() == "nccl"
        return torch.device("cuda", self.local) if cuda else torch.device("cpu")


ALONE = Ranks()


def told() -> Ranks:
    """Return what torchrun (or SLURM with its variables) told this process; ``ALONE`` where nobody did."""
    world = World.of()
    return ALONE if world is None else Ranks(world.rank, world.size, world.local)


def rank_device(name: str, ranks: Ranks) -> str:
    """Return the name of the device of this process: of ``auto`` and ``cuda`` the GPU of its local rank.

    Raises:
        DlcheckError: one GPU is named for all processes.
    """
    if ranks.size == 1 or name == "cpu":
        return name
    if name.startswith("cuda:"):
        raise DlcheckError(f"--device {name}: each of the {ranks.size} processes takes a GPU of its own; take cuda")
    return f"cuda:{ranks.local}" if name == "cuda" or torch.cuda.is_available() else name


@contextmanager
def joined(ranks: Ranks, device: torch.device) -> Iterator[None]:
    """Meet the other processes (NCCL on GPUs, gloo on CPUs), and part from them at the end.

    Raises:
        DlcheckError: the others cannot be reached, or one of them is gone.
    """
    if ranks.size == 1 or dist.is_initialized():
        yield
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    backend = "nccl" if device.type == "cuda" else "gloo"
    try:
        dist.init_process_group(backend, timeout=TIMEOUT, rank=ranks.rank, world_size=ranks.size)
    except (RuntimeError, ValueError) as error:
        raise DlcheckError(f"rank {ranks.rank} of {ranks.size} cannot reach the others: {one_line(error)}") from None
    try:
        yield
    except Exception as error:
        lost = is_loss_of_a_rank(error)
        if not isinstance(error, DlcheckError) and not lost:
            raise
        if not speaks_first(ranks):
            raise SystemExit(ExitCode.USAGE) from None
        if lost:
            raise RankError(
                f"rank {ranks.rank}: another process of this training is gone: {one_line(error, 200)}"
            ) from None
        raise RankError(str(error) if ranks.leads else f"rank {ranks.rank}: {error}") from error
    finally:
        dist.destroy_process_group()


def is_loss_of_a_rank(error: BaseException) -> bool:
    """Return whether an exception means that another process is gone or does not answer."""
    if isinstance(error, dist.DistBackendError | dist.DistNetworkError):
        return True
    words = str(error).lower()
    return isinstance(error, RuntimeError) and any(sign in words for sign in LOST)


def speaks_first(ranks: Ranks) -> bool:
    """Return whether this process is the first to fail; the others stay silent about the same failure.

    Before the processes have met, the first of each host speaks.
    """
    if ranks.size == 1:
        return True
    if not dist.is_initialized():
        return ranks.local == 0
    try:
        store = dist.distributed_c10d._get_default_store()
        return int(store.add(FIRST_WORD, 1)) == 1
    except RuntimeError:  # the store has gone with its process, which has spoken
        return False


def refuse_differing(ranks: Ranks, data: dict[str, int]) -> None:
    """Refuse processes that do not see the same data: one of them would wait for a batch that never comes.

    Raises:
        DlcheckError: names the first rank that differs, and in what.
    """
    rows = ranks.everywhere(data)
    for rank, row in enumerate(rows):
        for name, count in row.items():
            if count != rows[0].get(name):
                raise DlcheckError(
                    f"the processes see different data: rank 0 has {rows[0].get(name)} {name}, rank {rank} has {count}"
                )
