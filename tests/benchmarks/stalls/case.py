"""One training of the benchmark: how it is built, what holds it up, and which answers are right."""

from __future__ import annotations

from dataclasses import dataclass, replace

COARSE = ("input", "copy", "launch", "sync", "startup", "cpu", "gap", "compute")
"""The classes of what a training is bound by; ``inconclusive`` is an answer, but no class."""
INCONCLUSIVE = "inconclusive"
LONG_EPOCH = 400
"""Steps of an epoch where its start must not matter."""


@dataclass(frozen=True, slots=True)
class Stall:
    """Something that takes time in every step, or now and then."""

    place: str
    """``item``, ``file``, ``transform``, ``collate``, ``rare``, ``start``, ``before``, ``between``, ``after``,
    ``optimizer``, ``threads``, ``workers``; on a GPU also ``read``, ``pageable``, ``kernels``, ``synchronize``."""
    ms: float = 0.0
    """Of one occurrence: a sample, a batch, a step or the start of a worker, by place."""
    way: str = "sleep"
    """``sleep``: waiting, as for a disk or an accelerator; ``burn``: work of a core."""
    name: str = ""
    """Of the transform."""
    every: int = 1
    """Samples to one slow sample (``rare``)."""
    count: int = 0
    """Threads (``threads``) or workers (``workers``)."""


@dataclass(frozen=True, slots=True)
class Build:
    """A training script, as numbers."""

    layout: str = "function"
    """``function``, ``top`` (all at module level) or ``trainer`` (a class)."""
    data: str = "map"
    """``map``, ``batched`` (``__getitems__``), ``stream`` (an iterable data set) or ``tensors``."""
    chain: str = "own"
    """How transforms are composed: ``own``, ``v1`` or ``v2`` of torchvision."""
    batch: int = 16
    epoch: int = LONG_EPOCH
    """Steps."""
    workers: int = 0
    prefetch: int | None = None
    persistent: bool = False
    in_order: bool = True
    start: str = ""
    """Start method of the workers; empty: Python's own."""
    model: str = "mlp"
    """``mlp``, ``cnn`` or ``lstm``."""
    width: int = 64
    optimizer: str = "SGD"
    compute: str = "sleep"
    """``sleep`` and ``burn`` take ``compute_ms`` besides the small model; ``real``: the model alone."""
    compute_ms: float = 0.0
    """A third in the forward pass, two thirds in the backward pass."""
    item_ms: float = 0.0
    """Harmless time of a sample, hidden or small."""
    item_way: str = "sleep"
    jitter: float = 0.0
    """By which part the harmless time varies to either side."""
    accumulate: int = 1
    evaluate: bool = False
    log_ms: float = 0.0
    """Every tenth step."""
    device: str = "cpu"
    stall: Stall | None = None

    def relieved(self) -> Build:
        """Return the same training without what holds it up."""
        if self.stall is None:
            return self
        free = replace(self, stall=None)
        if self.stall.place == "start":
            return replace(free, epoch=LONG_EPOCH, persistent=True)
        if self.stall.place == "workers":
            return replace(free, workers=0, prefetch=None, persistent=False)
        return free


@dataclass(frozen=True, slots=True)
class Case:
    """A build with the answers that are right about it."""

    name: str
    """``SEED-KIND-NUMBER``, unique."""
    kind: str
    """What was planted, or in which way it is healthy."""
    build: Build
    coarse: frozenset[str]
    """Classes that are right."""
    causes: frozenset[str]
    """Root causes that are right; empty: none is asked for."""
    share: float = 0.0
    """Of a step that the stall takes, by design; 0: only measuring tells."""

    @property
    def healthy(self) -> bool:
        """Whether nothing was planted."""
        return self.build.stall is None
