"""Rows that a finding is about: the samples that were made sick, no others, and the way back to the file."""

from __future__ import annotations

import os
import string
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcheck.checks.admit import admit_recipe
from dlcheck.checks.data import EXAMS
from dlcheck.checks.examine import examine
from dlcheck.findings import Finding, Remedy, Severity
from dlcheck.recipe import LoadedRecipe, parse_recipe
from dlcheck.report.report import Report
from dlcheck.report.treated import Yours
from dlcheck.runs.numerals import is_plain_number
from dlcheck.runs.spreadsheet import BREAKS, FORMULA, safe
from dlcheck.treatment.rows import is_yours, yours
from dlcheck.treatment.rows.lines import row_lines
from dlcheck.treatment.rows.table import Row, to_csv, write_rows

MODEL = "\n[model]\nname = 'mlp'\nhidden = [8]\n"


def recipe(data: str) -> LoadedRecipe:
    return parse_recipe(f"[data]\n{data}{MODEL}", "tiny", name="tiny")


def examined(loaded: LoadedRecipe, *names: str) -> Report:
    return examine(admit_recipe(loaded, "cpu"), exams=[e for e in EXAMS if e.name in names], limit_s=60)


def told(report: Report, loaded: LoadedRecipe, folder: Path, code: str) -> tuple[Yours, pd.DataFrame]:
    """Return what is left of one finding, and its CSV."""
    found = next(item for item in yours(report, loaded, folder) if item.finding.code == code)
    assert found.rows is not None
    frame = pd.read_csv(found.rows)
    assert len(frame) == found.count
    return found, frame


def found_one(code: str, severity: Severity = Severity.WARNING, *remedies: Remedy) -> Finding:
    return Finding(code, "name", severity, 0.9, "summary", {}, remedies=remedies)


def only(report: Report, *findings: Finding) -> Report:
    return replace(report, outcome=replace(report.outcome, findings=findings))


@pytest.fixture(scope="module")
def noisy(tmp_path_factory: pytest.TempPathFactory) -> tuple[LoadedRecipe, Path, set[int], dict[int, int]]:
    """Return a table in two files with wrong labels and copies: the rows made wrong, and each copy's original."""
    folder = tmp_path_factory.mktemp("noisy")
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 3, 600)
    x = rng.normal(size=(600, 4)) + 5 * np.eye(4)[codes]
    x[500:560], codes[500:560] = x[:60], codes[:60]
    wrong = set(rng.permutation(np.arange(60, 500))[:40].tolist())
    shown = [(code + 1) % 3 if row in wrong else code for row, code in enumerate(codes)]
    lines = [",".join(f"{v:.5f}" for v in values) + f",{'abc'[code]}" for values, code in zip(x, shown, strict=True)]
    first, second = folder / "first.csv", folder / "second.csv"
    first.write_text("p,q,r,s,kind\n" + "\n".join(lines[:300]) + "\n")
    second.write_text("p,q,r,s,kind\n\n" + "\n".join(lines[300:]) + "\n")  # an empty line, which pandas skips
    loaded = recipe(f"name = 'csv'\npath = ['{first}', '{second}']")
    return loaded, folder, wrong, {row: row - 500 for row in range(500, 560)}


def test_wrong_labels_lead_to_their_lines(
    noisy: tuple[LoadedRecipe, Path, set[int], dict[int, int]], tmp_path: Path
) -> None:
    loaded, _, wrong, _ = noisy
    report = only(examined(loaded, "label noise"), found_one("D115"))
    found, frame = told(report, loaded, tmp_path, "D115")
    assert found.rows == tmp_path / "rows-D115.csv"
    assert set(frame.row) <= set(range(600))
    right = [row in wrong for row in frame.row]
    assert np.mean(right) > 0.9
    assert sum(right) > 10  # of some 24 that train
    assert (frame.split == "train").all()
    assert (frame.label != frame.suggested).all()
    assert frame.score.is_monotonic_decreasing
    for row in frame.itertuples():
        line = Path(str(row.file)).read_text().splitlines()[int(str(row.line)) - 1]
        assert line.endswith(f",{row.label}")


def test_copies_in_both_splits_are_paired(
    noisy: tuple[LoadedRecipe, Path, set[int], dict[int, int]], tmp_path: Path
) -> None:
    loaded, _, _, originals = noisy
    report = only(examined(loaded, "samples in both splits"), found_one("D106", Severity.ERROR))
    _, frame = told(report, loaded, tmp_path, "D106")
    pairs = {tuple(sorted(pair)) for pair in zip(frame.row.tolist(), frame.train_row.tolist(), strict=True)}
    assert len(pairs) > 5
    assert pairs <= {(low, high) for high, low in originals.items()}
    assert (frame.label == frame.train_label).all()
    assert (frame.distance == 0).all()
    assert set(frame.split) == {"val", "test"}
    for row in frame.itertuples():
        lines = [
            Path(str(file)).read_text().splitlines()[int(str(line)) - 1]
            for file, line in ((row.file, row.line), (row.train_file, row.train_line))
        ]
        assert lines[0] == lines[1]


def test_almost_equal_images_have_a_distance(tmp_path: Path) -> None:
    from sklearn.datasets import load_digits

    images = load_digits().images.astype(np.float32)
    rng = np.random.default_rng(0)
    train, val = images[:900], images[900:1200].copy()
    val[:60] = train[:60] + rng.normal(0, 0.05, (60, 8, 8)).astype(np.float32)
    labels = load_digits().target
    path = tmp_path / "pairs.npz"
    y_val = np.concatenate((labels[:60], labels[960:1200]))
    np.savez(path, x_train=train[:, None], y_train=labels[:900], x_val=val[:, None], y_val=y_val)
    loaded = recipe(f"name = 'arrays'\npath = '{path}'")
    _, frame = told(examined(loaded, "samples in both splits"), loaded, tmp_path, "D106")
    assert set(frame["index"]) <= set(range(60))
    assert (frame["index"] == frame.train_index).all()
    assert len(frame) > 40  # of 60
    assert frame.distance.between(1e-4, 0.1).all()
    assert (frame.file == str(path)).all()


def test_images_are_named_by_their_files(tmp_path: Path) -> None:
    from PIL import Image

    rng = np.random.default_rng(0)
    for name in ("cat", "dog"):
        for split in ("train", "val"):
            (tmp_path / "photos" / split / name).mkdir(parents=True)
            for number in range(30):
                pixels = rng.integers(0, 255, (12, 12, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(tmp_path / "photos" / split / name / f"{number:02}.png")
    copied = tmp_path / "photos" / "val" / "dog" / "07.png"
    copied.write_bytes((tmp_path / "photos" / "train" / "dog" / "03.png").read_bytes())
    loaded = recipe(f"name = 'image_folder'\nroot = '{tmp_path / 'photos'}'\nimage_size = 12")
    report = only(examined(loaded, "samples in both splits"), found_one("D106"))
    _, frame = told(report, loaded, tmp_path, "D106")
    assert frame.file.tolist() == [str(copied)]
    assert frame.train_file.tolist() == [str(tmp_path / "photos" / "train" / "dog" / "03.png")]
    assert frame.label.tolist() == frame.train_label.tolist() == ["dog"]


def test_toy_data_are_told_by_their_row(tmp_path: Path) -> None:
    from sklearn.datasets import load_digits

    loaded = recipe("name = 'digits'\nlimit = 400")
    report = only(examined(loaded, "labels"), found_one("D110"))
    _, frame = told(report, loaded, tmp_path, "D110")
    assert "file" not in frame
    labels = load_digits().target
    assert [labels[row] for row in frame.row] == frame.label.tolist()


def test_a_feature_that_is_the_target_stands_beside_it(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 3))
    rows = [f"{a:.4f},{b:.4f},{100 * (c > 0):.0f},{'yes' if c > 0 else 'no'}" for a, b, c in x]
    (tmp_path / "t.csv").write_text("a,b,paid,label\n" + "\n".join(rows) + "\n")
    loaded = recipe(f"name = 'csv'\npath = '{tmp_path / 't.csv'}'")
    _, frame = told(examined(loaded, "target among features"), loaded, tmp_path, "D113")
    assert set(frame.feature) == {"paid"}
    assert set(zip(frame.value, frame.label, strict=True)) == {(100.0, "yes"), (0.0, "no")}


def test_shifted_labels_suggest_the_neighbours(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    parts: dict[str, np.ndarray] = {}
    truth = {}
    for split, count in (("train", 400), ("val", 200)):
        codes = rng.integers(0, 3, count)
        parts[f"x_{split}"] = rng.normal(size=(count, 4)) + 4 * np.eye(4)[codes]
        parts[f"y_{split}"] = np.roll(codes, 1) if split == "train" else codes
        truth[split] = codes
    np.savez(tmp_path / "shifted.npz", **parts)  # type: ignore[arg-type]
    loaded = recipe(f"name = 'arrays'\npath = '{tmp_path / 'shifted.npz'}'")
    _, frame = told(examined(loaded, "labels and inputs"), loaded, tmp_path, "D112")
    assert set(frame.split) == {"train"}
    assert (truth["train"][frame["index"]] == frame.suggested).all()


def test_constant_and_shifted_features_and_rare_classes(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    parts: dict[str, np.ndarray] = {}
    for split, count in (("train", 300), ("val", 150)):
        x = rng.normal(size=(count, 4)) + (3 if split == "val" else 0) * np.eye(4)[2]
        x[:, 1] = 7.5
        parts |= {f"x_{split}": x, f"y_{split}": np.r_[np.zeros(count - 9, int), np.ones(9, int)]}
    np.savez(tmp_path / "odd.npz", **parts)  # type: ignore[arg-type]
    loaded = recipe(f"name = 'arrays'\npath = '{tmp_path / 'odd.npz'}'")
    report = only(examined(loaded, "labels"), *map(found_one, ("D103", "D107", "D105")))
    constant = told(report, loaded, tmp_path, "D103")[1]
    assert (constant.column.tolist(), constant.value.tolist()) == ([1], [7.5])
    shifted = told(report, loaded, tmp_path, "D107")[1]
    assert shifted.column.tolist() == [2]
    assert shifted.statistic[0] > 0.5
    rare = told(report, loaded, tmp_path, "D105")[1]
    assert (rare["class"].tolist(), rare.train.tolist(), rare.val.tolist()) == ([1, 0], [9, 291], [9, 141])


def test_values_that_are_not_finite_in_validation(tmp_path: Path) -> None:
    code = (
        "import torch\n"
        "class Sick(torch.utils.data.Dataset):\n"
        "    targets = [i % 2 for i in range(40)]\n"
        "    def __init__(self, sick): self.sick = sick\n"
        "    def __len__(self): return 40\n"
        "    def __getitem__(self, i):\n"
        "        x = torch.tensor([i / 40, 1 - i / 40, 0.5])\n"
        "        if self.sick and i in (4, 9): x[1] = float('nan')\n"
        "        return x, i % 2\n"
        "def make(): return {'train': Sick(False), 'val': Sick(True)}\n"
    )
    (tmp_path / "sick_sets.py").write_text(code)
    text = f"[data]\nname = 'custom'\ntarget = 'sick_sets:make'\nworkers = 0{MODEL}"
    loaded = parse_recipe(text, "tiny", name="tiny", folder=tmp_path)
    report = examined(loaded, "input values")
    _, frame = told(report, loaded, tmp_path, "D101")
    assert (frame.split.tolist(), frame["index"].tolist(), frame.feature.tolist()) == (["val"] * 2, [4, 9], [1, 1])


def test_what_keys_cure_is_not_yours() -> None:
    key = Remedy("lower it", {"optimizer.lr": 0.01})
    folds = Remedy("cross-validate", {"data.split.folds": 5})
    assert not is_yours(found_one("C404", Severity.ERROR, key))
    assert not is_yours(found_one("D106", Severity.INFO))
    assert not is_yours(replace(found_one("D106"), primary=False))
    assert is_yours(found_one("D108", Severity.WARNING, folds))
    assert is_yours(found_one("D115", Severity.WARNING, Remedy("smooth", {"regularize.label_smoothing": 0.1})))
    assert not is_yours(found_one("D105", Severity.WARNING, Remedy("weigh", {"loss.class_weights": "balanced"})))
    assert is_yours(found_one("M208", Severity.ERROR, Remedy("normalise over the sample")))


def test_words_alone_where_there_are_no_rows(tmp_path: Path) -> None:
    loaded = recipe("name = 'iris'")
    own = Remedy("normalise over the sample, not over the batch")
    report = only(examined(loaded, "labels"), found_one("M208", Severity.ERROR, own), found_one("D108"))
    one, other = yours(report, loaded, tmp_path)
    assert one.text == own.text
    assert "2,400" in other.text
    assert not list(tmp_path.iterdir())


def test_data_that_is_gone_leaves_the_words(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,b,label\n" + "\n".join(f"{i},{i * i},{'xy'[i % 2]}" for i in range(60)) + "\n")
    loaded = recipe(f"name = 'csv'\npath = '{path}'")
    report = only(examined(loaded, "labels"), found_one("D106"))
    path.unlink()
    (one,) = yours(report, loaded, tmp_path)
    assert one.rows is None
    assert str(path) in one.text


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    rows: list[Row] = [{"a": 1, "b": "x"}]
    others: list[Row] = [{"a": 2, "b": "x"}]
    first = write_rows(tmp_path, "rows-D106", rows)
    assert write_rows(tmp_path, "rows-D106", rows) == first
    second = write_rows(tmp_path, "rows-D106", others)
    assert (first.name, second.name) == ("rows-D106.csv", "rows-D106-2.csv")
    assert pd.read_csv(first).a.tolist() == [1]


@given(st.lists(st.dictionaries(st.sampled_from(["a", "b"]), st.text(max_size=12)), min_size=1, max_size=6))
def test_no_cell_is_a_formula_and_every_text_comes_back(rows: list[dict[str, str]]) -> None:
    import csv
    import io

    columns = [name for name in dict.fromkeys(k for row in rows for k in row) if any(row.get(name) for row in rows)]
    header, *body = list(csv.reader(io.StringIO(to_csv(rows), newline="")))
    assert header == columns
    if columns:
        for row, cells in zip(rows, body, strict=True):
            for name, cell in zip(columns, cells, strict=True):
                said = row.get(name, "")
                for sign, shown in BREAKS.items():
                    said = said.replace(sign, shown)
                assert cell in (said, f"'{said}")
                assert not cell.startswith(FORMULA) or is_plain_number(cell)


@pytest.mark.parametrize("text", ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1"])
def test_formulas_become_text(text: str) -> None:
    assert safe(text) == f"'{text}"


@pytest.mark.parametrize(("cell", "text"), [("-1.5", "-1.5"), (-2, "-2"), (float("nan"), "nan"), (None, "")])
def test_numbers_stay_numbers(cell: str | int | float | None, text: str) -> None:
    assert safe(cell) == text


@given(
    st.lists(st.tuples(st.text(string.ascii_letters + ' \n",', min_size=1, max_size=8), st.integers(0, 9)), min_size=1),
    st.booleans(),
)
def test_lines_are_where_the_rows_begin(rows: list[tuple[str, int]], header: bool) -> None:
    import csv
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "t.csv")
        lines, at = [], 1
        with path.open("w", newline="") as file:
            writer = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL)
            if header:
                writer.writerow(["text", "number"])
                at += 1
            for text, number in rows:
                lines.append(at)
                writer.writerow([text, number])
                at += 1 + text.count("\n")
        assert row_lines(path, header=header, separator=",") == lines


def test_a_name_that_is_no_text_is_still_written() -> None:
    name = os.fsdecode(b"caf\xe9.png")
    assert "caf" in to_csv([{"file": name}])
