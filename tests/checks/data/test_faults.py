"""Faults planted in healthy data: each must be named."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from dlcheck.findings import Severity
from tests.checks.data.patients import Splits, arrays, digits, examined, foreign, found, measured, numbers, table

VALUES, CONSTANT, BOTH, ALIKE = "input values", "constant features", "samples in both splits", "splits drawn alike"
ORDER, SIGNAL, LEAK, NOISE = "order of labels", "labels and inputs", "target among features", "label noise"


def codes(exam: str, folder: Path, splits: Splits, *overrides: str) -> dict[str, Severity]:
    """Return what one exam's facts make the rules find."""
    return found(examined(arrays(folder, splits, *overrides), exam))


def test_nan_rows_are_found_and_named() -> None:
    splits = table()
    splits["x_train"][[7, 20], 2] = np.nan
    sets = [
        TensorDataset(torch.tensor(splits[f"x_{s}"]).float(), torch.tensor(splits[f"y_{s}"])) for s in ("train", "val")
    ]
    report = examined(foreign(DataLoader(sets[0], 50, shuffle=True), DataLoader(sets[1], 50)), VALUES)
    finding = next(f for f in report.outcome.findings if f.code == "D101")
    fact = measured(report, "input_values")
    assert (fact["nonfinite"], fact["rows"], fact["columns"]) == (2, (7, 20), (2,))
    assert finding.severity is Severity.ERROR


def test_unscaled_inputs(tmp_path: Path) -> None:
    splits = table()
    for split in ("train", "val"):
        splits[f"x_{split}"][:, 1] *= 1000
    assert codes(VALUES, tmp_path, splits, "data.normalize='none'") == {"D102": Severity.WARNING}


def test_a_constant_column_is_told(tmp_path: Path) -> None:
    splits = table()
    for split in ("train", "val"):
        splits[f"x_{split}"][:, 4] = 3.7
    report = examined(arrays(tmp_path, splits), CONSTANT)
    assert found(report, Severity.INFO) == {"D103": Severity.INFO}


@pytest.mark.parametrize("share", [0.03, 0.1])
def test_validation_samples_that_are_in_training(share: float, tmp_path: Path) -> None:
    for make in (digits, table):
        splits = make()
        count = round(share * len(splits["x_val"]))
        for name in ("x", "y"):
            splits[f"{name}_val"][:count] = splits[f"{name}_train"][100 : 100 + count]
        least = Severity.ERROR if share > 0.05 else Severity.WARNING
        assert codes(BOTH, tmp_path, splits)["D106"] >= least


def test_nearly_equal_validation_samples(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    splits = digits()
    copies = splits["x_train"][:100].astype(float) + rng.normal(0, 4, (100, 8, 8))
    splits["x_val"][:100], splits["y_val"][:100] = copies.clip(0, 255).astype(np.uint8), splits["y_train"][:100]
    assert codes(BOTH, tmp_path, splits) == {"D106": Severity.WARNING}
    splits = table()
    splits["x_val"][:60] = splits["x_train"][:60] + rng.normal(0, 0.01, (60, 6))
    splits["y_val"][:60] = splits["y_train"][:60]
    assert codes(BOTH, tmp_path, splits) == {"D106": Severity.WARNING}


@pytest.mark.parametrize("fault", ["scaled", "moved", "noisy"])
def test_a_validation_split_that_was_prepared_otherwise(fault: str, tmp_path: Path) -> None:
    splits = digits() if fault == "noisy" else table()
    x = splits["x_val"]
    if fault == "noisy":
        noise = np.random.default_rng(0).normal(0, 60, x.shape)
        splits["x_val"] = (x + noise).clip(0, 255).astype(np.uint8)
    else:
        splits["x_val"] = 2.5 * x if fault == "scaled" else x + 1
    assert codes(ALIKE, tmp_path, splits)["D107"] is Severity.WARNING


def test_sorted_training_without_shuffling(tmp_path: Path) -> None:
    splits = digits()
    order = np.argsort(splits["y_train"], kind="stable")
    splits["x_train"], splits["y_train"] = splits["x_train"][order], splits["y_train"][order]
    assert codes(ORDER, tmp_path, splits, "data.shuffle=false") == {"D109": Severity.WARNING}
    assert codes(ORDER, tmp_path, splits) == {}


@pytest.mark.parametrize("make", [digits, table, numbers])
def test_labels_that_lag_by_one_in_both_splits(make: object, tmp_path: Path) -> None:
    assert callable(make)
    splits = make(1)
    for split in ("train", "val"):
        splits[f"y_{split}"] = np.roll(splits[f"y_{split}"], 1, axis=0)
    report = examined(arrays(tmp_path, splits), SIGNAL)
    fact = measured(report, "label_signal")
    assert (fact["shift"], fact["shift_split"]) == (1, "both")
    assert found(report) == {"D112": Severity.ERROR}


def test_labels_that_lag_before_the_split(tmp_path: Path) -> None:
    whole = digits()
    x, y = (np.concatenate([whole[f"{name}_train"], whole[f"{name}_val"]]) for name in ("x", "y"))
    assert codes(SIGNAL, tmp_path, {"x": x, "y": np.roll(y, 1)}) == {"D112": Severity.ERROR}


@pytest.mark.parametrize("split", ["train", "val"])
def test_labels_shuffled_in_one_split(split: str, tmp_path: Path) -> None:
    splits = digits()
    splits[f"y_{split}"] = np.random.default_rng(0).permutation(splits[f"y_{split}"])
    assert codes(SIGNAL, tmp_path, splits)["D112"] is Severity.ERROR


def test_reversed_labels(tmp_path: Path) -> None:
    splits = digits()
    splits["y_train"] = splits["y_train"][::-1].copy()
    report = examined(arrays(tmp_path, splits), SIGNAL)
    assert found(report) == {"D112": Severity.ERROR}
    fact = measured(report, "label_signal")
    assert fact["order"] == "reversed, in training"


def test_labels_without_relation_are_measured_as_such(tmp_path: Path) -> None:
    """Before training nobody can tell them from labels that are only too hard for a simple model."""
    splits = digits()
    for split in ("train", "val"):
        splits[f"y_{split}"] = np.random.default_rng(1).permutation(splits[f"y_{split}"])
    report = examined(arrays(tmp_path, splits), SIGNAL)
    fact = measured(report, "label_signal")
    assert fact["train_low"] < fact["chance"]
    assert fact["shift"] == 0
    assert fact["reordered_score"] is None
    assert "D112" not in found(report)


@pytest.mark.parametrize("make", [table, numbers])
def test_the_target_among_the_features(make: object, tmp_path: Path) -> None:
    assert callable(make)
    splits = make()
    for split in ("train", "val"):
        splits[f"x_{split}"][:, 5] = 2 * splits[f"y_{split}"].reshape(-1) - 1
    assert codes(LEAK, tmp_path, splits) == {"D113": Severity.ERROR}


def test_a_noisy_copy_of_the_target_among_the_features(tmp_path: Path) -> None:
    splits = table()
    for split in ("train", "val"):
        noise = np.random.default_rng(2).normal(0, 0.05, len(splits[f"y_{split}"]))
        splits[f"x_{split}"][:, 5] = splits[f"y_{split}"] + noise
    assert codes(LEAK, tmp_path, splits) == {"D113": Severity.WARNING}


@pytest.mark.parametrize(
    ("share", "severity"), [(0.0, None), (0.02, None), (0.1, Severity.WARNING), (0.2, Severity.WARNING)]
)
def test_wrong_labels(share: float, severity: Severity | None, tmp_path: Path) -> None:
    splits = table()
    rng = np.random.default_rng(0)
    blobs = {0: np.zeros(6), 1: np.full(6, 2.0), 2: np.array([2.0, -2, 2, -2, 2, -2])}
    for split in ("train", "val"):
        y = rng.integers(0, 3, len(splits[f"y_{split}"]))
        splits[f"x_{split}"] = np.stack([blobs[int(c)] for c in y]) + rng.normal(0, 0.8, (len(y), 6))
        splits[f"y_{split}"] = y
    wrong = rng.permutation(500)[: round(500 * share)]
    splits["y_train"][wrong] = (splits["y_train"][wrong] + 1) % 3
    report = examined(arrays(tmp_path, splits), NOISE)
    fact = measured(report, "label_noise")
    assert fact["share_low"] <= share <= fact["share_high"]
    assert found(report).get("D115") == severity
    assert len(set(fact["examples"]) & set(wrong.tolist())) >= 0.9 * len(fact["examples"])
