"""How a batch that is not learned by heart is read."""

import math
from collections.abc import Callable

import pytest
import torch

from dlcheck.checks.model.yardstick import Yardstick
from dlcheck.checks.overfit.attempt import Attempt, Goal
from dlcheck.checks.overfit.conflict import find_conflict
from dlcheck.checks.overfit.exam import measure_overfit
from dlcheck.checks.overfit.shape import read_shape
from dlcheck.checks.patient import Patient
from dlcheck.runs.facts import OverfitBatch

GOAL = Goal(loss=0.1, hits=1.0, stick=Yardstick("classes", 10), unit=2.3)
COUNT = 200
CURVES: dict[str, list[float]] = {
    "slow": [2.3 * math.exp(-0.008 * i) for i in range(COUNT)],
    "stuck": [1.2 + 1.1 * math.exp(-0.2 * i) for i in range(COUNT)],
    "flat": [2.3 + 0.001 * math.sin(i) for i in range(COUNT)],
    "rises": [2.3 + 0.01 * i for i in range(COUNT)],
    "oscillates": [2.3 + (2.0 if i % 2 else -1.2) for i in range(COUNT)],
    "explodes": [2.3, 40.0, 900.0, math.nan],
}


@pytest.mark.parametrize("shape", CURVES)
def test_shape_of_a_curve(shape: str) -> None:
    assert read_shape(Attempt(1e-3, CURVES[shape]), GOAL) == shape


def test_solved_is_solved() -> None:
    assert read_shape(Attempt(1e-3, CURVES["slow"], solved=True), GOAL) == "solved"


def test_loss_that_falls_while_answers_become_worse_rises() -> None:
    losses = [-2.3 - i for i in range(100)]
    assert read_shape(Attempt(1e-3, losses, misfits=[2.3, 102.0]), GOAL) == "rises"


def test_conflicting_labels_give_the_floor() -> None:
    inputs = torch.tensor([[1.0], [1.0], [2.0], [3.0]])
    found = find_conflict((inputs, torch.tensor([0, 1, 2, 2])))
    assert found.samples == 2
    assert found.entropy == pytest.approx(0.5 * math.log(2))
    assert found.hits == 0.75


def test_text_conflicts_where_the_beginning_is_the_same() -> None:
    codes = torch.tensor([[5, 1, 2, 3], [5, 4, 2, 3]])
    target = torch.tensor([[1, 2, 3, 0], [4, 2, 3, 0]])
    found = find_conflict((codes, target))
    assert found.samples == 2  # after the first code, and nowhere else
    assert found.entropy == pytest.approx(2 * math.log(2) / 8)


def overfit(patient: Patient) -> OverfitBatch:
    fact = measure_overfit(patient).facts[0]
    assert isinstance(fact, OverfitBatch)
    return fact


def test_batch_with_contradictions_is_learned_as_far_as_it_can_be(admit: Callable[[str], Patient]) -> None:
    fact = overfit(
        admit("""
        x, y = blobs()
        x = x[:300].repeat(2, 1)
        x[::3] = x[0]
        return parts(mlp(), data=(x, y))
        """)
    )
    assert fact.solved
    assert fact.conflicting > 5
    assert fact.floor > 0.1
    assert fact.score is not None
    assert fact.score < 1


def test_dropout_and_smoothing_do_not_hinder(admit: Callable[[str], Patient]) -> None:
    patient = admit("""
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.one, self.two = nn.Linear(12, 32), nn.Linear(32, 4)

            def forward(self, x):
                return self.two(F.dropout(F.relu(self.one(x)), 0.9, self.training))

        return parts(nn.Sequential(Net(), nn.Dropout(0.0)), nn.CrossEntropyLoss(label_smoothing=0.5))
    """)
    fact = overfit(patient)
    assert fact.solved
    assert fact.last_loss < 0.1
    assert getattr(patient.loss, "label_smoothing") == 0.5  # noqa: B009


@pytest.mark.parametrize("sign", ["-F.cross_entropy(out, y)", "F.cross_entropy(-out * 0 + out.detach(), y)"])
def test_wrong_sign_and_no_gradient_are_told_apart(sign: str, admit: Callable[[str], Patient]) -> None:
    fact = overfit(admit(f"return parts(mlp(), lambda out, y: {sign})"))
    assert not fact.solved
    assert fact.shape == ("rises" if sign.startswith("-") else "flat")
