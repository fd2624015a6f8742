import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dlcheck.report import Report
from dlcheck.report.sarif import to_sarif, uri
from dlcheck.report.triage import Triage
from dlcheck.rules import all_rules
from dlcheck.runs.discover import Refused


def written(*items: Report | Refused) -> dict[str, Any]:
    content = json.loads(to_sarif(Triage(items)), parse_constant=lambda word: pytest.fail(f"bare {word}"))
    assert content["version"] == "2.1.0"
    (run,) = content["runs"]
    assert isinstance(run, dict)
    return run


def test_every_rule_stands_with_its_page(sick: Report) -> None:
    driver = written(sick)["tool"]["driver"]
    assert driver["name"] == "dlcheck"
    assert [rule["id"] for rule in driver["rules"]] == list(all_rules())
    for rule in driver["rules"]:
        assert rule["shortDescription"]["text"].endswith(".")
        assert rule["id"] in rule["help"]["text"]
        assert rule["defaultConfiguration"]["level"] in ("error", "warning", "note")


def test_a_result_names_its_rule_level_message_and_log(sick: Report) -> None:
    run = written(replace(sick, path="runs/my digits"))
    first, second = run["results"]
    assert (first["ruleId"], first["level"], second["level"]) == ("C409", "warning", "note")
    assert run["tool"]["driver"]["rules"][first["ruleIndex"]]["id"] == "C409"
    assert first["message"]["text"].startswith("val_loss rose over the last 6 validations")
    assert "- stop early" in first["message"]["text"]
    place = first["locations"][0]["physicalLocation"]
    assert place == {"artifactLocation": {"uri": "runs/my%20digits"}, "region": {"startLine": 1}}
    assert first["properties"]["evidence"]["worst_state"] == "inf"


def test_the_fingerprint_survives_other_numbers(sick: Report) -> None:
    def prints(report: Report) -> list[str]:
        return [result["partialFingerprints"]["dlcheck/v1"] for result in written(report)["results"]]

    finding = replace(sick.outcome.findings[0], summary="other", evidence={"best_epoch": 5})
    other = replace(sick, outcome=replace(sick.outcome, findings=(finding,)))
    assert prints(other)[0] == prints(sick)[0]
    assert len(set(prints(sick))) == 2


def test_what_could_not_be_read_or_crashed_is_a_notification(sick: Report) -> None:
    (invocation,) = written(sick, Refused(Path("bad.csv"), "empty"))["invocations"]
    texts = [item["message"]["text"] for item in invocation["toolExecutionNotifications"]]
    assert texts == ["not read: empty", "X901 crashed: ValueError: odd"]


def test_paths_become_references(tmp_path: Path) -> None:
    assert uri("a b/ü?.csv") == "a%20b/%C3%BC%3F.csv"
    assert uri(str(tmp_path / "x.csv")) == (tmp_path / "x.csv").as_uri()


def test_a_strangers_rule_needs_no_index(hostile: Report) -> None:
    stranger = replace(hostile.outcome.findings[0], code="X901")
    (result,) = written(replace(hostile, outcome=replace(hostile.outcome, findings=(stranger,))))["results"]
    assert "ruleIndex" not in result
