"""Tables: which column is what, what is learnt from training rows only, and errors that name the place."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dlcheck.components.data import LoadedData, load_data
from dlcheck.components.data.csv_file import read_csv
from dlcheck.components.data.encode import encode_features
from dlcheck.errors import DlcheckError
from dlcheck.recipe.recipe import Recipe


def load(path: Path | list[Path], source: str = "", **keys: Any) -> LoadedData:
    paths = [str(each) for each in path] if isinstance(path, list) else str(path)
    data = {"name": "csv", "path": paths, **keys}
    recipe = Recipe.model_validate({"data": data, "model": {"name": "mlp"}, "source": source})
    return load_data(recipe, folder=Path(), device=torch.device("cpu"))


def write(folder: Path, text: str, name: str = "table.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def table(rows: int = 40) -> str:
    """Return rows of two numbers, a text and a class, with one empty number."""
    lines = [
        f"{i},{i * 0.5 if i != 7 else ''},{'red' if i % 3 else 'blue'},{'yes' if i % 2 else 'no'}" for i in range(rows)
    ]
    return "\n".join(["a,b,colour,label", *lines])


def everything(data: LoadedData) -> tuple[torch.Tensor, torch.Tensor]:
    batches = [batch for part in (data.train, data.val, data.test) if part is not None for batch in part.epoch(0)]
    return torch.cat([x for x, _ in batches]), torch.cat([y for _, y in batches])


def test_last_column_is_the_label_and_text_becomes_columns(tmp_path: Path) -> None:
    data = load(write(tmp_path, table()), normalize="none")
    x, y = everything(data)
    assert data.info.input_shape == (4,)
    assert data.info.class_names == ("no", "yes")
    assert data.info.target_name == "label"
    assert torch.equal(y, x[:, 0].long() % 2)  # column a counts the rows
    blue, red = x[:, 2], x[:, 3]
    assert torch.equal(blue, (x[:, 0] % 3 == 0).float())
    assert torch.equal(blue + red, torch.ones(40))


def test_missing_numbers_are_the_training_median_and_said(tmp_path: Path) -> None:
    data = load(write(tmp_path, table()), normalize="none", shuffle=False)
    x, _ = everything(data)
    train = torch.cat([x for x, _ in data.train.epoch(0)])
    known = train[train[:, 0] != 7][:, 1]
    assert x[x[:, 0] == 7][0, 1].item() == pytest.approx(float(np.median(known.numpy())))
    assert any("1 missing values of column 'b'" in note for note in data.info.notes)


def test_categories_and_medians_come_from_the_given_rows_only(tmp_path: Path) -> None:
    frame = read_csv(write(tmp_path, "n,t\n1,x\n3,y\n,x\n100,z\n,\n"))
    encoded, names, _ = encode_features(frame, ["n", "t"], np.array([0, 1, 2]), "table")
    assert names == ("n", "t", "t")
    assert encoded.tolist() == [[1, 1, 0], [3, 0, 1], [2, 1, 0], [100, 0, 0], [2, 0, 0]]


def test_named_label_features_and_dropped_columns(tmp_path: Path) -> None:
    path = write(tmp_path, table())
    data = load(path, label="a", drop=["colour"], task="regression", normalize="none")
    assert data.info.input_shape == (3,)
    assert data.info.target_name == "a"
    assert load(path, label="label", features=["b"]).info.input_shape == (1,)


@pytest.mark.parametrize(
    ("values", "task", "outputs"),
    [
        ([3, 5, 8], "classification", 3),
        (list(range(30)), "regression", 1),
        ([0.5, 1.5], "regression", 1),
        (["x", "y"], "classification", 2),
        ([True, False], "classification", 2),
    ],
)
def test_the_task_follows_the_label(tmp_path: Path, values: list[Any], task: str, outputs: int) -> None:
    lines = [f"{i},{values[i % len(values)]}" for i in range(90)]
    data = load(write(tmp_path, "\n".join(["a,y", *lines])))
    assert (data.info.task, data.info.outputs) == (task, outputs)


def test_class_names_are_sorted_as_numbers(tmp_path: Path) -> None:
    lines = [f"{i},{[2, 10, 9][i % 3]}" for i in range(60)]
    assert load(write(tmp_path, "\n".join(["a,y", *lines]))).info.class_names == ("2", "9", "10")


def test_files_without_header_and_several_files(tmp_path: Path) -> None:
    first = write(tmp_path, "\n".join(f"{i};{i % 2}" for i in range(20)), "a.csv")
    second = write(tmp_path, "\n".join(f"{i};{i % 2}" for i in range(20, 50)), "b.csv")
    data = load([first, second], columns=["n", "odd"], separator=";", normalize="none")
    x, y = everything(data)
    assert sorted(x[:, 0].tolist()) == list(range(50))
    assert torch.equal(y, x[:, 0].long() % 2)


def test_groups_stay_together_and_are_no_feature(tmp_path: Path) -> None:
    lines = [f"p{i // 5},{i // 5},{i % 2}" for i in range(100)]
    data = load(write(tmp_path, "\n".join(["patient,copy,y", *lines])), split={"group": "patient"}, normalize="none")
    parts = [
        set(torch.cat([x for x, _ in part.epoch(0)])[:, 0].tolist())
        for part in (data.train, data.val, data.test)
        if part
    ]
    assert data.info.input_shape == (1,)
    assert not parts[0] & parts[1]
    assert not (parts[0] | parts[1]) & parts[2]


def test_split_by_time_sorts_dates(tmp_path: Path) -> None:
    days = np.random.default_rng(0).permutation(60)
    lines = [f"2024-0{1 + day // 28}-{1 + day % 28:02d},{day},{day * 0.1}" for day in days]
    data = load(write(tmp_path, "\n".join(["day,n,y", *lines])), time="day", split={"method": "time"}, normalize="none")
    train, val, test = (torch.cat([x for x, _ in part.epoch(0)]) for part in (data.train, data.val, data.test) if part)
    assert train.max() < val.min()
    assert val.max() < test.min()


def test_reconstruction_uses_every_column(tmp_path: Path) -> None:
    lines = [f"{i},{i * 2},{i % 7}" for i in range(50)]
    data = load(write(tmp_path, "\n".join(["a,b,c", *lines])), task="reconstruction")
    x, target = next(iter(data.train.epoch(0)))
    assert data.info.input_shape == (3,)
    assert torch.equal(x, target)


@pytest.mark.parametrize(
    ("text", "keys", "message"),
    [
        ("", {}, r"cannot be read as CSV"),
        ("a,b\n", {}, r"no rows"),
        ("1,2\n3,4\n", {}, r"first line holds numbers.*data\.columns"),
        (table(), {"label": "lable"}, r"no column 'lable' \(data\.label\); did you mean 'label'"),
        (table(), {"drop": ["x"]}, r"no column 'x' \(data\.drop\)"),
        (table(), {"split": {"group": "who"}}, r"no column 'who' \(data\.split\.group\)"),
        (table(), {"features": ["a", "label"], "label": "label"}, r"data\.features: holds the label"),
        (table(), {"columns": ["a", "b"]}, r"4 columns, but data\.columns has 2 names"),
        (table(), {"columns": ["a", "b", "c", "a"]}, r"the name 'a' stands there twice"),
        (table() + "\n99,oops,red,no", {}, r"column 'b', row 41: 'oops' is no finite number"),
        (table() + "\n99,inf,red,no", {}, r"column 'b', row 41: .*inf.* is no finite number"),
        (table() + "\n99,1e300,red,no", {}, r"column 'b', row 41: too large"),
        (table() + "\n99,1,red,", {}, r"column 'label', row 41: the label is missing"),
        (table().replace("yes", "no"), {}, r"1 class\(es\) found"),
        (table(), {"label": "colour", "task": "regression"}, r"column 'colour', row 1: 'blue' is no finite number"),
        (table(), {"label": "a", "task": "classification"}, r"40 different values in 40 rows"),
        ("\n".join(["id,y", *(f"name{i},{i % 2}" for i in range(200))]), {}, r"column 'id' has \d+ different texts"),
        (table(), {"separator": ";"}, r"no column is left"),
        ("a,b\n1,2.5\n2,3.5", {}, r"2 samples are too few"),
    ],
)
def test_bad_tables_name_the_place(tmp_path: Path, text: str, keys: dict[str, Any], message: str) -> None:
    with pytest.raises(DlcheckError, match=message) as caught:
        load(write(tmp_path, text), **keys)
    assert "\n" not in str(caught.value)


def test_files_with_other_columns_are_named(tmp_path: Path) -> None:
    first, second = write(tmp_path, table(), "a.csv"), write(tmp_path, table().replace("colour", "hue"), "b.csv")
    with pytest.raises(DlcheckError, match=r"b\.csv: column 'colour' is not in both"):
        load([first, second])


def test_missing_files_say_where_to_get_them(tmp_path: Path) -> None:
    with pytest.raises(
        DlcheckError, match=r"no such file; get the data from https://example\.org, and point data\.path"
    ):
        load(tmp_path / "none.csv", source="https://example.org")
    with pytest.raises(DlcheckError, match="this is a folder"):
        load(tmp_path)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=300) | st.text(alphabet="0123456789,.\n\r\"'-eax ;?", max_size=300).map(str.encode))
def test_any_bytes_are_data_or_one_clear_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "any.csv"
    path.write_bytes(content)
    try:
        data = load(path)
    except DlcheckError as error:
        message = str(error)
    else:
        message = ""
        x, _ = everything(data)
        assert bool(torch.isfinite(x).all())
    assert "\n" not in message


def test_wine_quality(shared_data: Path) -> None:
    names = [f"c{i}" for i in range(11)] + ["quality"]
    data = load(shared_data / "wine-quality" / "winequality-white.csv", columns=names)
    assert data.info.class_names == ("3", "4", "5", "6", "7", "8", "9")
    assert sum(data.info.sizes.values()) == 4898
