"""No rule fails, warns or reports numbers that are none, whatever a log holds."""

import math

import numpy as np
import pytest

from dlcheck.rules import diagnose
from tests.rules.examples import make_run

NAMES = ("train_loss", "val_loss", "batch_loss", "val_accuracy", "train_accuracy", "train_lr", "train_grad_norm")
LENGTHS = (1, 2, 3, 4, 5, 6, 8, 11, 40, 350)


def series(generator: np.random.Generator) -> np.ndarray:
    count = int(generator.choice(LENGTHS))
    plain = generator.standard_normal(count)
    order = np.arange(float(count))
    broken = plain.copy()
    broken[generator.integers(0, count)] = generator.choice([math.nan, math.inf, -math.inf])
    kinds = (
        plain,
        np.clip(plain, -1.7, 1.7) * 1e308,
        np.full(count, generator.choice([0.0, 1e-320, 5.0, -3.0, 1.7e308])),
        broken,
        np.full(count, math.nan),
        np.exp(-order / 3),
        np.exp(np.minimum(5 * order, 700)),
        -np.exp(np.minimum(5 * order, 700)),
        np.round(plain),
    )
    return kinds[generator.integers(len(kinds))]


@pytest.mark.parametrize("seed", range(200))
def test_strange_numbers_are_judged_or_refused(seed: int) -> None:
    generator = np.random.default_rng(seed)
    curves = {name: series(generator) for name in NAMES if generator.random() < 0.7}
    facts = {"trivial_loss": float(generator.choice([0.0, 2.3, -1.0, math.nan])), "class_counts": [0, 0]}
    outcome = diagnose(make_run(curves, recipe=seed % 2 == 0, **(facts if seed % 3 == 0 else {})))
    assert outcome.crashed == ()
    for finding in outcome.findings:
        assert 0 < finding.confidence < 1
        numbers = [value for value in finding.evidence.values() if isinstance(value, float)]
        assert all(math.isfinite(value) for value in numbers), finding
        assert all(isinstance(value, str | int | float | None) for value in finding.evidence.values())
