import json

from hypothesis import given
from hypothesis import strategies as st

from dlcheck.findings import Finding, Outcome, Remedy, Severity
from dlcheck.report import Report, to_json
from dlcheck.runs import Run


def refuse(word: str) -> None:
    raise AssertionError(word)


def read(text: str) -> dict[str, object]:
    content = json.loads(text, parse_constant=refuse)
    assert isinstance(content, dict)
    return content


def test_the_schema_as_a_whole(sick: Report) -> None:
    assert read(to_json([sick])) == {
        "schema": "dlcheck.findings/1",
        "runs": [
            {
                "source": "runs/digits",
                "format": "dlcheck-run",
                "verdict": "sick",
                "findings": [
                    {
                        "code": "C409",
                        "name": "overfit",
                        "severity": "warning",
                        "confidence": 0.95,
                        "summary": "val_loss rose over the last 6 validations while train_loss fell from 2.3 to 0.05",
                        "evidence": {
                            "best_epoch": 4,
                            "best_val_loss": 0.52,
                            "worst": None,
                            "worst_state": "inf",
                            "p": None,
                            "worsens": True,
                        },
                        "where": {
                            "metric": "val_loss",
                            "layer": None,
                            "step": 40,
                            "epoch": 4,
                            "file": None,
                            "line": None,
                        },
                        "cause": "the network learns what holds for the training samples alone",
                        "primary": True,
                        "explained_by": None,
                        "remedies": [
                            {"text": "stop early", "patch": {"train.patience": 5, "train.restore_best": True}},
                            {"text": "more data", "patch": {}},
                        ],
                        "references": ["Prechelt 1998"],
                    },
                    {
                        "code": "C411",
                        "name": "stopped-late",
                        "severity": "info",
                        "confidence": 0.9,
                        "summary": "60% of the run came after",
                        "evidence": {},
                        "where": dict.fromkeys(("metric", "layer", "step", "epoch", "file", "line")),
                        "cause": "",
                        "primary": False,
                        "explained_by": "C409",
                        "remedies": [],
                        "references": [],
                    },
                ],
                "clean": ["C401", "C402"],
                "not_checked": [
                    {"code": "G303", "why": "no layer_grad_norm in this run", "try": "dlcheck watch SCRIPT"},
                    {"code": "G304", "why": "no layer_grad_norm in this run", "try": "dlcheck watch SCRIPT"},
                    {"code": "C406", "why": "only 2 finite values of val_loss; 3 are needed", "try": ""},
                ],
                "crashed": [{"code": "X901", "error": "ValueError: odd"}],
            }
        ],
    }


def test_any_text_of_the_user_stays_text(hostile: Report) -> None:
    runs = read(to_json([hostile]))["runs"]
    assert isinstance(runs, list)
    assert runs[0]["source"] == hostile.source


def test_no_runs_are_an_empty_list() -> None:
    assert read(to_json([])) == {"schema": "dlcheck.findings/1", "runs": []}


VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.floats()).map(tuple)


@given(evidence=st.dictionaries(st.text(), VALUES), patch=st.dictionaries(st.text(), VALUES), summary=st.text())
def test_always_strict_json(evidence: dict[str, None], patch: dict[str, object], summary: str) -> None:
    finding = Finding("C401", "nan-loss", Severity.ERROR, 0.9, summary, evidence, remedies=(Remedy("", patch),))
    read(to_json([Report(summary, Run(), Outcome((finding,)), "sick")]))
