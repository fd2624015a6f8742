"""A sick and a healthy run for every rule from M201 to M205."""

from dlcheck.runs import Run
from dlcheck.runs.facts import (
    DeadUnits,
    DepthSpread,
    FirstLoss,
    QuietLayer,
    SaturatedUnits,
    SymmetricLayer,
    WeightSymmetry,
)
from tests.rules.fact_runs import fact_run

DEPTH = tuple(f"layers.{place}" for place in range(8))
VANISHING = DepthSpread(
    layers=DEPTH,
    activation_std=tuple(0.5 * 0.3**place for place in range(8)),
    gradient_norm=tuple(1e-2 * 0.3 ** (7 - place) for place in range(8)),
    samples=256,
)
LEVEL = DepthSpread(
    layers=DEPTH,
    activation_std=(0.9, 1.1, 1.0, 0.8, 0.9, 1.2, 1.0, 0.7),
    gradient_norm=(2e-3, 2.1e-3, 1.8e-3, 2e-3, 2.4e-3, 2.2e-3, 1.9e-3, 3e-3),
    samples=256,
)

SICK: dict[str, Run] = {
    "M201": fact_run(FirstLoss(loss=25.0, expected=2.303, spread=0.4, samples=512, kind="cross_entropy")),
    "M202": fact_run(
        WeightSymmetry(3, (SymmetricLayer("layers.0", "constant", 64, 1, last=False, still=True),), steps=20)
    ),
    "M203": fact_run(VANISHING),
    "M204": fact_run(DeadUnits((QuietLayer("layers.1", "relu", 128, 120, 1024, step=500),))),
    "M205": fact_run(SaturatedUnits((QuietLayer("layers.1", "tanh", 64, 60, 512, step=0),))),
}

HEALTHY: dict[str, Run] = {
    "M201": fact_run(FirstLoss(loss=2.35, expected=2.303, spread=0.01, samples=512, kind="cross_entropy")),
    "M202": fact_run(WeightSymmetry(3)),
    "M203": fact_run(LEVEL),
    "M204": fact_run(DeadUnits((QuietLayer("layers.1", "relu", 128, 44, 1024, step=500),))),
    "M205": fact_run(SaturatedUnits((QuietLayer("layers.1", "tanh", 64, 3, 512, step=0),))),
}
