from pathlib import Path

import pytest

from dlcheck.report import Report
from dlcheck.report.markdown import code, escape, to_markdown
from dlcheck.report.triage import Triage
from dlcheck.runs.discover import Refused

SICK = """\
### `runs/digits`

**sick: C409 overfit**

- **C409 overfit** (warning, 95% sure): val\\_loss rose over the last 6 validations while train\\_loss fell from 2.3 to 0.05
  - best\\_epoch 4; best\\_val\\_loss 0.52; worst inf; p none; worsens True
  - at val\\_loss, step 40, epoch 4
  - cause: the network learns what holds for the training samples alone
  - do: stop early `--set train.patience=5 --set train.restore_best=true`
  - do: more data

- **C411 stopped-late** (info, 90% sure): 60% of the run came after
  - explained by C409

2 findings; 2 clean; 3 not checked; 1 crashed

<details><summary>not checked</summary>

- G303: no layer\\_grad\\_norm in this run (`dlcheck watch SCRIPT` measures it)
- G304: no layer\\_grad\\_norm in this run (`dlcheck watch SCRIPT` measures it)
- C406: only 2 finite values of val\\_loss; 3 are needed

</details>

_next: dlcheck explain C409_
"""  # noqa: E501 - a sentence is a line


def test_a_sick_run_as_a_whole(sick: Report) -> None:
    assert to_markdown(Triage([sick])) == SICK


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a_b*c", "a\\_b\\*c"),
        ("<img onerror=x>", "&lt;img onerror=x&gt;"),
        ("@octocat, see #12", "@<!-- -->octocat, see #<!-- -->12"),
        ("https://evil.example", "https:<!-- -->//evil.example"),
        ("[x](y)|z", "\\[x\\](y)\\|z"),
        ("two\nlines\x1b[2J", "two lines\\\\x1b\\[2J"),
        ("ratio 1:2", "ratio 1:2"),
    ],
)
def test_words_of_the_user_neither_format_nor_link(text: str, expected: str) -> None:
    assert escape(text) == expected


@pytest.mark.parametrize(("text", "expected"), [("a", "`a`"), ("a`b", "``a`b``"), ("`", "`` ` ``"), ("<b>", "`<b>`")])
def test_a_code_span_holds_any_backticks(text: str, expected: str) -> None:
    assert code(text) == expected


def test_of_many_runs_a_table_comes_first(sick: Report, unknown: Report) -> None:
    text = to_markdown(Triage([unknown, sick, Refused(Path("bad|.csv"), "empty")]))
    assert text.startswith("**2 runs: 1 sick, 0 healthy, 1 unknown; 1 not read**")
    assert "| sick | C409 overfit (warning) | 2 | `runs/digits` |\n| unknown | none | 0 | `metrics.csv` |" in text
    assert "- `bad|.csv`: empty" in text
    assert "metrics.csv" not in to_markdown(Triage([unknown, sick]), top=1)


def test_hostile_words_stay_words(hostile: Report) -> None:
    text = to_markdown(Triage([hostile]))
    outside_code = "".join(part for place, part in enumerate(text.split("`")) if place % 2 == 0)
    assert "<script>" not in outside_code
    assert "\x1b" not in text
