"""Text: characters as codes, the next one as target, the end of the file for validation and test."""

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dlcheck.components.batches import Batches
from dlcheck.components.data import LoadedData, load_data
from dlcheck.errors import DlcheckError
from dlcheck.recipe.recipe import Recipe

TEXT = "".join(f"line {i}: the quick brown fox\n" for i in range(300))


def load(path: Path, train: dict[str, Any] | None = None, **keys: Any) -> LoadedData:
    data = {"name": "text", "path": str(path), "context": 16, **keys}
    recipe = Recipe.model_validate({"data": data, "model": {"name": "lstm"}, "train": train or {}})
    return load_data(recipe, folder=Path(), device=torch.device("cpu"))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    path.write_text(TEXT, encoding="utf-8")
    return path


def windows(data: LoadedData, batches: Batches | None, epoch: int = 0) -> list[str]:
    assert batches is not None
    rows = [row for inputs, _ in batches.epoch(epoch) for row in inputs.tolist()]
    return ["".join(data.info.vocabulary[code] for code in row) for row in rows]


def test_vocabulary_is_the_sorted_characters(file: Path) -> None:
    data = load(file)
    assert data.info.vocabulary == tuple(sorted(set(TEXT)))
    assert data.info.outputs == len(set(TEXT))
    assert data.info.input_shape == (16,)


def test_targets_are_one_character_later(file: Path) -> None:
    data = load(file)
    for batches in (data.train, data.val, data.test, data.train_eval):
        assert batches is not None
        for inputs, target in batches.epoch(0):
            assert torch.equal(inputs[:, 1:], target[:, :-1])
            assert inputs.dtype == target.dtype == torch.int64


def test_splits_are_parts_of_the_file_in_order(file: Path) -> None:
    data = load(file)
    val, test = "".join(windows(data, data.val)), "".join(windows(data, data.test))
    train = int(len(TEXT) * 0.9)
    assert 0 < TEXT.index(val[:40], train - 20) < TEXT.rindex(test[:40])
    assert all(window in TEXT[: train + 1] for window in windows(data, data.train))
    assert sum(data.info.class_counts) == pytest.approx(0.9 * len(TEXT), abs=2)


def test_epochs_cut_the_text_anew_and_repeat(file: Path) -> None:
    data = load(file)
    assert windows(data, data.train, 0) == windows(data, data.train, 0)
    assert set(windows(data, data.train, 0)) != set(windows(data, data.train, 1))
    assert len({len(windows(data, data.train, epoch)) for epoch in range(5)}) == 1


def test_limit_counts_windows(file: Path) -> None:
    assert 9 <= load(file, limit=10).info.sizes["train"] <= 10


def test_full_batch_and_sample(file: Path) -> None:
    data = load(file, {"batch_size": "full"})
    assert len(data.train) == 1
    assert data.sample[0].shape == (64, 16)


@pytest.mark.parametrize(
    ("content", "keys", "message"),
    [
        (b"\xff\xfe\xfd", {}, "as UTF-8"),
        (b"", {}, r"0 distinct character\(s\)"),
        (b"aaaaaaaaa", {}, r"1 distinct character\(s\)"),
        (b"abcabc", {}, "too few"),
        (b"abc" * 100, {"split": {"folds": 3}}, "by position only"),
        (b"abc" * 100, {"split": {"method": "random"}}, "by position only"),
    ],
)
def test_bad_text_says_why(tmp_path: Path, content: bytes, keys: dict[str, Any], message: str) -> None:
    path = tmp_path / "bad.txt"
    path.write_bytes(content)
    with pytest.raises(DlcheckError, match=message):
        load(path, **keys)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=400) | st.text(max_size=400).map(lambda text: text.encode("utf-8", "replace")))
def test_any_bytes_are_data_or_one_clear_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "any.txt"
    path.write_bytes(content)
    try:
        data = load(path, context=4)
    except DlcheckError as error:
        message = str(error)
    else:
        message = ""
        assert all(window in path.read_text(encoding="utf-8") for window in windows(data, data.train))
    assert "\n" not in message


def test_tinyshakespeare(shared_data: Path) -> None:
    data = load(shared_data / "tinyshakespeare" / "input.txt", context=128)
    assert data.info.outputs == 65
