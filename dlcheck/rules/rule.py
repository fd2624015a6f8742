"""What a rule is: one file that measures a run, judges it, and explains itself."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from dlcheck.findings import Finding, Remedy, Severity, Value, Where
from dlcheck.rules.prescription import Prescription
from dlcheck.runs import Run
from dlcheck.runs.facts import Fact, fact

Limits = Mapping[str, float]
"""The thresholds in force, by name."""
Check = Callable[[Run, Limits], Iterable[Finding]]
Need = str | tuple[str, ...]
"""A signal's name, or several of which one will do."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """A number that a rule compares with."""

    value: float
    source: str
    """Who says so: author, year and place, or what was measured."""


class Unchecked(Exception):
    """Raised by a rule that has its signals but cannot tell from them, with the reason."""

    def __init__(self, why: str, try_: str = "") -> None:
        super().__init__(why)
        self.why, self.try_ = why, try_


F = TypeVar("F", bound=Fact)


def measured(run: Run, kind: type[F]) -> F:
    """Return a fact with parts that the rule needs.

    Raises:
        Unchecked: the run's fact of that name does not have the parts it should.
    """
    found = fact(run, kind)
    if found is None:
        raise Unchecked(f"{kind.NAME} is not as this version of dlcheck writes it")
    return found


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. Its function's docstring is the page that ``dlcheck explain`` prints."""

    code: str
    name: str
    """The defect, not an instruction."""
    severity: Severity
    needs: tuple[Need, ...]
    """Without them the rule is not checked."""
    check: Check
    thresholds: Mapping[str, Threshold] = field(default_factory=dict)
    references: tuple[str, ...] = ()
    prescriptions: tuple[Prescription, ...] = ()
    """What cures it, most likely first; a finding that names no remedies itself gets those that suit its run."""

    @property
    def page(self) -> str:
        """The docstring, without its indentation."""
        return inspect.getdoc(self.check) or ""

    def limits(self, overrides: Mapping[str, float] | None = None) -> dict[str, float]:
        """Return the thresholds in force."""
        return {name: threshold.value for name, threshold in self.thresholds.items()} | dict(overrides or {})

    def finding(
        self,
        summary: str,
        *,
        confidence: float,
        evidence: Mapping[str, Value],
        where: Where | None = None,
        cause: str = "",
        remedies: tuple[Remedy, ...] = (),
        severity: Severity | None = None,
    ) -> Finding:
        """Return a finding of this rule; ``severity`` only where it differs from the rule's own."""
        return Finding(
            code=self.code,
            name=self.name,
            severity=self.severity if severity is None else severity,
            confidence=confidence,
            summary=" ".join(summary.split()),  # names of files and layers may hold anything
            evidence=evidence,
            where=where or Where(),
            cause=cause,
            remedies=remedies,
            references=self.references,
        )


def rule(
    code: str,
    name: str,
    severity: Severity,
    *,
    needs: tuple[Need, ...] = (),
    thresholds: Mapping[str, Threshold] | None = None,
    references: tuple[str, ...] = (),
    prescriptions: tuple[Prescription, ...] = (),
) -> Callable[[Check], Rule]:
    """Return a decorator that makes a rule of a function from a run and its thresholds to findings."""

    def make(check: Check) -> Rule:
        return Rule(code, name, severity, needs, check, thresholds or {}, references, prescriptions)

    return make
