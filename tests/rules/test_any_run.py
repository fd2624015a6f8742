"""No rule fails, warns or reports numbers that are none, whatever a log or a measurement holds."""

import math
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dlcheck.findings import Outcome
from dlcheck.rules import diagnose
from dlcheck.runs import Run, layer_frame
from dlcheck.runs.facts import Fact
from tests.rules.examples import make_run
from tests.runs.fact_values import KINDS, RECORDS

NAMES = ("train_loss", "val_loss", "batch_loss", "val_accuracy", "train_accuracy", "train_lr", "train_grad_norm")
LIVE = ("train_gradient_noise", "train_grad_norm_clipped", "train_loss_scale")
STATISTICS = ("grad_norm", "weight_norm", "update_ratio", "activation_std", "activation_mean", "dead_fraction")
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


def with_layers(run: Run, generator: np.random.Generator) -> Run:
    """Return the run with strange statistics of up to four layers, some of them measured at other steps."""
    columns: dict[str, list[object]] = {"step": [], "layer": [], "statistic": [], "value": []}
    for statistic in STATISTICS:
        for layer in range(int(generator.integers(0, 5))):
            values = series(generator)
            steps = np.arange(len(values)) * float(generator.choice([0, 1, 16])) + 1
            columns["step"] += steps.tolist()
            columns["layer"] += [str(layer)] * len(values)
            columns["statistic"] += [statistic] * len(values)
            columns["value"] += values.tolist()
    return replace(run, layers=layer_frame(columns)) if columns["step"] else run


def check_outcome(outcome: Outcome) -> None:
    assert outcome.crashed == ()
    for finding in outcome.findings:
        assert 0 < finding.confidence < 1
        assert "\n" not in finding.summary
        for value in finding.evidence.values():
            assert isinstance(value, str | int | float | tuple | None), finding
            parts: Iterable[object] = value if isinstance(value, tuple) else (value,)
            assert all(math.isfinite(part) for part in parts if isinstance(part, float)), finding


@pytest.mark.parametrize("seed", range(200))
def test_strange_numbers_are_judged_or_refused(seed: int) -> None:
    generator = np.random.default_rng(seed)
    curves = {name: series(generator) for name in NAMES if generator.random() < 0.7}
    facts = {"trivial_loss": float(generator.choice([0.0, 2.3, -1.0, math.nan])), "class_counts": [0, 0]}
    check_outcome(diagnose(make_run(curves, recipe=seed % 2 == 0, **(facts if seed % 3 == 0 else {}))))


@pytest.mark.parametrize("seed", range(60))
def test_strange_numbers_of_layers_are_judged_or_refused(seed: int) -> None:
    generator = np.random.default_rng(1000 + seed)
    curves = {name: series(generator) for name in (*NAMES, *LIVE) if generator.random() < 0.7}
    run = make_run(curves, recipe=seed % 2 == 0, batch_size=0)
    check_outcome(diagnose(with_layers(run, generator)))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.NAME)
@settings(max_examples=10, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=st.data())
def test_strange_facts_are_judged_or_refused(kind: type[Fact], data: st.DataObject) -> None:
    generator = np.random.default_rng(data.draw(st.integers(0, 99)))
    others = data.draw(st.lists(st.sampled_from(KINDS), max_size=2))
    known = {name: part for one in (kind, *others) for name, part in data.draw(RECORDS[one.NAME]).as_dict().items()}
    curves = {name: series(generator) for name in NAMES if generator.random() < 0.5}
    check_outcome(diagnose(with_layers(make_run(curves, **known), generator)))


@pytest.mark.parametrize("content", [None, math.nan, "text", [], {}, {"layers": {"a": 1}}], ids=str)
def test_facts_without_their_parts_are_refused(content: object) -> None:
    outcome = diagnose(Run(facts={kind.NAME: content for kind in KINDS}))
    assert outcome.crashed == ()
    assert outcome.findings == ()
