"""Facts with parts: what was measured once of a run, as typed records that survive JSON."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import ClassVar, TypeVar

from dlcheck.runs.run import Run


@dataclass(frozen=True, slots=True)
class Site:
    """A line of the user's own code."""

    file: str
    line: int


@dataclass(frozen=True, slots=True)
class Fact:
    """What every fact with parts derives from; ``NAME`` is its key in ``Run.facts`` and in ``facts.json``."""

    NAME: ClassVar[str]

    def as_dict(self) -> dict[str, dict[str, object]]:
        """Return ``{NAME: fields}``, to be put into ``RunFolder.add_facts`` or ``Run.facts``."""
        return {self.NAME: asdict(self)}


F = TypeVar("F", bound=Fact)


def fact(run: Run, kind: type[F]) -> F | None:
    """Return a fact of this kind; None when the run has none, or one that does not fit the kind's fields.

    Fields that the kind does not know are left out, so that a later version's folder can be read.
    """
    content = run.facts.get(kind.NAME)
    if not isinstance(content, Mapping):
        return None
    import msgspec  # a tenth of the start of ``dlcheck diagnose``, for logs that mostly hold no such fact

    try:
        return msgspec.convert(dict(content), kind)
    except (msgspec.ValidationError, TypeError, ValueError):
        return None
