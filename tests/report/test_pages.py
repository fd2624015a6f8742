import json

import pytest

from dlcheck.errors import DlcheckError
from dlcheck.report.pages import render_pages, rules_of
from dlcheck.rules import all_rules, explain


def codes(*words: str) -> list[str]:
    return [rule.code for rule in rules_of(words)]


def test_codes_names_and_prefixes_in_any_case() -> None:
    assert codes("C409") == codes("overfit") == codes("c409") == ["C409"]
    family = codes("C4")
    assert {"C401", "C409"} <= set(family)
    assert all(code.startswith("C4") for code in family)
    assert codes("overfit", "C4") == family


@pytest.mark.parametrize("word", ["", "C999", "Z", "overfitt"])
def test_what_fits_no_rule_is_refused(word: str) -> None:
    with pytest.raises(DlcheckError, match="no such rule"):
        rules_of([word])


def test_text_is_the_page() -> None:
    assert render_pages(rules_of(["C409"]), "text") == explain("C409")
    two = render_pages(rules_of(["C401", "C409"]), "text")
    assert two.startswith(explain("C401"))
    assert two.endswith(explain("C409"))


def test_json_holds_thresholds_with_their_sources() -> None:
    (page,) = json.loads(render_pages(rules_of(["C409"]), "json"))["rules"]
    rule = all_rules()["C409"]
    assert (page["code"], page["name"], page["severity"]) == ("C409", "overfit", "warning")
    assert page["thresholds"] == {
        name: {"value": threshold.value, "source": threshold.source} for name, threshold in rule.thresholds.items()
    }
    assert page["sections"]["Why it matters"]
    assert page["summary"].endswith(".")


def test_every_page_is_whole_in_every_format() -> None:
    rules = list(all_rules().values())
    assert len(json.loads(render_pages(rules, "json"))["rules"]) == len(rules)
    markdown = render_pages(rules, "markdown")
    for rule in rules:
        assert f"## {rule.code} {rule.name}\n" in markdown
        for name in rule.thresholds:
            assert f"| `{name}` | " in markdown
