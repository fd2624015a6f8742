"""Time series: windows, horizons, gaps, and a split that never lets training see the future."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from dlcheck.components.batches import Batches
from dlcheck.components.data import LoadedData, load_data
from dlcheck.errors import DlcheckError
from dlcheck.recipe.recipe import Recipe


def load(path: Path, **keys: Any) -> LoadedData:
    data = {"name": "time_series", "path": str(path), "column": "v", "window": 5, "normalize": "none", **keys}
    recipe = Recipe.model_validate({"data": data, "model": {"name": "lstm"}})
    return load_data(recipe, folder=Path(), device=torch.device("cpu"))


def write(folder: Path, values: list[object]) -> Path:
    path = folder / "series.csv"
    path.write_text("\n".join(["t,v", *(f"{i},{value}" for i, value in enumerate(values))]))
    return path


@pytest.fixture
def counting(tmp_path: Path) -> Path:
    """Return a series whose value is its position."""
    return write(tmp_path, list(range(100)))


def gather(data: LoadedData, batches: Batches | None) -> tuple[Tensor, Tensor]:
    """Return inputs (windows, window) and targets (windows, horizon) in the series' own unit."""
    assert batches is not None
    assert data.info.target_std is not None
    assert data.info.target_mean is not None
    parts = list(batches.epoch(0))
    target = torch.cat([y for _, y in parts]) * data.info.target_std + data.info.target_mean
    return torch.cat([x for x, _ in parts])[..., 0], target


@pytest.mark.parametrize("horizon", [1, 3])
def test_targets_follow_their_window(counting: Path, horizon: int) -> None:
    data = load(counting, horizon=horizon)
    assert data.info.input_shape == (5, 1)
    assert data.info.outputs == horizon
    for part in (data.train, data.val, data.test):
        x, y = gather(data, part)
        assert torch.allclose(x[:, 1:] - x[:, :-1], torch.ones(1))
        assert torch.allclose(y, x[:, -1:] + torch.arange(1.0, horizon + 1), atol=1e-3)


@pytest.mark.parametrize("horizon", [1, 4])
@pytest.mark.parametrize("folds", [None, 3])
def test_no_training_window_reaches_what_comes_later(counting: Path, horizon: int, folds: int | None) -> None:
    split = {} if folds is None else {"folds": folds, "fold": 1}
    data = load(counting, horizon=horizon, split=split)
    (x, y), (_, val), (_, test) = (gather(data, part) for part in (data.train, data.val, data.test))
    assert max(x.max().item(), y.max().item()) < val.min().item() - 0.5
    assert val.max().item() < test.min().item() - 0.5


def test_difference_predicts_the_change(counting: Path) -> None:
    data = load(counting, horizon=2, difference=True)
    x, y = gather(data, data.test)
    assert torch.allclose(y, torch.tensor([1.0, 2.0]).expand(len(y), 2), atol=1e-4)
    assert torch.allclose(x[:, -1], torch.zeros(1), atol=1e-4)
    assert torch.allclose(x, gather(data, data.train)[0][:1].expand_as(x), atol=1e-4)  # the trend is gone


def test_rows_are_sorted_by_time(tmp_path: Path) -> None:
    order = np.random.default_rng(0).permutation(60)
    path = tmp_path / "series.csv"
    path.write_text("\n".join(["t,v", *(f"{t},{t}" for t in order)]))
    x, _ = gather(data := load(path, time="t"), data.train)
    assert torch.allclose(x[:, 1:] - x[:, :-1], torch.ones(1))


def test_gaps_are_interpolated_and_said(tmp_path: Path) -> None:
    values: list[object] = list(range(100))
    values[10] = values[11] = ""
    data = load(write(tmp_path, values))
    x, _ = gather(data, data.train)
    assert torch.allclose(x[:, 1:] - x[:, :-1], torch.ones(1), atol=1e-5)
    assert "2 missing values" in data.info.notes[0]


def test_a_gap_at_the_border_is_not_filled_from_the_future(tmp_path: Path) -> None:
    plain = load(write(tmp_path, list(range(100))))
    border = int(gather(plain, plain.val)[1].min().round().item())  # the first value that validation predicts
    values: list[object] = list(range(100))
    values[border - 1] = ""
    values[border] = 1_000_000
    _, y = gather(data := load(write(tmp_path, values)), data.train)
    assert y.max().item() == pytest.approx(border - 2, abs=0.01)


def test_missing_can_be_dropped_or_refused(tmp_path: Path) -> None:
    values: list[object] = list(range(50))
    values[20] = ""
    path = write(tmp_path, values)
    assert sum(load(path, missing="drop").info.sizes.values()) == 49 - 5
    with pytest.raises(DlcheckError, match=r"column 'v', row 21 is empty"):
        load(path, missing="refuse")


@pytest.mark.parametrize(
    ("values", "keys", "message"),
    [
        (list(range(6)), {}, "6 values are too few"),
        (list(range(50)), {"column": "w"}, r"no column 'w' \(data\.column\)"),
        (list(range(50)), {"time": "when"}, r"no column 'when' \(data\.time\)"),
        ([*range(50), "x"], {}, r"column 'v', row 51: 'x' is no finite number"),
        ([""] * 50, {}, "has no values"),
        (list(range(50)), {"split": {"method": "random"}}, "split by time only"),
        (list(range(50)), {"task": "classification"}, "a series is predicted"),
        ([*range(30), *[""] * 20], {}, "are empty"),
        (list(range(50)), {"horizon": 20, "split": {"val": 0.3, "test": 0.3}}, "leaves no windows"),
    ],
)
def test_bad_series_say_why(tmp_path: Path, values: list[object], keys: dict[str, Any], message: str) -> None:
    with pytest.raises(DlcheckError, match=message):
        load(write(tmp_path, values), **keys)


def test_real_series(shared_data: Path) -> None:
    data = load(shared_data / "time-series" / "co2.csv", column="co2", time="date", window=52, normalize="standardize")
    assert "59 missing values" in data.info.notes[0]
    temperatures = load(shared_data / "time-series" / "daily-min-temperatures.csv", column="Temp", time="Date")
    assert sum(temperatures.info.sizes.values()) == 3645
