"""Arrays from files: types, names, given splits, nothing pickled, and one line for whatever is wrong."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dlcheck.components.data import LoadedData, load_data
from dlcheck.errors import DlcheckError
from dlcheck.recipe.recipe import Recipe

X = np.random.default_rng(0).normal(size=(60, 4))
Y = np.arange(60) % 3


def load(path: Path, **keys: Any) -> LoadedData:
    data = {"name": "arrays", "path": str(path), **keys}
    recipe = Recipe.model_validate({"data": data, "model": {"name": "mlp"}})
    return load_data(recipe, folder=Path(), device=torch.device("cpu"))


def save(folder: Path, **arrays: Any) -> Path:
    np.savez(folder / "data.npz", **arrays)
    return folder / "data.npz"


def test_npz_npy_and_pt_hold_the_same(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", X)
    np.save(tmp_path / "y.npy", Y)
    torch.save({"x": torch.from_numpy(X), "y": torch.from_numpy(Y)}, tmp_path / "both.pt")
    torch.save((torch.from_numpy(X), torch.from_numpy(Y)), tmp_path / "pair.pt")
    found = [
        load(save(tmp_path, x=X, y=Y)),
        load(tmp_path / "x.npy", labels=str(tmp_path / "y.npy")),
        load(tmp_path / "both.pt"),
        load(tmp_path / "pair.pt"),
    ]
    for data in found:
        assert data.info == found[0].info
        assert torch.equal(data.sample[0], found[0].sample[0])
    assert found[0].info.input_shape == (4,)
    assert found[0].info.outputs == 3


def test_names_of_arrays(tmp_path: Path) -> None:
    assert load(save(tmp_path, pixels=X, label=Y), x="pixels", y="label").info.outputs == 3


def test_given_splits_are_kept(tmp_path: Path) -> None:
    data = load(save(tmp_path, x_train=X, y_train=Y, x_test=X[:9], y_test=Y[:9]))
    assert data.info.sizes == {"train": 48, "val": 12, "test": 9}
    data = load(save(tmp_path, x_train=X, y_train=Y, x_val=X[:9], y_val=Y[:9]))
    assert data.info.sizes == {"train": 60, "val": 9}


@pytest.mark.parametrize(
    ("y", "task", "outputs"),
    [
        (Y, "classification", 3),
        (Y % 2 == 0, "classification", 2),
        (Y[:, None], "classification", 3),
        (X[:, 0], "regression", 1),
        (X[:, :2], "regression", 2),
    ],
)
def test_the_task_follows_the_targets(tmp_path: Path, y: Any, task: str, outputs: int) -> None:
    data = load(save(tmp_path, x=X, y=y))
    assert (data.info.task, data.info.outputs) == (task, outputs)
    _, target = next(iter(data.train.epoch(0)))
    assert target.shape[1:] == (() if task == "classification" else (outputs,))


@pytest.mark.parametrize(
    ("shape", "kind", "expected"),
    [
        ((60, 8, 8), np.uint8, (1, 8, 8)),
        ((60, 8, 8, 3), np.uint8, (3, 8, 8)),
        ((60, 3, 8, 8), np.uint8, (3, 8, 8)),
        ((60, 20, 2), np.float32, (20, 2)),
        ((60,), np.float64, (1,)),
        ((60, 4), np.int32, (4,)),
    ],
)
def test_shapes_of_inputs(tmp_path: Path, shape: tuple[int, ...], kind: Any, expected: tuple[int, ...]) -> None:
    x = np.random.default_rng(0).integers(0, 100, shape).astype(kind)
    data = load(save(tmp_path, x=x, y=Y))
    assert data.info.input_shape == expected
    assert data.sample[0].dtype == torch.float32


def test_groups_by_array(tmp_path: Path) -> None:
    path = save(tmp_path, x=np.arange(60.0) // 4, y=Y, who=np.arange(60) // 4)
    data = load(path, split={"group": "who"}, normalize="none")
    parts = [
        set(torch.cat([x for x, _ in part.epoch(0)]).flatten().tolist()) for part in (data.train, data.val) if part
    ]
    assert not parts[0] & parts[1]


def test_reconstruction_needs_no_targets(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", X)
    data = load(tmp_path / "x.npy", task="reconstruction")
    assert data.info.outputs == 4


def bad(position: tuple[int, int], value: float) -> Any:
    x = X.copy()
    x[position] = value
    return x


@pytest.mark.parametrize(
    ("arrays", "keys", "message"),
    [
        ({"x": X}, {}, r"no array 'y' \(data\.y\); .*x"),
        ({"data": X, "y": Y}, {}, r"no array 'x' \(data\.x\)"),
        ({"x": X, "y": Y[:50]}, {}, "60 inputs, but 50 targets"),
        ({"x": X[:0], "y": Y[:0]}, {}, "no samples|0 class"),
        ({"x": bad((7, 2), np.nan), "y": Y}, {}, r"sample 7, place \[2\] is nan"),
        ({"x": bad((7, 2), np.inf), "y": Y}, {}, r"sample 7, place \[2\] is inf"),
        ({"x": bad((7, 2), 1e200), "y": Y}, {}, r"sample 7, place \[2\] is inf"),
        ({"x": X, "y": bad((3, 0), np.nan)[:, 0]}, {}, r"target: sample 3.* is nan"),
        ({"x": X, "y": Y - 1}, {}, "label -1 of sample 0 is negative"),
        ({"x": X, "y": Y + 1}, {}, "labels reach 3, but none is 0"),
        ({"x": X, "y": Y * 2}, {}, "labels reach 4, but none is 1"),
        ({"x": X, "y": Y * 0}, {}, r"1 class\(es\) found"),
        ({"x": X, "y": Y + 0.5}, {"task": "classification"}, "label 0.5 of sample 0 is no whole number"),
        ({"x": X, "y": X}, {"task": "classification"}, r"shape \(60, 4\)"),
        ({"x": X, "y": np.array(["a", "b"] * 30)}, {"task": "classification"}, "of type <U1"),
        ({"x": X.astype(complex), "y": Y}, {}, "of type complex128"),
        ({"x": X, "y": Y}, {"split": {"group": "who"}}, r"no array 'who' \(data\.split\.group\)"),
        ({"x": X, "y": Y, "who": Y[:5]}, {"split": {"group": "who"}}, r"shape \(5,\) for 60 samples"),
        ({"x_train": X, "y_train": Y % 2, "x_test": X, "y_test": Y}, {}, "label 2, but training has classes 0 to 1"),
        (
            {"x_train": X, "y_train": Y, "x_test": X[:, :2], "y_test": Y},
            {},
            r"test inputs of shape \(2,\), train \(4,\)",
        ),
    ],
)
def test_bad_arrays_say_why(tmp_path: Path, arrays: dict[str, Any], keys: dict[str, Any], message: str) -> None:
    with pytest.raises(DlcheckError, match=message) as caught:
        load(save(tmp_path, **arrays), **keys)
    assert "\n" not in str(caught.value)


def test_one_array_without_targets_says_what_is_missing(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", X)
    with pytest.raises(DlcheckError, match=r"data\.labels must name"):
        load(tmp_path / "x.npy")


class Trap:
    def __reduce__(self) -> tuple[Any, ...]:
        return (pytest.fail, ("unpickled",))


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    np.savez(tmp_path / "trap.npz", x=np.array([Trap()], dtype=object), y=Y)
    torch.save({"x": Trap()}, tmp_path / "trap.pt")
    for name in ("trap.npz", "trap.pt"):
        with pytest.raises(DlcheckError, match="without unpickling"):
            load(tmp_path / name)


def test_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("1 2 3")
    with pytest.raises(DlcheckError, match=r"'\.txt' is unknown; valid: \.npz, \.npy, \.pt"):
        load(tmp_path / "x.txt")
    torch.save([1, 2, 3], tmp_path / "list.pt")
    with pytest.raises(DlcheckError, match="holds a list"):
        load(tmp_path / "list.pt")


HEADERS = [b"", b"\x93NUMPY\x01\x00v\x00{'descr': '<f8', 'fortran_order': False, 'shape': (3, 2), }\n", b"PK\x03\x04"]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(suffix=st.sampled_from([".npz", ".npy", ".pt"]), start=st.sampled_from(HEADERS), rest=st.binary(max_size=300))
def test_any_bytes_are_data_or_one_clear_line(tmp_path: Path, suffix: str, start: bytes, rest: bytes) -> None:
    path = tmp_path / f"any{suffix}"
    path.write_bytes(start + rest)
    message = ""
    try:
        load(path, task="reconstruction")
    except DlcheckError as error:
        message = str(error)
    assert "\n" not in message
