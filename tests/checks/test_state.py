"""An examination changes nothing: training after it is bit for bit the one without it."""

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from dlcheck.checks.admit import admit_recipe
from dlcheck.checks.exam import Exam, Measured
from dlcheck.checks.examine import examine
from dlcheck.checks.exams import MODEL_EXAMS
from dlcheck.checks.patient import Patient
from dlcheck.checks.state import untouched
from dlcheck.recipe import parse_recipe

BODY = """
    model = nn.Sequential(nn.Linear(12, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 4))
    return parts(model)
"""
RECIPE = """
[data]
name = "digits"
limit = 200
[model]
name = "mlp"
hidden = [16]
norm = "batch"
dropout = 0.2
[regularize]
label_smoothing = 0.1
dropconnect = 0.2
[train]
batch_size = 32
"""


def train(patient: Patient) -> list[Tensor]:
    """Train an epoch; return the weights, buffers and what the random streams give next."""
    patient.training_mode()
    for batch in patient.augmented():
        patient.optimizer.zero_grad()
        patient.loss_of(batch).backward()  # type: ignore[no-untyped-call]
        patient.optimizer.step()
    drawn = torch.tensor([random.random(), float(np.random.rand()), float(torch.rand(()))])
    return [*(t.detach().clone() for t in (*patient.model.parameters(), *patient.model.buffers())), drawn]


def test_training_after_the_exams_is_the_same(admit: Callable[[str], Patient]) -> None:
    alone = train(admit(BODY))
    patient = admit(BODY)
    examine(patient, exams=MODEL_EXAMS, limit_s=10.0)
    assert all(torch.equal(a, b) for a, b in zip(alone, train(patient), strict=True))


def test_recipe_after_the_exams_trains_the_same() -> None:
    loaded = parse_recipe(RECIPE, "small", name="small")
    alone = train(admit_recipe(loaded, "cpu"))
    patient = admit_recipe(loaded, "cpu")
    report = examine(patient, limit_s=15.0)
    assert [f.code for f in report.outcome.findings if f.code != "M201"] == []
    assert all(torch.equal(a, b) for a, b in zip(alone, train(patient), strict=True))


def test_gradients_modes_flags_and_attributes_are_put_back(admit: Callable[[str], Patient]) -> None:
    patient = admit(BODY)
    model = patient.model
    assert isinstance(model, nn.Sequential)
    layers: list[Any] = list(model)
    linear, norm, _, dropout, _ = layers
    patient.loss_of(next(patient.batches(1))).backward()  # type: ignore[no-untyped-call]
    gradient = linear.weight.grad
    before = gradient.clone()
    norm.eval()
    with untouched(patient):
        model.train()
        linear.requires_grad_(False)
        dropout.p = 0.0
        gradient.zero_()
        linear.weight.grad = None
        model.append(nn.ReLU())
        norm.running_mean.fill_(7.0)
        linear.weight.data.zero_()
    assert len(model) == 5
    assert linear.weight.grad is gradient
    assert torch.equal(gradient, before)
    assert [module.training for module in model] == [True, False, True, True, True]
    assert linear.weight.requires_grad
    assert dropout.p == 0.3
    assert not bool((norm.running_mean == 7).any())
    assert bool(linear.weight.any())


def test_an_exam_that_raises_leaves_no_trace_and_takes_no_other_along(admit: Callable[[str], Patient]) -> None:
    patient = admit(BODY)

    def fail(patient: Patient) -> Measured:
        patient.model.requires_grad_(False)
        torch.rand(3)
        raise ValueError("the user's own layer\nrefused")

    state = torch.get_rng_state()
    report = examine(patient, exams=(Exam("odd", ("M201",), fail), MODEL_EXAMS[0]))
    assert report.exams[0].result == "not checked"
    assert report.exams[0].why == "ValueError: the user's own layer refused"
    assert report.exams[1].result == "clean"
    assert all(p.requires_grad for p in patient.model.parameters())
    assert torch.equal(torch.get_rng_state(), state)


def test_an_exam_that_ran_out_of_time_says_so(admit: Callable[[str], Patient]) -> None:
    report = examine(admit("return parts(mlp(depth=12, act=nn.Sigmoid))"), exams=MODEL_EXAMS[-1:], limit_s=0.2)
    assert report.exams[0].result == "not checked"
    assert report.exams[0].why.startswith("ran out of time after ")
    assert ("M209", report.exams[0].name) in {
        (item.code, item.why.split(":")[0]) for item in report.outcome.not_checked
    }


@pytest.mark.parametrize("name", ["python", "numpy"])
def test_other_streams_are_put_back(name: str, admit: Callable[[str], Patient]) -> None:
    patient = admit(BODY)
    draw: dict[str, Callable[[], float]] = {"python": random.random, "numpy": lambda: float(np.random.rand())}
    with untouched(patient):
        first = draw[name]()
    assert draw[name]() == first
