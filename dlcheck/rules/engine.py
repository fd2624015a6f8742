"""Apply the rules to a run; each ends as findings, clean, not checked or crashed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from dlcheck.errors import one_line
from dlcheck.findings import Crashed, Finding, NotChecked, Outcome
from dlcheck.rules.course import present
from dlcheck.rules.ranking import rank_causes
from dlcheck.rules.registry import registry
from dlcheck.rules.rule import Need, Rule, Unchecked
from dlcheck.rules.selection import checked_thresholds, selected
from dlcheck.rules.treating import with_remedies
from dlcheck.runs import Run
from dlcheck.runs.signals import SIGNALS


@dataclass(slots=True)
class _Tally:
    findings: list[Finding] = field(default_factory=list)
    clean: list[str] = field(default_factory=list)
    not_checked: list[NotChecked] = field(default_factory=list)
    crashed: list[Crashed] = field(default_factory=list)


def diagnose(
    run: Run,
    *,
    select: Iterable[str] = (),
    ignore: Iterable[str] = (),
    thresholds: Mapping[str, Mapping[str, float]] | None = None,
) -> Outcome:
    """Apply the selected rules, and tell causes from their consequences.

    Args:
        run: What was measured.
        select: Code prefixes to apply; empty: all.
        ignore: Code prefixes to leave out; the longest prefix wins.
        thresholds: Other values by rule code and threshold name.

    Raises:
        DlcheckError: an unknown code in ``select``, or an unknown rule or threshold name.
    """
    found = registry()
    limits = checked_thresholds(found.rules, thresholds or {})
    tally = _Tally(crashed=list(found.broken))
    for rule in selected(found.rules, select, ignore):
        apply(rule, run, limits.get(rule.code, {}), tally)
    return Outcome(rank_causes(tally.findings), tuple(tally.clean), tuple(tally.not_checked), tuple(tally.crashed))


def apply(rule: Rule, run: Run, overrides: Mapping[str, float], tally: _Tally) -> None:
    """Apply one rule, and add what it said to the tally."""
    lacking = missing(rule, run)
    if lacking is not None:
        tally.not_checked.append(lacking)
        return
    try:
        findings = [with_remedies(rule, run, finding) for finding in rule.check(run, rule.limits(overrides))]
    except Unchecked as reason:
        tally.not_checked.append(NotChecked(rule.code, reason.why, reason.try_))
    except Exception as error:  # a rule's own fault must not take the others along
        tally.crashed.append(Crashed(rule.code, f"{type(error).__name__}: {one_line(error)}"))
    else:
        tally.findings.extend(findings)
        if not findings:
            tally.clean.append(rule.code)


def missing(rule: Rule, run: Run) -> NotChecked | None:
    """Return which of the rule's signals the run lacks and what would supply them; None when none."""
    lacking = [need for need in rule.needs if not any(present(run, name) for name in _names(need))]
    if not lacking:
        return None
    described = " and ".join(" or ".join(_names(need)) for need in lacking)
    return NotChecked(rule.code, f"no {described} in this run", SIGNALS[_names(lacking[0])[0]].supply, lacking=True)


def _names(need: Need) -> tuple[str, ...]:
    return (need,) if isinstance(need, str) else need
