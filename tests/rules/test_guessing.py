"""A classifier that guesses is told from its log; one that learns, or whose numbers disagree, is not."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcheck.rules import diagnose
from dlcheck.rules.curves.guessing import guessing
from tests.rules.examples import make_run


def log(loss: float, accuracy: float, *, seed: int = 0, fall: float = 0.0, rise: float = 0.0) -> dict[str, list[float]]:
    chance, count = np.random.default_rng(seed), 20
    along = np.linspace(0, 1, count)
    losses = loss + 0.002 * chance.normal(size=count) - fall * along
    scores = np.clip(accuracy + 0.1 * accuracy * chance.uniform(-1, 1, count) + rise * along, 0, 1)
    # An epoch in which a rate far too high threw the weights away stands before the rest.
    return {"train_loss": [40 * loss, *losses], "val_accuracy": [accuracy, *scores]}


def codes(series: dict[str, list[float]]) -> set[str]:
    return {one.code for one in diagnose(make_run(series)).findings}


@pytest.mark.parametrize("classes", [2, 3, 7, 10, 37, 200])
def test_guessing_among_any_number_of_classes_is_no_learning(classes: int) -> None:
    series = log(math.log(classes) * 1.01, 1 / classes)
    finding = next(one for one in diagnose(make_run(series)).findings if one.code == "C406")
    assert finding.primary
    named = finding.evidence["classes"]
    assert isinstance(named, int)
    assert abs(named - classes) <= 0.1 * classes


@given(loss=st.floats(-5, 10), accuracy=st.floats(0, 1), seed=st.integers(0, 99))
def test_a_guess_needs_a_number_of_classes_that_fits_both(loss: float, accuracy: float, seed: int) -> None:
    found = guessing(make_run(log(loss, accuracy, seed=seed)))
    if found is not None:
        assert abs(found.accuracy - 1 / found.classes) < 0.35 / found.classes + 0.01
        assert found.best_loss / math.log(found.classes) > 0.95
        assert loss < 1.4 * math.log(found.classes)


@pytest.mark.parametrize(
    "series",
    [
        log(math.log(10), 0.1, rise=0.5),
        log(math.log(10), 0.1, fall=1.0),
        log(math.log(10), 0.6),
        log(0.5, 0.1),
        log(1.5, 0.55),
    ],
    ids=["accuracy rises", "loss falls", "accuracy is good", "loss below ln C", "loss far above ln 2"],
)
def test_where_loss_and_accuracy_disagree_nothing_is_said(series: dict[str, list[float]]) -> None:
    assert "C406" not in codes(series)
