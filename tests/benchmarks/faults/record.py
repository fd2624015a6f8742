"""What is kept of one training of the benchmark, as one line of JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass
class Told:
    """One finding, of dlcheck or of a peer."""

    code: str
    """dlcheck's code, or the peer's word for it."""
    severity: str
    """``error``, ``warning`` or ``info``."""
    confidence: float = 1.0
    primary: bool = False
    layer: str | None = None
    line: int | None = None
    step: int | None = None
    """Steps until it was first told; None where that was not measured."""
    summary: str = ""


@dataclass
class Trained:
    """One training: what it was, how it ended, and what each doctor told of it."""

    program: str
    """``data/architecture/optimizer``."""
    variant: str
    """A style of a healthy training, or the name of a fault."""
    kind: str
    """``healthy`` or ``fault``."""
    half: str
    """``tuning`` or ``held``: to which half of the programs it belongs."""
    seed: int
    score: float
    """Measured apart from the training, on clean validation samples in evaluation mode; higher is better, 1 at best."""
    best: float = float("nan")
    """The best score after any epoch."""
    gap: float = 0.0
    """Final validation loss over the lowest, less one: how far the training went beyond its best."""
    steps: int = 0
    error: str | None = None
    """The exception that ended it."""
    seconds: float = 0.0
    doctors: dict[str, list[Told]] = field(default_factory=dict)
    """By doctor: ``log``, ``live``, ``check``, and the peers; absent: not asked."""
    layer: str | None = None
    """Where a fault was planted."""

    @property
    def key(self) -> str:
        """Tells it from all others."""
        return f"{self.program} {self.variant} {self.seed}"

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)

    @classmethod
    def of(cls, row: dict[str, Any]) -> Trained:
        """Read what ``as_dict`` made."""
        doctors = {name: [Told(**one) for one in told] for name, told in row.pop("doctors").items()}
        return cls(**row, doctors=doctors)
