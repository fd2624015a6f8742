"""One sickness, one primary finding: which finding explains which."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from dlcheck.findings import Finding, Severity

BROKEN = (
    "M201",
    *(f"M20{last}" for last in (3, 4, 5, 9)),
    "M214",
    "M216",
    *(f"G30{last}" for last in (1, 2, 3, 4, 5, 7, 8, 9)),
    "G310",
)
"""What a fault of the data, the loss or the loop can do to numbers: signals, learning by heart, answers."""
SILENT = ("M209", "M214", "M216", "G303", "G305")
"""What a network does that no gradient or no step reaches."""
HELD_OUT = ("C406", "C409", "C410", "C411", "C413", "C414", "C415", "C418")
"""Curves that compare validation with training."""
GENERAL = ("C405", "C406", "C407", "C408", "C409", "C410", "C411", "C413", "C414", "C415")
"""Curves of labels that tell too little about inputs."""
CURVES = ("C4",)

# Cause, then what it explains, both as code prefixes. The first line that fits decides, and an earlier
# line's cause is nearer to what a person would change than a later one's. Two faults of data or usage are
# two sicknesses, unless a line says that one can come of the other.
EXPLAINS: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    # What breaks every number after it.
    (("D101",), ("D102", "D116", "G317", *BROKEN, *CURVES)),
    (("G317",), (*BROKEN, *CURVES)),
    (("G311",), ("P509", "P510")),
    (("G320",), ("G321", "P516", "R703", "R704")),
    (("G321",), ("P516", "R703", "R704")),
    # Data, loss and loop as they should not be.
    (("M207",), (*BROKEN, *CURVES)),
    (("D104",), ("M206", *BROKEN, *CURVES)),
    (("M211",), (*BROKEN, *CURVES)),
    (("D102", "D116", "M206", "M213", "G306", "G316"), (*BROKEN, *CURVES)),
    (("D112",), ("D110", "D115", "M209", "M214", "M216", *GENERAL)),
    (("D110",), ("D115", "M209", "M214", "M216", *GENERAL)),
    (("D109",), ("G302", "G318", "M216", *CURVES)),
    (("G318",), (*BROKEN, *CURVES)),
    (("D105",), ("M216", "C406", "C408", "C415")),
    (("D103",), ("M214", "C406", "C408")),
    (("D106", "D113"), ("C414", "C418")),
    (("M208",), (*HELD_OUT, "C402", "C408")),
    (("D107", "D108", "D111", "D114", "D115", "M212"), (*HELD_OUT, "C408")),
    (("M210",), ("M216", "G301", "G302", "C401", "C402", "C403", *HELD_OUT)),
    # Nothing moves, or all answers are the same.
    (("M202",), ("M203", "M204", "M205", "G307", *SILENT, *CURVES)),
    (("G309",), ("G301", "G307", *SILENT, *CURVES)),
    (("G307",), (*SILENT, *CURVES)),
    # Initialisation before the rate, the rate before what it kills.
    (("M203",), ("M201", "M204", "M205", "G301", "G302", "G304", "G310", *SILENT, *CURVES)),
    (("M215",), ("M201",)),
    (("G313",), ("G304", "M204", "M205", *SILENT, *CURVES)),
    (("M209",), ("C416",)),
    (("C416",), ("G301", "G302", "G304", "G310", "M204", "M205", "M214", "M216")),
    (("G312",), ("G304", "G305", *CURVES)),
    (("G308",), ("G305", "C405", "C406", "C407", "C408", "C412")),
    (("G304",), ("M204", "M205", "G301", "G302", "G310", *SILENT, *CURVES)),
    (("G302",), ("G301", "G310", *CURVES)),
    (("G310",), ("G301", *CURVES)),
    (("G301",), ("G303", "M204", "M205", "M216", *CURVES)),
    # What a network answers is an outcome: a rate that the curves show to be wrong is its cause too.
    (("C401", "C404", "C405"), ("M216",)),
    (("C404",), ("M204", "M205")),
    (("M204", "M205"), (*SILENT, *CURVES)),
    (("G303",), ("M209", "M214", "M216", "G305", *CURVES)),
    (("G305",), ("M209", "M216", *CURVES)),
    (("M214",), ("M209", "M216", *CURVES)),
    (("M201", "M209", "M215", "G315"), ("M216", *CURVES)),
    (("M216",), CURVES),
    # What keeps the device waiting: what asks for too many cores first, as it slows all else.
    (("P506",), ("P501", "P505", "P508", "P512", "P513", "P514", "P516")),
    (("P512",), ("P501", "P505", "P508")),
    (("P505",), ("P501", "P508")),
    (("P504",), ("P503", "P508", "P513")),
    (("P501", "P502"), ("P503", "P508")),
    (("P503", "P513", "P514"), ("P508",)),
    # Curves alone.
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
    # What is unusual in a recipe is no finding of its own where it shows.
    ((*BROKEN, *CURVES, "D102", "D109", "M202", "M210", "M215", "G313", "G316"), ("G319",)),
    # A script that stopped early.
    (("D104", "M207", "M210", "G311", "P509"), ("R703", "R704")),
)


def rank_causes(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Mark what another finding explains, and return causes first, then by severity and confidence.

    A finding of lower severity than a warning explains only others that are no worse than itself.
    """
    ordered = sorted(findings, key=lambda finding: (-finding.severity, -finding.confidence, finding.code))
    ranked = [_marked(finding, _root(finding, ordered)) for finding in ordered]
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
            if other.code.startswith(causes) and _may_explain(other, finding):
                return place, other
    return None


def _may_explain(cause: Finding, effect: Finding) -> bool:
    if cause.code == effect.code:
        return False
    return cause.severity >= min(effect.severity, Severity.WARNING)


def _marked(finding: Finding, cause: str) -> Finding:
    if cause == finding.code:
        return finding
    return replace(finding, primary=False, explained_by=cause)
