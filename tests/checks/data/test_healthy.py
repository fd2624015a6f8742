"""Data sets without a fault: nothing of warning or worse may be said of them."""

from pathlib import Path

import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from dlcheck.findings import Severity
from tests.checks.data.patients import admit, arrays, digits, examined, foreign, found, numbers, table

SETS = {
    "digits": "name = 'digits'",
    "iris": "name = 'iris'",
    "wine": "name = 'wine'",
    "breast_cancer": "name = 'breast_cancer'",
    "diabetes": "name = 'diabetes'",
    "blobs": "name = 'blobs'",
    "blobs that overlap": "name = 'blobs'\nnoise = 6.0",
    "moons": "name = 'moons'",
    "circles": "name = 'circles'",
    "linear": "name = 'linear'",
}


@pytest.mark.parametrize("name", SETS)
def test_nothing_is_found_in_healthy_data(name: str) -> None:
    report = examined(admit(SETS[name]))
    assert found(report) == {}
    assert [row.name for row in report.exams if row.result == "clean"]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 12))
@pytest.mark.parametrize("name", SETS)
def test_nothing_is_found_however_healthy_data_is_split(name: str, seed: int) -> None:
    assert found(examined(admit(SETS[name], f"data.split.seed={seed}"))) == {}


@pytest.mark.parametrize("make", [digits, table, numbers])
def test_arrays_that_come_split_are_healthy(make: object, tmp_path: Path) -> None:
    assert callable(make)
    assert found(examined(arrays(tmp_path, make(3)))) == {}


def test_inputs_that_reconstruct_themselves_have_no_labels_to_examine() -> None:
    report = examined(admit("name = 'digits'\ntask = 'reconstruction'", "model.name='autoencoder'"))
    assert found(report) == {}
    assert {row.why for row in report.exams if row.name == "labels and inputs"} == {"the input is its own target"}


def test_text_is_examined_as_far_as_it_can_be(tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_text("".join(chr(97 + (i * i + i // 7) % 23) for i in range(6000)))
    report = examined(admit(f"name = 'text'\npath = '{path}'\ncontext = 16", "model.name='transformer'"))
    assert {row.name for row in report.exams if row.result == "clean"} >= {"input values", "labels"}


def test_a_series_with_trend_is_healthy(shared_data: Path) -> None:
    path = shared_data / "time-series" / "co2.csv"
    report = examined(admit(f"name = 'time_series'\npath = '{path}'\ncolumn = 'co2'"))
    assert found(report) == {}


def test_copies_in_wine_quality_are_told(shared_data: Path) -> None:
    """The table holds 240 repeated rows, so that a random split parts some of them."""
    path = shared_data / "wine-quality" / "winequality-red.csv"
    columns = [f"c{i}" for i in range(11)] + ["quality"]
    assert found(examined(admit(f"name = 'csv'\npath = '{path}'\ncolumns = {columns}"))) == {"D106": Severity.WARNING}


class Jittered(TensorDataset):
    """Samples that are changed a little each time they are read, as transforms of a data set do."""

    def __getitem__(self, index: int) -> tuple[torch.Tensor, ...]:
        """Return a sample: moved, blurred by noise, and twice as large half of the time."""
        x, y = super().__getitem__(index)  # type: ignore[no-untyped-call]
        return (x + 0.5 * torch.randn_like(x)) * float(1 + torch.randint(2, ())), y


@pytest.mark.parametrize(("both", "result"), [(False, "not checked"), (True, "clean")])
def test_augmented_training_samples_differ_from_validation_by_intent(both: bool, result: str) -> None:
    draw = torch.Generator().manual_seed(0)
    x, y = torch.randn(600, 10, generator=draw), torch.randint(3, (600,), generator=draw)
    x[:, 0] += y
    splits = Jittered(x[:400], y[:400]), (Jittered if both else TensorDataset)(x[400:], y[400:])
    train, val = (DataLoader(one, 32) for one in splits)
    report = examined(foreign(train, val, outputs=3, features=10), "splits drawn alike")
    assert [row.result for row in report.exams] == [result]
    assert found(report) == {}
