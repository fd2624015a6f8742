"""What a child found out about the training it runs: how its loader is set, and where the user's code stands."""

from __future__ import annotations

from dataclasses import dataclass

from dlcheck.runs.facts import Site


@dataclass(frozen=True, slots=True)
class Found:
    """The training as it is, looked at from within; None is what could not be learned, never 0."""

    kind: str
    """Of the loader, as ``LoaderTimes.kind``: ``workers``, ``main``, ``memory`` or ``opaque``."""
    device: str = "cpu"
    workers: int = 0
    batch_size: int | None = None
    """Samples of the loader's batches; None: it leaves them to others (``batch_sampler``, ``batch_size=None``)."""
    prefetch: int | None = None
    pin_memory: bool = False
    persistent: bool = False
    in_order: bool = True
    start_method: str = ""
    """``fork``, ``forkserver`` or ``spawn``; empty without workers."""
    dataset: str = ""
    """Name of its class."""
    samples: int | None = None
    """Of the data set."""
    steps_per_epoch: int | None = None
    """Optimizer steps; None where the loader has no length."""
    accumulate: int = 1
    """Batches of an optimizer step."""
    optimizer: str = ""
    """Name of its class."""
    batch_bytes: int | None = None
    """Of one batch as the loader yields it."""
    batch_pinned: bool | None = None
    """Whether it lies in page-locked memory; None: nothing is copied to a device."""
    transforms: tuple[str, ...] = ()
    """Names of those that are timed."""
    threads: int = 1
    """Of the main process's own operations (intra-op)."""
    worker_threads: int | None = None
    """Of a worker's own operations."""
    worker_pids: tuple[int, ...] = ()
    main_pid: int = 0
    precision: str = ""
    """``fp32``, ``bf16`` or ``fp16``; empty: not known."""
    fetch_site: Site | None = None
    """Where the user's ``__getitem__`` (or ``__iter__``) stands."""
    collate_site: Site | None = None
    loader_site: Site | None = None
    """Where the loader was built."""
    gap_site: Site | None = None
    """Line of the user's that ran most in the time inside or outside the step that has no other name."""
    stamped: bool = False
    """Whether batches carry the times of their making."""
    note: str = ""
    """Why it could not be looked into, in words."""
