"""One sickness, one primary finding: which finding explains which."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from dlcheck.findings import Finding, Severity

USAGE = (
    "D",
    "M206",
    "M207",
    "M208",
    "M209",
    *(f"M21{last}" for last in range(5)),
    "G306",
    "G307",
    "G311",
    "G312",
    "G317",
)
NUMERICAL = ("M", "G")
CURVES = ("C4",)

# Cause, then what it explains, both as code prefixes. The first line that fits decides, and an earlier
# line's cause is nearer to what a person would change than a later one's.
EXPLAINS: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    (("G317",), ("G301", "C401")),
    (("D101",), ("G301", "C401")),
    (("G311",), ("P509", "P510")),
    (USAGE, (*NUMERICAL, *CURVES)),
    (("G301",), ("C401", "C419", "G302", "G303", "G304", "G310", "M204", "M205", "M216")),
    (("M202",), ("G303", "G305", "G307", "M204", "M216")),
    (("M203",), ("G302", "G303", "G304", "M201", "M204", "M205", "M216")),
    (("G313",), ("G303", "G304", "G305", "M204", "M216")),
    (("G316",), ("G304", "G310", "M216")),
    (("G304",), ("C404", "G302", "G303", "G310", "M204", "M205", "M216")),
    (("G302",), ("G310", "M216")),
    (("M204", "M205"), ("G303", "G305", "M216")),
    (("G310",), ("G303", "M216")),
    (("G303",), ("G305", "M216")),
    (("G305",), ("C405", "M216")),
    # What a network answers is an outcome: a rate that the curves show to be wrong is its cause too.
    (("C401", "C404", "C405"), ("M216",)),
    (NUMERICAL, CURVES),
    (("C416",), ("C401", "C402", "C403", "C404", "C406", "C407", "C408", "C409", "C413", "C415")),
    (("C404",), ("C401", "C402", "C403", "C406", "C407", "C408", "C413", "C419")),
    (("C405",), ("C406", "C407", "C408", "C412", "C417")),
    (("C419",), ("C401",)),
    (("C401", "C419"), ("C402", "C403", "C406", "C407", "C408", "C409", "C412", "C413", "C418")),
    (("C402",), ("C403", "C406", "C407", "C408", "C410", "C411", "C412", "C413", "C414")),
    (("C406",), ("C405", "C407", "C408", "C409", "C410", "C411", "C412", "C413", "C414", "C415")),
    (("C417",), ("C407", "C412")),
    (("C409",), ("C410", "C411", "C413", "C415")),
    (("C408",), ("C407", "C411")),
    (("C407",), ("C411", "C412")),
    (("R702",), ("C403", "C413")),
)


def rank_causes(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Mark what another finding explains, and return causes first, then by severity and confidence.

    A finding of lower severity than a warning explains only others that are no worse than itself.
    """
    ordered = sorted(findings, key=lambda finding: (-finding.severity, -finding.confidence, finding.code))
    causes = {finding.code: _root(finding, ordered) for finding in ordered}
    ranked = [_marked(finding, causes[finding.code]) for finding in ordered]
    return tuple(sorted(ranked, key=lambda finding: not finding.primary))


def _root(finding: Finding, findings: Sequence[Finding]) -> str:
    """Follow causes upwards; every line of the table leads to an earlier one, so this ends."""
    current, place = finding, len(EXPLAINS)
    while (step := _cause(current, findings, place)) is not None:
        place, current = step
    return current.code


def _cause(finding: Finding, findings: Sequence[Finding], before: int) -> tuple[int, Finding] | None:
    for place, (causes, effects) in enumerate(EXPLAINS[:before]):
        if not finding.code.startswith(effects):
            continue
        for other in findings:
            if other.code.startswith(causes) and _may_explain(other, finding, causes):
                return place, other
    return None


def _may_explain(cause: Finding, effect: Finding, causes: tuple[str, ...]) -> bool:
    if cause.code == effect.code:
        return False
    if causes == USAGE and effect.code.startswith(USAGE):
        return False  # two faults of usage are two sicknesses
    return cause.severity >= min(effect.severity, Severity.WARNING)


def _marked(finding: Finding, cause: str) -> Finding:
    if cause == finding.code:
        return finding
    return replace(finding, primary=False, explained_by=cause)
