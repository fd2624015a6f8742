"""The remedies of a finding: keys of the recipe that are the likely cause first, then what its rule prescribes."""

from dataclasses import replace

from dlcheck.findings import Finding, Remedy
from dlcheck.rules.prescription import chosen, fitting, prescribed
from dlcheck.rules.present import Present, present
from dlcheck.rules.rule import Rule
from dlcheck.rules.unusual import restoring
from dlcheck.runs import Run


def with_remedies(rule: Rule, run: Run, finding: Finding) -> Finding:
    """Return the finding with at most four remedies that suit the run's recipe, most likely first.

    Unusual keys of the recipe come first; then what the rule's function named for this run, where it named none the
    rule's prescriptions. Where none suits, their words stand alone.
    """
    recipe = present(run)
    back = restoring(recipe, finding.code)
    own = _own(finding, recipe) if finding.remedies else prescribed(run, *rule.prescriptions)
    rest = [remedy for remedy in own if not _restored(remedy, back)]
    remedies = chosen([*back, *rest])
    if not remedies:
        remedies = chosen(Remedy(item.text) for item in finding.remedies or rule.prescriptions)
    return replace(finding, remedies=remedies)


def _own(finding: Finding, recipe: Present | None) -> list[Remedy]:
    found = [fitting(remedy, recipe) for remedy in finding.remedies]
    return [remedy for remedy in found if remedy is not None]


def _restored(remedy: Remedy, back: tuple[Remedy, ...]) -> bool:
    """Return whether a key that is set back first, alone, is all that the remedy changes."""
    return any(set(remedy.patch) == set(one.patch) for one in back if len(one.patch) == 1)
