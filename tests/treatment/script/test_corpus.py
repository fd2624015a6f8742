"""Scripts in several styles: what is planted is mended by the edit that is printed, and nothing else is touched."""

from __future__ import annotations

import ast
import dataclasses
import random
from pathlib import Path

import pytest

from dlcheck.findings import Finding, Remedy, Severity, Value, Where
from dlcheck.treatment.script.source import Source, unified
from dlcheck.treatment.script.suggest import EXACT, SUGGESTED
from tests.benchmarks.treatments.scripts.corpus import Case, faulty, healthy
from tests.benchmarks.treatments.scripts.table import markdown
from tests.benchmarks.treatments.scripts.work import Row, patched, worked

HEALTHY, FAULTY = list(healthy()), list(faulty())
QUICK = ("more-graph_karate-probabilities-into-cross-entropy",)
REMEDIES = (
    "clip the gradient to norm 1",
    "lower the learning rate to 0.1 times its value",
    "call clip_grad_norm_ between loss.backward() and optimizer.step()",
    "call scheduler.step() after optimizer.step(), at the end of the epoch or step",
    "move scheduler.step() out of the loop over batches",
    "move scheduler.step() into the loop over batches, after optimizer.step()",
    "add up numbers: total += loss.item()",
)
EVIDENCE: dict[str, Value] = {"made_by": "softmax", "loss": "cross_entropy", "backwards_per_step": 1.0, "outside": 2}


def test_there_are_scripts_in_many_styles() -> None:
    assert len(HEALTHY) >= 40
    assert len({one.key for one in (*HEALTHY, *FAULTY)}) == len(HEALTHY) + len(FAULTY)


@pytest.mark.parametrize("case", HEALTHY, ids=lambda case: case.key)
def test_an_edit_of_any_place_is_python_and_printed_as_it_is_made(case: Case) -> None:
    source = Source(Path("train.py"), case.text)
    draw = random.Random(case.key)
    makes = {one for makes in (*EXACT.values(), *SUGGESTED.values()) for one in makes}
    for line in draw.sample(range(1, len(source.lines)), 4):
        where = Where(file="train.py", line=line)
        remedies = (Remedy(draw.choice(REMEDIES)), Remedy(draw.choice(REMEDIES)))
        for make in makes:
            edits = make(source, Finding("X", "x", Severity.ERROR, 1.0, "said", EVIDENCE, where, remedies=remedies))
            after = source.edited(edits) if edits else None
            if after is not None:
                ast.parse(after.text)
                assert patched(case.text, unified(source, after, "train.py")) == after.text


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("case", [one for one in FAULTY if one.key in QUICK], ids=lambda case: case.key)
def test_what_apply_would_make_is_right(case: Case, tmp_path: Path) -> None:
    row = worked(case, tmp_path)
    assert row == Row(case.key, case.codes[0], case.codes[0], row.edits, True, True, True, True, True)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("case", [one for one in FAULTY if one.key not in QUICK], ids=lambda case: case.key)
def test_no_printed_edit_is_wrong(case: Case, tmp_path: Path) -> None:
    row = worked(case, tmp_path)
    if row.suggested:
        assert row.applies
        assert row.runs
    if row.exact:
        assert row.gone


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("case", HEALTHY, ids=lambda case: case.key)
def test_no_edit_is_suggested_for_a_healthy_script(case: Case, tmp_path: Path) -> None:
    assert worked(case, tmp_path).edits == 0


def test_a_diff_applies_to_its_own_text_alone() -> None:
    diff = "@@ -1,2 +1,2 @@\n a\n-b\n+c\n"
    assert patched("a\nb\nd\n", diff) == "a\nc\nd\n"
    assert patched("a\nx\nd\n", diff) is None


def test_the_table_counts_each_column() -> None:
    row = Row("a", "G306", "G306", 1, True, True, True, True, True)
    told = markdown([row, dataclasses.replace(row, key="b", gone=False, exact=False), Row("healthy-c", "", edits=2)])
    assert "| G306 | 2 | 2 | 2 | 1 | 2 | 2 | 1 |" in told
    assert "| of them exact | 1 | 1 | 1 | 1 | 1 | 1 | 1 |" in told
    assert told.endswith("Healthy scripts: 1, edits suggested for them: 2.")
