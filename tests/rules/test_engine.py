from collections.abc import Iterator
from importlib.metadata import EntryPoint
from types import ModuleType

import pytest

from dlcheck.errors import DlcheckError
from dlcheck.findings import Finding, Outcome, Severity
from dlcheck.rules import Rule, Threshold, Unchecked, all_rules, diagnose, explain, rule, verdict
from dlcheck.rules import registry as registry_module
from dlcheck.rules.explain import page
from dlcheck.rules.ranking import rank_causes
from dlcheck.rules.registry import registry
from dlcheck.rules.rule import Limits
from dlcheck.rules.selection import selected
from dlcheck.runs import Run
from tests.rules.examples import FALLING, NAN, SICK, healthy_run, make_run


@rule("X901", "third-party", Severity.INFO, thresholds={"most": Threshold(2.0, "nobody")})
def foreign(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find a fault that only others know."""
    raise Unchecked(f"most is {limits['most']:g}", "dlcheck watch SCRIPT")


@rule("X902", "broken-rule", Severity.ERROR)
def broken(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find nothing, for it fails."""
    raise ZeroDivisionError("of its\nown")


@pytest.fixture
def others(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Install a third party's rules, one that takes a code of ours, and one that does not import."""
    module = ModuleType("x_rules")
    module.__dict__.update(foreign=foreign, broken=broken)
    thief = rule("C401", "thief", Severity.INFO)(foreign.check)
    loaded = {"x": module, "single": thief}

    class Entry:
        def __init__(self, name: str) -> None:
            self.name = self.value = name

        def load(self) -> object:
            return loaded[self.name]

    def entry_points(group: str) -> list[Entry]:
        assert group == "dlcheck.rules"
        return [Entry("x"), Entry("single"), Entry("gone")]

    monkeypatch.setattr(registry_module, "entry_points", entry_points)
    registry.cache_clear()
    yield
    registry.cache_clear()


def chosen(select: list[str], ignore: list[str]) -> set[str]:
    codes = ("C401", "C402", "C409", "R701")
    rules = {code: Rule(code, code.lower(), Severity.INFO, (), lambda run, limits: []) for code in codes}
    return {item.code for item in selected(rules, select, ignore)}


@pytest.mark.parametrize(
    ("select", "ignore", "expected"),
    [
        ([], [], {"C401", "C402", "C409", "R701"}),
        (["C"], [], {"C401", "C402", "C409"}),
        ([], ["C"], {"R701"}),
        (["C"], ["C40"], set()),
        (["C409"], ["C"], {"C409"}),
        (["C", "R"], ["C4", "C409"], {"R701"}),
        (["C40", "C402"], ["C40"], {"C402"}),
        (["C409"], ["C409"], set()),
    ],
)
def test_the_longest_prefix_wins(select: list[str], ignore: list[str], expected: set[str]) -> None:
    assert chosen(select, ignore) == expected


def test_an_unknown_code_is_refused_with_the_nearest() -> None:
    with pytest.raises(DlcheckError, match=r"select 'C499': no such rule; did you mean 'C4\d\d'\?"):
        diagnose(Run(), select=["C499"])
    with pytest.raises(DlcheckError, match=r"overfitt: no such rule; did you mean 'overfit'\?"):
        explain("overfitt")


@pytest.mark.parametrize(
    ("thresholds", "said"),
    [
        ({"C499": {"rise": 1.0}}, "rules.thresholds.C499: no such rule"),
        ({"C409": {"rize": 1.0}}, "C409 has no such threshold; did you mean 'rise'"),
    ],
)
def test_an_unknown_threshold_is_refused(thresholds: dict[str, dict[str, float]], said: str) -> None:
    with pytest.raises(DlcheckError, match=said):
        diagnose(Run(), thresholds=thresholds)


def test_every_rule_ends_in_exactly_one_way() -> None:
    outcome = diagnose(SICK["C409"])
    ended = [finding.code for finding in outcome.findings] + list(outcome.clean)
    ended += [item.code for item in outcome.not_checked] + [item.code for item in outcome.crashed]
    assert sorted(ended) == sorted(all_rules())


def test_missing_signals_are_named_with_the_command_that_supplies_them() -> None:
    (lacking,) = diagnose(make_run({"train_loss": FALLING}), select=["C409"]).not_checked
    assert (lacking.why, lacking.try_) == ("no val_loss in this run", "dlcheck train RECIPE")


@pytest.mark.usefixtures("others")
def test_a_rule_that_fails_does_not_take_the_others_along() -> None:
    outcome = diagnose(SICK["C401"], thresholds={"X901": {"most": 3.0}})
    assert [finding.code for finding in outcome.findings if finding.primary] == ["C401", "R701"]
    assert ("X902", "ZeroDivisionError: of its own") in [(item.code, item.error) for item in outcome.crashed]
    assert ("X901", "most is 3") in [(item.code, item.why) for item in outcome.not_checked]


@pytest.mark.usefixtures("others")
def test_rules_of_others_come_by_entry_point() -> None:
    found = registry()
    assert found.rules["X901"] is foreign
    assert found.rules["C401"].name == "nan-loss"
    assert [item.code for item in found.broken] == ["single", "gone"]
    assert "the code C401 is taken" in found.broken[0].error


@pytest.mark.usefixtures("others")
def test_a_strange_page_is_printed_as_far_as_it_goes() -> None:
    assert page(foreign).startswith("X901 third-party (info)\n\nFind a fault that only others know.\n")


def test_entry_points_are_real_ones() -> None:
    assert EntryPoint("x", "dlcheck.rules.curves.overfit:overfit", registry_module.GROUP).load().code == "C409"


def finding(code: str, severity: Severity = Severity.WARNING) -> Finding:
    return Finding(code, code.lower(), severity, 0.9, "", {"n": 1})


@pytest.mark.parametrize(
    ("codes", "causes"),
    [
        (["C401", "C404"], {"C401": "C404"}),
        (["C401", "G301", "G317"], {"C401": "G317", "G301": "G317"}),
        (["C401", "D101"], {"C401": "D101"}),
        (["G303", "M203", "C406"], {"G303": "M203", "C406": "M203"}),
        (["C404", "G304", "C402"], {"C404": "G304", "C402": "G304"}),
        (["P510", "G311"], {"P510": "G311"}),
        (["C409", "C411"], {"C411": "C409"}),
        (["C411", "C409", "C406"], {"C411": "C406", "C409": "C406"}),
        (["M207", "G305", "C405"], {"G305": "M207", "C405": "M207"}),
        (["D106", "M207"], {}),
        (["P501", "C409", "S601", "R701"], {}),
        # Broken inputs, and arithmetic that they or nobody else broke.
        (["D101", "G317", "G301", "C401"], {"G317": "D101", "G301": "D101", "C401": "D101"}),
        (["G317", "C401", "M204", "M216"], {"C401": "G317", "M204": "G317", "M216": "G317"}),
        (["G301", "C401", "C402", "M216"], {"C401": "G301", "C402": "G301", "M216": "G301"}),
        # Usage.
        (["M207", "G307", "M216", "M209", "C406"], dict.fromkeys(["G307", "M216", "M209", "C406"], "M207")),
        (["M206", "M201", "C408"], {"M201": "M206", "C408": "M206"}),
        (["M211", "M209", "M216", "C406"], dict.fromkeys(["M209", "M216", "C406"], "M211")),
        (["G306", "G302", "G304", "G310", "M204"], dict.fromkeys(["G302", "G304", "G310", "M204"], "G306")),
        (["G316", "G307", "C406"], {"G307": "G316", "C406": "G316"}),
        (["G316", "C416", "G310"], {"C416": "G316", "G310": "G316"}),
        (["G312", "G305", "C405", "C417"], dict.fromkeys(["G305", "C405", "C417"], "G312")),
        (["M206", "M212"], {}),
        (["G311", "G304"], {}),
        (["G311", "P509", "P510"], {"P509": "G311", "P510": "G311"}),
        # Data.
        (["D102", "M201", "M203", "M204", "G304"], dict.fromkeys(["M201", "M203", "M204", "G304"], "D102")),
        (["D112", "D110", "C409", "C410"], dict.fromkeys(["D110", "C409", "C410"], "D112")),
        (["D110", "M214", "C408"], {"M214": "D110", "C408": "D110"}),
        (["D109", "C403", "M216"], {"C403": "D109", "M216": "D109"}),
        (["D106", "C418", "C414"], {"C418": "D106", "C414": "D106"}),
        (["D108", "G304", "C413"], {"C413": "D108"}),
        # Initialisation, then the rate, then what it kills.
        (["M202", "M204", "G303", "G307", "M209"], dict.fromkeys(["M204", "G303", "G307", "M209"], "M202")),
        (["M203", "G304", "M205", "C402"], dict.fromkeys(["G304", "M205", "C402"], "M203")),
        (["M215", "M201", "C406"], {"M201": "M215", "C406": "M215"}),
        (["G304", "M204", "G303", "M216", "C406"], dict.fromkeys(["M204", "G303", "M216", "C406"], "G304")),
        (["G304", "G302", "G301", "C401"], dict.fromkeys(["G302", "G301", "C401"], "G304")),
        (["C404", "M204", "M216", "C406"], dict.fromkeys(["M204", "M216", "C406"], "C404")),
        (["M204", "M216", "C406"], {"M216": "M204", "C406": "M204"}),
        (["G305", "C405", "C406"], {"C405": "G305", "C406": "G305"}),
        (["G313", "G304", "M216", "C408"], dict.fromkeys(["G304", "M216", "C408"], "G313")),
        (["C416", "G302", "G304", "G310"], dict.fromkeys(["G302", "G304", "G310"], "C416")),
        (["M209", "C416"], {"C416": "M209"}),
        (["M216", "C405"], {"M216": "C405"}),
        # What a script that stopped had.
        (["D104", "R703"], {"R703": "D104"}),
    ],
)
def test_one_sickness_has_one_primary_finding(codes: list[str], causes: dict[str, str]) -> None:
    ranked = rank_causes([finding(code) for code in codes])
    assert {item.code: item.explained_by for item in ranked if item.explained_by} == causes
    assert {item.code for item in ranked if item.primary} == set(codes) - set(causes)
    assert [item.primary for item in ranked] == sorted((item.primary for item in ranked), reverse=True)


def test_an_info_explains_no_error() -> None:
    ranked = rank_causes([finding("D105", Severity.INFO), finding("C406", Severity.ERROR)])
    assert all(item.primary for item in ranked)


def test_findings_of_one_rule_are_ranked_one_by_one() -> None:
    weak, strong = finding("M204", Severity.INFO), finding("M204", Severity.ERROR)
    ranked = rank_causes([finding("G313", Severity.INFO), weak, strong])
    assert [(item.severity, item.explained_by) for item in ranked if item.code == "M204"] == [
        (Severity.ERROR, None),
        (Severity.INFO, "G313"),
    ]


def test_the_severest_comes_first() -> None:
    ranked = rank_causes([finding("R701", Severity.INFO), finding("P501"), finding("D104", Severity.ERROR)])
    assert [item.code for item in ranked] == ["D104", "P501", "R701"]


def test_healthy_takes_all_rules_that_could_have_told_otherwise() -> None:
    assert verdict(diagnose(healthy_run())) == "healthy"
    assert verdict(diagnose(healthy_run(), ignore=["C406"])) == "unknown"
    assert verdict(diagnose(make_run({"train_loss": FALLING}, trivial_loss=2.3))) == "unknown"
    assert verdict(Outcome()) == "unknown"


@pytest.mark.parametrize(
    ("clean", "expected"),
    [
        ("C401 C402 C406 C409", "healthy"),
        ("C401 C402 C406 M207 G304 G306", "healthy"),  # seen from within, without validation
        ("D101 M201 M206 M207 M209", "healthy"),  # an exam before training
        ("D101 M201 M206 M207", "unknown"),
        ("M207 M212 D101", "unknown"),  # an evaluation alone
        ("", "unknown"),
    ],
)
def test_each_way_to_look_has_its_own_rules_that_make_it_healthy(clean: str, expected: str) -> None:
    assert verdict(Outcome(clean=tuple(clean.split()))) == expected


def test_sick_takes_a_warning_and_infos_do_not_count() -> None:
    assert verdict(diagnose(SICK["C409"])) == "sick"
    assert verdict(Outcome(findings=(finding("C412", Severity.INFO),))) == "unknown"
    assert verdict(diagnose(make_run({"train_loss": NAN}))) == "sick"
