"""The user's own data: every documented form of return value, and failures that name the target."""

from pathlib import Path

import pytest
import torch

from dlcheck.components.batches import Batches
from dlcheck.components.data import LoadedData, LoaderBatches, TensorBatches, load_data
from dlcheck.errors import DlcheckError
from dlcheck.recipe import parse_recipe

pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")

CODE = """
import numpy as np, torch
from torch.utils.data import Dataset, TensorDataset

class Items(Dataset):
    def __init__(self, n=60, broken=None):
        self.n, self.broken = n, broken
    def __len__(self):
        return self.n
    def __getitem__(self, i):
        if i == self.broken:
            raise KeyError("no such row")
        return torch.full((3,), float(i)) + 1e-3 * torch.rand(3), i % 3

class Known(Items):
    targets = [i % 3 for i in range(60)]
    classes = ["a", "b", "c"]

def arrays(n=60):
    return np.arange(3.0 * n).reshape(n, 3), np.arange(n) % 3
def tensors():
    return TensorDataset(torch.rand(60, 3), torch.rand(60))
def as_dict():
    return {"train": Items(60), "val": Items(12), "test": Items(9)}
def as_tuple():
    return Items(60), Items(12)
def array_splits():
    return arrays(60), arrays(12), arrays(9)
def mixed():
    return Items(60), arrays(12)
def broken():
    return Known(60, broken=31)
def number():
    return 42
def typo():
    return {"training": Items()}
def singles():
    class Singles(Items):
        def __getitem__(self, i):
            return torch.zeros(3)
    return Singles()
def four():
    return [Items()] * 4
def empty():
    return Items(0)
def numbers():
    class Numbers(Items):
        def __getitem__(self, i):
            return torch.zeros(3), torch.tensor([i * 1.0, i * 2.0])
    return Numbers()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "own_data.py").write_text(CODE)
    return tmp_path


def load(folder: Path, name: str, keys: str = "", workers: int = 0) -> LoadedData:
    text = f'[data]\ntarget = "own_data.py:{name}"\nworkers = {workers}\n{keys}\n[model]\nname = "mlp"'
    return load_data(parse_recipe(text, "test").recipe, folder=folder, device=torch.device("cpu"))


def count(batches: Batches | None) -> int:
    return 0 if batches is None else sum(len(target) for *_, target in batches.epoch(0))


@pytest.mark.parametrize(
    ("name", "sizes", "kind"),
    [
        ("arrays", (36, 12, 12), TensorBatches),
        ("tensors", (36, 12, 12), TensorBatches),
        ("Items", (36, 12, 12), LoaderBatches),
        ("Known", (36, 12, 12), LoaderBatches),
        ("as_dict", (60, 12, 9), LoaderBatches),
        ("as_tuple", (60, 12, 0), LoaderBatches),
        ("array_splits", (60, 12, 9), TensorBatches),
        ("mixed", (60, 12, 0), LoaderBatches),
    ],
)
def test_every_form(folder: Path, name: str, sizes: tuple[int, int, int], kind: type) -> None:
    data = load(folder, name)
    assert (count(data.train), count(data.val), count(data.test)) == sizes
    assert isinstance(data.train, kind)
    assert data.info.outputs == (1 if name == "tensors" else 3)
    assert data.info.input_shape == (3,)


def test_arguments_are_passed_on(folder: Path) -> None:
    assert sum(load(folder, "arrays", "n = 90").info.sizes.values()) == 90


def test_class_names_of_the_data_set(folder: Path) -> None:
    assert load(folder, "Known").info.class_names == ("a", "b", "c")


def test_inputs_are_normalised_from_training_samples(folder: Path) -> None:
    x = torch.cat([x for x, _ in load(folder, "Items").train.epoch(0)])
    assert x.mean().item() == pytest.approx(0, abs=1e-2)
    assert x.std().item() == pytest.approx(1, abs=0.02)


def test_random_samples_repeat_with_the_epoch_and_the_workers(folder: Path) -> None:
    alone, together = load(folder, "Known").train, load(folder, "Known", workers=2).train
    assert isinstance(together, LoaderBatches)
    assert together.workers == 2
    assert all(torch.equal(a, b) for (a, _), (b, _) in zip(alone.epoch(2), together.epoch(2), strict=True))


def test_in_memory_reads_once(folder: Path) -> None:
    assert isinstance(load(folder, "Items", "in_memory = true").train, TensorBatches)


def test_several_numbers_to_predict(folder: Path) -> None:
    data = load(folder, "numbers")
    assert (data.info.task, data.info.outputs) == ("regression", 2)
    _, y = next(iter(data.train.epoch(0)))
    assert y.shape[1] == 2


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("broken", "sample 31 raised KeyError"),
        ("number", "train is a int; a map-style data set"),
        ("typo", r"returned a dict of \['training'\]; valid keys: train, val, test"),
        ("singles", r"sample 0 is a Tensor; \(input, target\) is needed"),
        ("four", "returned 4 data sets"),
        ("empty", "no samples"),
        ("nothing", "no 'nothing'"),
    ],
)
def test_failures_name_the_target(folder: Path, name: str, message: str) -> None:
    def read() -> None:
        data = load(folder, name)
        for batches in (data.train, data.val, data.test):
            count(batches)

    with pytest.raises(DlcheckError, match=message) as caught:
        read()
    assert "own_data.py" in str(caught.value)
    assert "\n" not in str(caught.value)
