"""``dlcheck init``: what is measured, what is written, and that it trains at once."""

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from dlcheck.checks.starter import Wish, look
from dlcheck.checks.starter.columns import kind_of
from dlcheck.errors import DlcheckError
from dlcheck.recipe import load_recipe, parse_recipe
from dlcheck.recipe.starter import written
from tests.cli.conftest import Command

RNG = np.random.default_rng(0)


def table(rows: int = 200, **columns: Any) -> pd.DataFrame:
    """Return two classes that two numbers tell apart, with further columns."""
    label = np.arange(rows) % 2
    numbers = {"width": label + RNG.normal(size=rows) / 2, "height": RNG.normal(size=rows) * 100 + 50 * label}
    return pd.DataFrame({**numbers, **columns, "label": np.where(label, "cat", "dog")})


def csv(frame: pd.DataFrame, name: str = "table.csv", **how: Any) -> str:
    frame.to_csv(name, index=False, **how)
    return name


def photos(
    root: Path, classes: tuple[str, ...] = ("cat", "dog"), count: int = 30, side: int = 24, grey: bool = False
) -> str:
    for number, name in enumerate(classes):
        (root / name).mkdir(parents=True)
        for place in range(count):
            shape = (side, side) if grey else (side, side, 3)
            pixels = RNG.integers(0, 100, shape) + 120 * number
            Image.fromarray(pixels.astype(np.uint8)).save(root / name / f"{place}.png")
    return str(root)


def arrays() -> str:
    labels = np.arange(200) % 4
    images = (RNG.normal(size=(200, 8, 8)) + labels[:, None, None]).astype(np.float32)
    np.savez("arrays.npz", x=images, y=labels)
    return "arrays.npz"


def numbers() -> str:
    inputs = RNG.normal(size=(300, 4))
    frame = pd.DataFrame(inputs, columns=list("abcd")).assign(price=inputs @ [1.0, 2.0, 0.0, -1.0] * 1000 + 5000)
    return csv(frame, "prices.csv")


def text() -> str:
    Path("book.txt").write_text("the quick brown fox jumps over the lazy dog. " * 200, encoding="utf-8")
    return "book.txt"


def series() -> str:
    days = pd.date_range("2020-01-01", periods=400, freq="D").strftime("%Y-%m-%d")
    return csv(pd.DataFrame({"date": days, "value": np.sin(np.arange(400) / 20)}), "series.csv")


def numbered_series() -> str:
    days = pd.date_range("1958-03-29", periods=400, freq="7D").strftime("%Y%m%d")
    return csv(pd.DataFrame({"date": days.astype(int), "co2": np.sin(np.arange(400) / 20)}), "co2.csv")


KINDS: dict[str, Callable[[], str]] = {
    "table": lambda: csv(table()),
    "numbers": numbers,
    "series": series,
    "series with dates as numbers": numbered_series,
    "arrays": arrays,
    "text": text,
    "photos": lambda: photos(Path("photos")),
    "grey images": lambda: photos(Path("digits"), ("0", "1", "2"), grey=True),
    "photos in parts": lambda: (
        photos(Path("pets/train")).removesuffix("/train") if photos(Path("pets/val"), count=12) else ""
    ),
}


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_what_it_writes_trains_at_once(command: Command, kind: str) -> None:
    data = KINDS[kind]()
    done = command("init", data)
    assert done.returncode == 0, done.stderr
    assert "next: dlcheck check recipe.toml, then dlcheck train recipe.toml" in done.stdout
    trained = command("train", "recipe.toml", "--set", "train.max_steps=6", "--device", "cpu", "--quiet")
    assert trained.returncode in (0, 1), trained.stderr


@pytest.mark.slow
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_the_exam_finds_nothing_in_clean_data(command: Command, kind: str) -> None:
    data = KINDS[kind]()
    assert command("init", data).returncode == 0
    done = command("check", "recipe.toml", "--format", "json", "--device", "cpu")
    found = json.loads(done.stdout)["runs"][0]["findings"]
    assert [one["code"] for one in found if one["severity"] != "info"] == []


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["table", "numbers", "arrays", "photos"])
def test_what_can_be_learnt_is_learnt(command: Command, kind: str) -> None:
    data = KINDS[kind]()
    assert command("init", data).returncode == 0
    assert command("train", "recipe.toml", "--run-dir", "run", "--device", "cpu", "--quiet").returncode == 0
    facts = json.loads(Path("run/facts.json").read_text(encoding="utf-8"))
    if kind == "numbers":
        assert facts["test_mae"] < 600  # their spread is 2,400
    else:
        assert facts["test_accuracy"] > 0.7


def test_every_value_that_was_measured_says_what_was(command: Command) -> None:
    done = command("init", csv(table()), "--output", "first.toml")
    assert "wrote first.toml" in done.stdout
    lines = Path("first.toml").read_text(encoding="utf-8").splitlines()
    for key, reason in (("path", "200 rows"), ("label", "guessed by its name"), ("batch_size", "steps an epoch")):
        (line,) = [line for line in lines if line.startswith(f"{key} = ")]
        assert reason in line
    assert max(map(len, lines)) <= 120


def test_a_second_recipe_does_not_overwrite_the_first(command: Command) -> None:
    data = csv(table())
    assert command("init", data).returncode == 0
    before = Path("recipe.toml").read_text(encoding="utf-8")
    again = command("init", data)
    assert again.returncode == 2
    assert "exists already" in again.stderr
    assert Path("recipe.toml").read_text(encoding="utf-8") == before


def test_the_measures_are_there_for_machines(command: Command) -> None:
    done = command("init", csv(table()), "--format", "json", "--output", "mine.toml")
    told = json.loads(done.stdout)
    assert told["schema"] == "dlcheck.init/1"
    assert (told["kind"], told["recipe"]) == ("table", "mine.toml")
    assert told["measures"]["rows"] == 200


def test_columns_that_cannot_be_learnt_from_are_left_out_with_the_reason(command: Command) -> None:
    rows = 200
    frame = table(
        rows,
        id=np.arange(rows),
        same=7,
        seen=pd.date_range("2024-01-01", periods=rows).strftime("%Y-%m-%d")[RNG.permutation(rows)],
        note=[f"text {place}" for place in range(rows)],
    )
    frame["answer"] = frame["label"].map({"cat": 1, "dog": 2})
    command("init", csv(frame))
    data = load_recipe("recipe.toml").recipe.data
    assert set(data.drop) == {"id", "same", "seen", "note", "answer"}  # type: ignore[union-attr]


def test_dates_written_as_one_number_make_a_series(command: Command) -> None:
    assert "one in 7 days" in command("init", numbered_series()).stdout
    data = load_recipe("recipe.toml").recipe.data
    assert (data.name, data.time, data.window) == ("time_series", "date", 52)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([19580329, 19580405, 19580412], "date"),
        ([19580329.0, float("nan"), 19580405.0, 19580412.0], "date"),  # as pandas reads a column with gaps
        ([19580329, 19580405, 19580432], "number"),
        ([19580329, 19580329, 19580329], "number"),
        ([19580329.5, 19580405, 19580412], "number"),
        ([20240101, 20240102, 99999999], "number"),
        ([1958, 1959, 1960], "number"),
        ([float("nan")] * 3, "number"),
        ([float("inf"), 20240101, 20240102], "number"),
    ],
)
def test_numbers_are_dates_only_where_every_one_is_a_day(values: list[float], kind: str) -> None:
    assert kind_of(pd.Series(values)) == kind


@pytest.mark.parametrize(("label", "task", "name"), [("width", "regression", "width"), ("label", None, "label")])
def test_the_users_word_counts_more_than_a_guess(command: Command, label: str, task: str | None, name: str) -> None:
    words = ["--label", label, *(["--task", task] if task else [])]
    assert command("init", csv(table()), *words).returncode == 0
    data = load_recipe("recipe.toml").recipe.data
    assert data.label == name  # type: ignore[union-attr]
    assert data.task == (task or "classification")


def test_rows_of_one_person_stay_together(command: Command) -> None:
    command("init", csv(table(patient_id=np.arange(200) // 5)))
    split = load_recipe("recipe.toml").recipe.data.split
    assert (split.method, split.group) == ("group", "patient_id")


def test_rare_classes_get_weights(command: Command) -> None:
    frame = table(400)
    rare = frame[(frame["label"] == "dog") | (np.arange(400) % 20 == 1)]
    command("init", csv(rare))
    recipe = load_recipe("recipe.toml").recipe
    assert "class_weights" in recipe.loss.model_fields_set or recipe.loss.model_dump().get("class_weights")


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_other_separators_and_no_header_are_seen(command: Command, separator: str) -> None:
    frame = table().assign(label=np.arange(200) % 2)
    frame.to_csv("plain.csv", sep=separator, header=False, index=False)
    assert command("init", "plain.csv").returncode == 0
    assert command("train", "recipe.toml", "--set", "train.max_steps=2", "--quiet").returncode in (0, 1)


def test_damaged_and_copied_images_are_left_out_and_told(command: Command) -> None:
    photos(Path("photos"))
    Path("photos/cat/broken.png").write_bytes(b"no image")
    Path("photos/dog/copy.png").write_bytes(Path("photos/dog/0.png").read_bytes())
    done = command("init", "photos")
    assert "cat/broken.png cannot be read" in " ".join(done.stdout.split())
    drop = load_recipe("recipe.toml").recipe.data.drop  # type: ignore[union-attr]
    assert set(drop) == {"cat/broken.png", "dog/copy.png"}
    assert command("train", "recipe.toml", "--set", "train.max_steps=3", "--quiet").returncode in (0, 1)


@pytest.mark.parametrize(
    ("classes", "mirrored"), [(("cat", "dog"), True), (("0", "1"), False), (("left", "right"), False)]
)
def test_no_augmentation_changes_a_label(command: Command, classes: tuple[str, ...], mirrored: bool) -> None:
    photos(Path("images"), classes)
    command("init", "images")
    assert load_recipe("recipe.toml").recipe.augment.flip_horizontal == mirrored


def make(path: str, content: str = "") -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(content, encoding="utf-8")


@pytest.mark.parametrize(
    ("prepare", "words", "told"),
    [
        (lambda: None, [], "needs the path of your data"),
        (lambda: None, ["nowhere.csv"], "no such file or folder"),
        (lambda: make("a.docx", "x"), ["a.docx"], "cannot tell what this is"),
        (lambda: make("e.csv"), ["e.csv"], "empty"),
        (lambda: make("h.csv", "a,label\n"), ["h.csv"], "no rows"),
        (lambda: make("o.csv", "label\n1\n2\n"), ["o.csv"], "o.csv"),
        (lambda: csv(table()), ["table.csv", "--label", "lable"], "did you mean 'label'"),
        (lambda: csv(table()), ["table.csv", "--task", "regression"], "holds no numbers"),
        (lambda: csv(table()), ["table.csv", "--output", "no/such/r.toml"], "there is no folder"),
        (lambda: make("flat/readme.md.bak"), ["flat"], "nothing to train on"),
        (lambda: make("tables/a.csv", "a,b\n1,2\n"), ["tables"], "name the file"),
        (lambda: photos(Path("one"), ("cat",)), ["one"], "one"),
        (lambda: csv(table()), ["table.csv", "--download"], "--torchvision"),
        (lambda: None, ["--torchvision", "FashionMNSIT"], "FashionM"),
        (lambda: None, ["--torchvision", "FashionMNIST", "--root", "void"], "void"),
    ],
)
def test_bad_input_is_one_line(command: Command, prepare: Callable[[], object], words: list[str], told: str) -> None:
    prepare()
    done = command("init", *words)
    assert done.returncode == 2, done.stdout
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("dlcheck: ")
    assert told in line
    assert not Path("recipe.toml").exists()


CELL = st.one_of(
    st.floats(allow_nan=True, allow_infinity=True).map(repr),
    st.integers(-5, 5).map(str),
    st.text(max_size=6),
    st.just(""),
)


@given(st.lists(st.lists(CELL, min_size=1, max_size=4), max_size=12), st.sampled_from(",;\t"))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=30)
def test_any_table_is_described_or_refused(tmp_path: Path, rows: list[list[str]], separator: str) -> None:
    path = tmp_path / "any.csv"
    path.write_text("\n".join(separator.join(row) for row in rows), encoding="utf-8", errors="replace")
    with contextlib.suppress(DlcheckError):  # what any other exception would be, pytest says
        parse_recipe(written(look(path, Wish())), "any.toml")
