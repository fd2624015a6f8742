"""Whether data is there: a look that imports no PyTorch and says what to do."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dlcheck.recipe.presence import IDX_PARTS, DataState, data_state
from dlcheck.recipe.recipe import Recipe


def look(source: str = "https://example.org", **data: Any) -> DataState:
    return data_state(Recipe.model_validate({"data": data, "model": {"name": "mlp"}, "source": source}))


@pytest.mark.parametrize("name", ["digits", "moons", "digit_captions"])
def test_what_comes_with_scikit_learn_is_there(name: str) -> None:
    assert look(name=name).present


def test_custom_data_counts_as_present() -> None:
    assert look(target="data.py:load") == DataState(True, "data.py:load")


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_fashion_mnist_needs_all_four_files(tmp_path: Path, suffix: str) -> None:
    raw = tmp_path / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    for part in IDX_PARTS:
        state = look(name="torchvision", root=str(tmp_path))
        assert not state.present
        assert "https://example.org" in state.how
        assert "data.download=true" in state.how
        (raw / f"{part}{suffix}").touch()
    assert look(name="torchvision", root=str(tmp_path)) == DataState(True, str(raw))


def test_other_sets_of_torchvision(tmp_path: Path) -> None:
    assert not look(name="torchvision", dataset="CIFAR10", root=str(tmp_path)).present
    (tmp_path / "cifar-10-batches-py").mkdir()
    assert look(name="torchvision", dataset="CIFAR10", root=str(tmp_path)).present


@pytest.mark.parametrize(
    "data",
    [
        {"name": "csv", "path": "{}"},
        {"name": "text", "path": "{}"},
        {"name": "time_series", "path": "{}", "column": "v"},
        {"name": "arrays", "path": "{}"},
    ],
    ids=lambda data: data["name"],
)
def test_files(tmp_path: Path, data: dict[str, str]) -> None:
    path = tmp_path / "file.csv"
    filled = {key: value.format(path) for key, value in data.items()}
    state = look(**filled)
    assert not state.present
    assert state.how.endswith(
        "no such file; get the data from https://example.org, and point data.path to it (--set data.path=PATH)"
    )
    assert "\n" not in look("", **filled).how
    path.touch()
    assert look(**filled) == DataState(True, str(path))


def test_folders(tmp_path: Path) -> None:
    assert look(name="image_folder", root=str(tmp_path)).present
    assert "data.root" in look(name="image_folder", root=str(tmp_path / "none")).how


def test_every_file_of_a_list_counts(tmp_path: Path) -> None:
    (tmp_path / "a.csv").touch()
    assert not look(name="csv", path=[str(tmp_path / "a.csv"), str(tmp_path / "b.csv")]).present


def test_looking_imports_no_torch() -> None:
    code = "import sys, dlcheck.recipe.presence; sys.exit(any(m in sys.modules for m in ('torch', 'numpy', 'pandas')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
