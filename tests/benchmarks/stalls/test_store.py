"""Tests of the file that lets an interrupted benchmark go on."""

from __future__ import annotations

from pathlib import Path

from tests.benchmarks.stalls.verdict import Row, Store, Verdict


def test_rows_come_back_as_they_were(tmp_path: Path) -> None:
    store = Store(tmp_path / "out" / "rows.jsonl")
    said = Verdict("input", "decode", 0.9, ("P501",), "words", 12.5, {"share": 0.4, "codes": ["P501"]})
    row, bare = (
        Row("stalls", "a", "dlcheck", said, pressure=3.0),
        Row("stalls", "a", "measured", figures={"share": 0.4}),
    )
    store.add(row)
    store.add(bare)
    assert Store(store.path).rows() == {row.key: row, bare.key: bare}
    assert store.section("stalls") == [row, bare]
    assert store.section("healthy") == []


def test_a_line_that_was_torn_off_is_made_again(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    Store(path).add(Row("stalls", "a", "dlcheck", Verdict("input")))
    with path.open("a", encoding="utf-8") as file:
        file.write('{"section": "stalls", "name": "b", ')
    store = Store(path)
    assert store.missing("stalls", ["a", "b"], "dlcheck") == ["b"]
    store.add(Row("stalls", "b", "dlcheck", Verdict("gap")))
    assert store.missing("stalls", ["a", "b"], "dlcheck") == []


def test_the_last_of_several_rows_counts(tmp_path: Path) -> None:
    store = Store(tmp_path / "rows.jsonl")
    for coarse in ("input", "gap"):
        store.add(Row("stalls", "a", "dlcheck", Verdict(coarse)))
    assert [row.verdict.coarse for row in store.section("stalls") if row.verdict is not None] == ["gap"]
