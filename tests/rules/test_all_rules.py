"""What holds for every rule."""

import math
import re
from pathlib import Path

import pytest

from dlcheck.rules import Rule, all_rules, diagnose, explain
from dlcheck.rules.engine import missing
from dlcheck.rules.explain import SECTIONS, sections
from dlcheck.runs import Run
from dlcheck.runs.signals import SIGNALS
from tests.rules.examples import HEALTHY, SICK

ROOT = Path(__file__).parents[2]
RULES = [pytest.param(rule, id=code) for code, rule in all_rules().items()]


@pytest.mark.parametrize("rule", RULES)
def test_code_and_name_have_the_form_of_all(rule: Rule) -> None:
    assert re.fullmatch(r"[A-Z][0-9]{3}", rule.code)
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", rule.name)
    assert [other.name for other in all_rules().values()].count(rule.name) == 1


@pytest.mark.parametrize("rule", RULES)
def test_the_page_has_every_section_in_order(rule: Rule) -> None:
    found = sections(rule)
    assert tuple(found) == ("", *SECTIONS)
    assert all(found.values())
    page = explain(rule.code)
    assert page.startswith(f"{rule.code} {rule.name} ({rule.severity.label})\n")


@pytest.mark.parametrize("rule", RULES)
def test_every_threshold_has_a_source_and_stands_on_the_page(rule: Rule) -> None:
    page = explain(rule.code)
    for name, threshold in rule.thresholds.items():
        assert math.isfinite(threshold.value)
        assert threshold.source
        assert f"    {name} = {threshold.value:g}: " in page
        assert f"      Source: {threshold.source}" in page


@pytest.mark.parametrize("rule", RULES)
def test_needs_are_signals_and_references_are_given(rule: Rule) -> None:
    names = {name for need in rule.needs for name in ((need,) if isinstance(need, str) else need)}
    assert names
    assert names <= set(SIGNALS)
    assert rule.references


@pytest.mark.parametrize("rule", RULES)
def test_a_sick_run_is_found_with_numbers_and_a_remedy(rule: Rule) -> None:
    outcome = diagnose(SICK[rule.code], select=[rule.code])
    (finding,) = outcome.findings
    assert (finding.code, finding.name, finding.severity) == (rule.code, rule.name, rule.severity)
    assert 0.5 <= finding.confidence < 1
    assert finding.evidence
    assert finding.summary
    assert "\n" not in finding.summary
    assert finding.remedies


@pytest.mark.parametrize("rule", RULES)
def test_a_healthy_run_is_clean(rule: Rule) -> None:
    outcome = diagnose(HEALTHY[rule.code], select=[rule.code])
    assert outcome.clean == (rule.code,)


@pytest.mark.parametrize("rule", RULES)
def test_an_empty_run_is_not_checked(rule: Rule) -> None:
    lacking = missing(rule, Run())
    assert lacking is not None
    assert lacking.why.startswith("no ")
    assert lacking.try_.startswith("dlcheck ")


@pytest.mark.parametrize("folder", ["README.md", "recipes", "dlcheck"])
def test_a_name_that_is_written_beside_a_code_is_the_rules(folder: str) -> None:
    place = ROOT / folder
    files = [place] if place.is_file() else [path for path in place.rglob("*") if path.suffix in (".py", ".toml")]
    known = all_rules()
    for path in files:
        for code, name in re.findall(r"\b([A-Z]\d{3})[ ,(]+([a-z]+(?:-[a-z]+)+)\b", path.read_text(encoding="utf-8")):
            assert known[code].name == name, path
