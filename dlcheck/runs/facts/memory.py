"""What a training step needs of the device's memory."""

from dataclasses import dataclass
from typing import ClassVar

from dlcheck.runs.facts.fact import Fact


@dataclass(frozen=True, slots=True)
class MemoryPart:
    """Bytes of one cause."""

    name: str
    """As the field of ``MemoryNeed``."""
    bytes: int


@dataclass(frozen=True, slots=True)
class MemoryNeed(Fact):
    """Bytes by cause at the moment of a training step at which most memory is in use; together they are ``total``.

    Not everything is there at once: gradients may come only after that moment, when activations have gone. ``most``
    has the largest amount of each.
    """

    NAME: ClassVar[str] = "memory_need"
    parameters: int
    gradients: int
    optimizer: int
    """Its state, once it has made a step."""
    activations: int
    """Kept for the backward pass."""
    batch: int
    buffers: int
    batch_size: int
    total: int
    """The peak, predicted without running the model."""
    per_sample: float
    """Bytes that grow with the batch, a sample."""
    capacity: int | None = None
    """Bytes of the device."""
    largest_batch: int | None = None
    """Samples a batch that would fit into ``capacity``."""
    device: str = "cpu"
    measured_peak: int | None = None
    """Seen by the allocator in a real step."""
    workspace: int = 0
    """What is freed again within the step: intermediate results, and buffers inside kernels."""
    phase: str = ""
    """``forward``, ``backward`` or ``optimizer``: where the peak lies."""
    most: tuple[MemoryPart, ...] = ()
    """The largest amount of each cause at any moment of the step."""
    note: str = ""
    """Why it could not be predicted, and a step was made instead; in words."""
