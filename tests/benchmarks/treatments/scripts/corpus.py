"""Scripts in several styles: as they are, and with one fault each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tests.watching.faults import FAULTS, SCRIPTS, Fault
from tests.watching.more_faults import MORE_FAULTS


@dataclass(frozen=True, slots=True)
class Case:
    """A script to treat."""

    key: str
    name: str
    """Of its file, without the end."""
    text: str
    fault: Fault | None = None

    @property
    def codes(self) -> tuple[str, ...]:
        """Findings that name the fault, the expected one first."""
        return () if self.fault is None else (self.fault.code, *self.fault.or_codes)


def healthy() -> Iterator[Case]:
    """Yield the scripts as they are."""
    for path in sorted(SCRIPTS.rglob("*.py")):
        yield Case(f"healthy-{path.stem}", path.stem, path.read_text(encoding="utf-8"))


def faulty() -> Iterator[Case]:
    """Yield each script with each fault that is planted in it."""
    for fault in (*FAULTS, *MORE_FAULTS):
        name = fault.script.rpartition("/")[2]
        yield Case(fault.id.replace("/", "-"), name, fault.plant(), fault)
