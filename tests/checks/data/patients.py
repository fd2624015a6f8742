"""Data that is small, healthy, and can be made sick."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from dlcheck.checks.admit import admit_recipe
from dlcheck.checks.data import EXAMS
from dlcheck.checks.examine import examine
from dlcheck.checks.foreign import ForeignBatches
from dlcheck.checks.patient import Patient
from dlcheck.findings import Severity
from dlcheck.recipe import parse_recipe
from dlcheck.report.report import Report

Array = npt.NDArray[Any]
Splits = dict[str, Array]
MODEL = "\n[model]\nname = 'mlp'\nhidden = [8]\n[train]\nbatch_size = 32\n"


def admit(data: str, *overrides: str) -> Patient:
    """Return the patient of a recipe's ``[data]`` section."""
    return admit_recipe(parse_recipe(f"[data]\n{data}{MODEL}", "tiny", name="tiny", overrides=overrides), "cpu")


def examined(patient: Patient, *names: str) -> Report:
    """Return what the exams of data find, all or those of these names, and make sure that none failed."""
    assert set(names) <= {exam.name for exam in EXAMS}
    report = examine(patient, exams=[exam for exam in EXAMS if not names or exam.name in names], limit_s=60)
    assert not report.outcome.crashed
    assert not [row for row in report.exams if "Error" in row.why], report.exams
    return report


def found(report: Report, least: Severity = Severity.WARNING) -> dict[str, Severity]:
    """Return the findings of at least this severity, by code."""
    return {f.code: f.severity for f in report.outcome.findings if f.severity >= least}


def measured(report: Report, name: str) -> dict[str, Any]:
    """Return the parts of a fact."""
    fact = report.run.facts[name]
    assert isinstance(fact, dict)
    return fact


def arrays(folder: Path, splits: Splits, *overrides: str) -> Patient:
    """Return the patient of arrays ``x_train``, ``y_train``, … in a file."""
    path = folder / "data.npz"
    np.savez(path, **splits)  # type: ignore[arg-type]
    return admit(f"name = 'arrays'\npath = '{path}'", *overrides)


def digits(seed: int = 0) -> Splits:
    """Return the digits as uint8 images in two splits, in an order drawn at random."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    order = np.random.default_rng(seed).permutation(len(bunch.target))
    x, y = (bunch.images[order] * 15).astype(np.uint8), bunch.target[order].astype(np.int64)
    return {"x_train": x[:900], "y_train": y[:900], "x_val": x[900:1400], "y_val": y[900:1400]}


def table(seed: int = 0, samples: int = 700) -> Splits:
    """Return two classes told apart by three of six features, in two splits."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((samples, 6))
    y = (x[:, 0] + x[:, 1] - x[:, 2] + 0.5 * rng.standard_normal(samples) > 0).astype(np.int64)
    return {"x_train": x[:500], "y_train": y[:500], "x_val": x[500:], "y_val": y[500:]}


def numbers(seed: int = 0, samples: int = 700) -> Splits:
    """Return a number to predict from six features, in two splits."""
    splits = table(seed, samples)
    for split in ("train", "val"):
        x = splits[f"x_{split}"]
        noise = np.random.default_rng([seed, len(x)]).standard_normal(len(x))
        splits[f"y_{split}"] = (x[:, 0] - 2 * x[:, 1] + 0.3 * noise).astype(np.float32)
    return splits


def foreign(train: object, val: object = None, outputs: int = 2, features: int = 6) -> Patient:
    """Return a patient with loaders of its own and a small network."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(features, outputs))
    return Patient(
        name="own",
        model=model,
        loss=nn.CrossEntropyLoss(),
        optimizers=(torch.optim.SGD(model.parameters(), lr=0.1),),
        train=ForeignBatches(train, "train"),
        val=None if val is None else ForeignBatches(val, "val"),
    )
