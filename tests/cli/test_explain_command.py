import json

import pytest

from dlcheck.__main__ import main
from dlcheck.rules import all_rules, explain


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(["explain", *arguments])
    written = capsys.readouterr()
    return int(ended.value.code or 0), written.out, written.err


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_a_name_gives_the_page(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    status, out, err = run(capsys, "overfit")
    assert (status, err) == (0, "")
    assert out.split() == [*explain("C409").split(), "next:", "dlcheck", "diagnose", "RUN", "--select", "C409"]
    assert max(map(len, out.splitlines())) <= min(columns, 100)


def test_all_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "--all", "--format", "json")
    assert status == 0
    assert [rule["code"] for rule in json.loads(out)["rules"]] == list(all_rules())


def test_a_family_in_markdown(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "R7", "--format", "markdown")
    assert out.startswith("## R701 no-validation\n")
    assert "## C4" not in out


@pytest.mark.parametrize("arguments", [(), ("C409", "--all"), ("C999",), ("C409", "nope")])
def test_what_names_no_rule_is_refused(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]) -> None:
    status, out, err = run(capsys, *arguments)
    assert (status, out) == (2, "")
    assert len(err.splitlines()) == 1
