from pathlib import Path

import pytest

from dlcheck.diagnosis import Settings, parse_settings, project_settings, recipe_settings
from dlcheck.errors import DlcheckError
from dlcheck.findings import Finding, Outcome, Severity
from dlcheck.runs import Run


def test_what_is_open_is_filled_from_below() -> None:
    mine = Settings(select=("C4",), thresholds={"C409": {"rise": 0.1}})
    theirs = Settings(("R7",), ("C411",), "warning", {"C409": {"rise": 0.3, "noise": 2.0}, "C402": {"factor": 3.0}})
    both = mine.over(theirs)
    assert both == Settings(
        ("C4",), ("C411",), "warning", {"C409": {"rise": 0.1, "noise": 2.0}, "C402": {"factor": 3.0}}
    )


@pytest.mark.parametrize(
    ("fail_on", "severity", "fails"),
    [
        (None, Severity.WARNING, False),
        (None, Severity.ERROR, True),
        ("warning", Severity.WARNING, True),
        ("info", Severity.INFO, True),
        ("never", Severity.ERROR, False),
        ("info", None, False),
    ],
)
def test_which_outcome_fails(fail_on: str | None, severity: Severity | None, fails: bool) -> None:
    findings = () if severity is None else (Finding("C401", "x", severity, 1.0, "", {}),)
    assert Settings(fail_on=fail_on).fails(Outcome(findings)) is fails


def test_the_nearest_project_counts(tmp_path: Path) -> None:
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    (tmp_path / "pyproject.toml").write_text('[tool.dlcheck]\nselect = ["C4"]\n')
    assert project_settings(deep).select == ("C4",)
    (tmp_path / "a" / "pyproject.toml").write_text(
        '[tool.dlcheck]\nignore = ["R7"]\nfail-on = "warning"\nthresholds.C409.rise = 1\n'
    )
    assert project_settings(deep) == Settings((), ("R7",), "warning", {"C409": {"rise": 1.0}})
    (deep / "pyproject.toml").write_text("[project]\n")
    assert project_settings(deep) == Settings()


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"selct": []}, "here.selct: no such key; did you mean 'select'?"),
        ({"select": "C4"}, "here.select: expected a list"),
        ({"ignore": [4]}, "here.ignore: expected a list"),
        ({"fail-on": "fatal"}, "here.fail-on = 'fatal': expected one of info, warning, error, never"),
        ({"thresholds": {"C409": 3}}, "here.thresholds.C409: expected a table"),
        ({"thresholds": {"C409": {"rise": True}}}, "here.thresholds.C409.rise = True: expected a number"),
        ([], "here: expected a table"),
    ],
)
def test_a_wrong_table_is_named(table: object, words: str) -> None:
    with pytest.raises(DlcheckError) as refused:
        parse_settings(table, "here")
    assert words in str(refused.value)


def test_a_broken_project_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool")
    with pytest.raises(DlcheckError, match=r"pyproject\.toml: cannot read"):
        project_settings(tmp_path)


def test_a_recipe_has_its_own_rules() -> None:
    run = Run(meta={"recipe": {"rules": {"fail_on": "info", "select": ["C4"]}}})
    assert recipe_settings(run, "x") == Settings(("C4",), (), "info")
    assert recipe_settings(Run(), "x") == Settings()
    with pytest.raises(DlcheckError, match=r"x: recipe\.toml: rules\.nope"):
        recipe_settings(Run(meta={"recipe": {"rules": {"nope": 1}}}), "x")
