"""A sick and a healthy run for each rule of the family G3 that reads layers, norms, optimizers or NaN."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from dlcheck.runs import Part, Run, layer_frame, scalar_frame
from dlcheck.runs.facts import Fact, NonFinite, OptimizerGroup, OptimizerSettings, Replicas, Site

STEPS = np.arange(1.0, 201.0)
SAMPLED = STEPS[STEPS % 10 == 5]
LEARNED = 0.1 + 2.2 * np.exp(-STEPS / 40)
STUCK = np.full(200, 2.303)
LAYERS = ("0", "2", "4", "6")
SITE = Site("train.py", 12)

Level = float | np.ndarray


def rough(values: np.ndarray, seed: int = 0, size: float = 0.02) -> np.ndarray:
    return np.asarray(values + size * np.random.default_rng(seed).standard_normal(len(values)))


def live_run(
    loss: np.ndarray,
    layers: Mapping[str, Sequence[Level]] | None = None,
    facts: Sequence[Fact] = (),
    steps: np.ndarray = SAMPLED,
    *,
    recipe: bool = True,
    trivial: float | None = 2.303,
    **series: np.ndarray,
) -> Run:
    """Return a run of 200 steps: loss of each batch, statistics of layers at ``steps``, series and facts."""
    parts = [Part("train", "batch_loss", rough(loss), STEPS[: len(loss)])]
    parts += [Part("train", name, values, STEPS[: len(values)]) for name, values in series.items()]
    columns: dict[str, list[object]] = {"step": [], "layer": [], "statistic": [], "value": []}
    for statistic, levels in (layers or {}).items():
        for layer, level in zip(LAYERS, levels, strict=False):
            for step, value in zip(steps, np.broadcast_to(level, steps.shape), strict=True):
                for name, item in zip(columns, (step, layer, statistic, value), strict=True):
                    columns[name].append(item)
    known: dict[str, object] = {name: value for fact in facts for name, value in fact.as_dict().items()}
    if trivial is not None:
        known |= {"trivial_loss": trivial}
    settings = {"optimizer": {"lr": 0.01}, "train": {"epochs": 3, "batch_size": 32}}
    return Run(
        scalars=scalar_frame(parts),
        layers=layer_frame(columns if columns["step"] else None),
        facts=known,
        meta={"recipe": settings} if recipe else {},
    )


def epochs_run(loss: np.ndarray, epoch: int = 20) -> Run:
    """Return a run with the loss of each batch, ``epoch`` batches to an epoch."""
    steps = np.arange(1.0, len(loss) + 1)
    epochs = np.floor((steps - 1) / epoch) + 1
    return Run(scalars=scalar_frame([Part("train", "batch_loss", rough(loss, size=0.05), steps, epochs)]))


def adam(**changes: object) -> OptimizerGroup:
    usual: dict[str, object] = {"optimizer": "Adam", "lr": 1e-3, "lr_highest": 1e-3, "momentum": 0.9, "beta2": 0.999}
    return OptimizerGroup(**(usual | {"eps": 1e-8, "parameters": 1000} | changes))  # type: ignore[arg-type]


def sgd(**changes: object) -> OptimizerGroup:
    usual: dict[str, object] = {"optimizer": "SGD", "lr": 0.1, "lr_highest": 0.1, "momentum": 0.9, "parameters": 1000}
    return OptimizerGroup(**(usual | changes))  # type: ignore[arg-type]


def settings(*groups: OptimizerGroup, **changes: object) -> OptimizerSettings:
    return OptimizerSettings(**({"groups": groups, "steps": 200, "site": SITE} | changes))  # type: ignore[arg-type]


def nonfinite(**changes: object) -> NonFinite:
    usual: dict[str, object] = {"step": 40, "kind": "gradient", "loss": 1.5, "module": "4", "module_type": "Linear"}
    more: dict[str, object] = {"operation": "exp", "rows": (3, 9), "values": (99.0, 104.0), "overflow": True}
    place: dict[str, object] = {"replayed": True, "reproduced": True, "site": SITE}
    return NonFinite(**(usual | more | place | changes))  # type: ignore[arg-type]


NORMS = {"weight_norm": (4.0, 4.0, 4.0, 2.0)}
USUAL = NORMS | {"grad_norm": (0.2, 0.2, 0.3, 0.3), "update_ratio": (1e-3, 1e-3, 1e-3, 2e-3)}
CALM = 0.5 + 0.1 * np.sin(STEPS)
BURSTS = np.where(np.isin(STEPS, (60, 90, 120, 150)), 40.0, CALM)
THROWN = np.where(STEPS >= 60, 4.0, LEARNED)
GROWING = 4.0 * np.exp(SAMPLED / 40)
SHRINKING = 4.0 * np.exp(-SAMPLED / 60)
DECAYED = settings(sgd(weight_decay=0.5))
NOISE = np.full(200, 5000.0)

SICK: dict[str, Run] = {
    "G301": live_run(LEARNED, USUAL, [nonfinite()]),
    "G302": live_run(THROWN, USUAL, grad_norm=BURSTS),
    "G303": live_run(STUCK, NORMS | {"grad_norm": (1e-7, 1e-5, 1e-3, 0.1), "update_ratio": (1e-9, 1e-7, 1e-5, 1e-3)}),
    "G304": live_run(STUCK, NORMS | {"update_ratio": (0.4, 0.3, 0.5, 0.2)}),
    "G305": live_run(2.303 - 1e-4 * STEPS, NORMS | {"update_ratio": (1e-6, 2e-6, 1e-6, 3e-6)}),
    "G310": live_run(np.linspace(2.3, 9.0, 200), {"weight_norm": (GROWING, GROWING, GROWING, GROWING)}),
    "G313": live_run(STUCK, {"weight_norm": (SHRINKING, SHRINKING, SHRINKING, SHRINKING)}, [DECAYED]),
    "G314": live_run(STUCK - 0.002 * STEPS, gradient_noise=NOISE),
    "G315": live_run(LEARNED, facts=[Replicas(2, 5, 5, 0.1, ("0", "2"), step=20)]),
    "G316": live_run(LEARNED, facts=[settings(sgd(momentum=1.0))]),
    "G317": live_run(LEARNED, USUAL, [nonfinite(operation="log", undefined="logarithm of 0", values=(0.0, 0.0))]),
    "G318": epochs_run(np.tile(0.4 + 1.9 * np.exp(-np.arange(20) / 6), 10)),
    "G319": replace(epochs_run(LEARNED), meta={"recipe": {"regularize": {"l2": 1.0}}}),
}

HEALTHY: dict[str, Run] = {
    "G301": live_run(LEARNED, USUAL, [nonfinite(skipped_by_scaler=True)]),
    # Bursts that the loss does not mind, as of a hard batch under clipping.
    "G302": live_run(LEARNED, USUAL, grad_norm=BURSTS),
    # All gradients shrink together when a run converges.
    "G303": live_run(
        LEARNED, NORMS | {"grad_norm": (1e-7, 1e-7, 2e-7, 1e-7), "update_ratio": (1e-6, 1e-6, 1e-6, 1e-6)}
    ),
    "G304": live_run(LEARNED, NORMS | {"update_ratio": (0.4, 0.3, 0.5, 0.2)}),
    "G305": live_run(LEARNED, NORMS | {"update_ratio": (1e-6, 2e-6, 1e-6, 3e-6)}),
    "G310": live_run(LEARNED, {"weight_norm": (GROWING, GROWING, GROWING, GROWING)}),
    "G313": live_run(LEARNED, {"weight_norm": (SHRINKING, SHRINKING, SHRINKING, SHRINKING)}, [DECAYED]),
    "G314": live_run(LEARNED, gradient_noise=NOISE),
    "G315": live_run(LEARNED, facts=[Replicas(2, 5, 0, 0.0)]),
    "G316": live_run(LEARNED, facts=[settings(adam(decoupled=True, weight_decay=0.01), sgd())]),
    "G317": live_run(LEARNED, USUAL, [nonfinite()]),
    "G318": epochs_run(LEARNED),
    "G319": replace(epochs_run(LEARNED), meta={"recipe": {"regularize": {"l2": 1e-4}}}),
}
