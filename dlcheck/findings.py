"""What a rule says: findings, their evidence and remedies, and the outcome of every rule."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

Value = str | int | float | bool | None | tuple[float, ...]
"""What evidence may hold."""


class Severity(IntEnum):
    """How bad a finding is; larger is worse."""

    INFO = 1  # worth knowing, never counted as sick
    WARNING = 2  # costs quality or hours, and can be mended
    ERROR = 3  # the result is invalid or the run is lost

    @property
    def label(self) -> str:
        """The word for reports and JSON."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Where:
    """The place in the run, or in the user's code, that a finding is about."""

    metric: str | None = None
    layer: str | None = None
    step: int | None = None
    epoch: int | None = None
    file: str | None = None
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Effect:
    """What a remedy should do to one signal or score."""

    signal: str
    """As ``runs.signals`` or a rule's ``needs`` name it."""
    change: str
    """``falls``, ``rises``, ``finite`` or ``steady``."""


@dataclass(frozen=True, slots=True)
class Remedy:
    """One thing to do, in words and, where recipe keys exist, as a patch of the recipe."""

    text: str
    patch: Mapping[str, object] = field(default_factory=dict)
    """New values by path, as ``optimizer.lr``; absolute, in the terms of the recipe."""
    expects: tuple[Effect, ...] = ()
    """What it should do, by which it can be judged."""
    search: str = ""
    """The key whose value a search finds better than this patch: ``optimizer.lr``, by the learning-rate range test."""
    hides: str = ""
    """What it leaves as it was, when it ends the sign alone: stopping before an overfit."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault that a rule saw in a run."""

    code: str
    name: str
    severity: Severity
    confidence: float
    """Share of findings like this that are right, from 0 to 1."""
    summary: str
    """One sentence that states the fact."""
    evidence: Mapping[str, Value]
    where: Where = Where()
    cause: str = ""
    remedies: tuple[Remedy, ...] = ()
    """Most likely first."""
    references: tuple[str, ...] = ()
    primary: bool = True
    explained_by: str | None = None
    """Code of the finding that causes this one; such a finding is not primary."""


@dataclass(frozen=True, slots=True)
class NotChecked:
    """A rule that could not look: which signals were missing, and the command that would supply them."""

    code: str
    why: str
    try_: str = ""
    lacking: bool = False
    """A signal that it needs is not in the run at all; otherwise there was too little of it, or it does not apply."""


@dataclass(frozen=True, slots=True)
class Crashed:
    """A rule that failed by a fault of its own; the others went on."""

    code: str
    error: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What all rules said of one run."""

    findings: tuple[Finding, ...] = ()
    clean: tuple[str, ...] = ()
    """Codes of the rules that looked and found nothing."""
    not_checked: tuple[NotChecked, ...] = ()
    crashed: tuple[Crashed, ...] = ()

    @property
    def worst(self) -> Severity | None:
        """The severest finding's severity, None without findings."""
        return max((finding.severity for finding in self.findings), default=None)
