"""A sick and a healthy study for each rule of the family S6."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from dlcheck.runs import Run
from dlcheck.runs.facts import (
    Confirmed,
    CurvePoint,
    Importance,
    SearchParameter,
    SearchStudy,
    SearchTrial,
    SearchValue,
)
from tests.rules.fact_runs import fact_run

LR = SearchParameter("optimizer.lr", "optimizer.lr", "log", 1e-5, 1e-1, log=True)
DECAY = SearchParameter("optimizer.weight_decay", "optimizer.weight_decay", "log", 1e-6, 1e-1, log=True)
DROPOUT = SearchParameter("model.dropout", "model.dropout", "float", 0.0, 0.5)
NAME = SearchParameter("optimizer.name", "optimizer.name", "choice", choices=("sgd", "adam", "rmsprop"))
SPACE = (LR, DECAY, DROPOUT)

SETTLED = tuple(CurvePoint(epoch, 0.2 + 2.0 * float(np.exp(-epoch / 2))) for epoch in range(1, 21))
FALLING = tuple(CurvePoint(epoch, 2.3 - 0.05 * epoch) for epoch in range(1, 21))

Values = Mapping[str, float | str]
Loss = Callable[[Values], float | str]


def draw(parameter: SearchParameter, share: float) -> float | str:
    """Return the value at a share of a parameter's range, or the choice there."""
    if parameter.kind == "choice":
        return parameter.choices[min(int(share * len(parameter.choices)), len(parameter.choices) - 1)]
    low, high = parameter.low or 0.0, parameter.high or 0.0
    return float(low * (high / low) ** share) if parameter.log else float(low + share * (high - low))


def tried(number: int, values: Values, reached: float | str, **more: object) -> SearchTrial:
    """Return a trial with these values that reached a loss, or that ended in this way."""
    params = tuple(
        SearchValue(name, text=value) if isinstance(value, str) else SearchValue(name, value)
        for name, value in values.items()
    )
    ending, value = (reached, None) if isinstance(reached, str) else ("ok", reached)
    trial = SearchTrial(
        number, ending, value, params, epochs=20, curve=SETTLED if value is not None else (), seconds=1.0
    )
    return replace(trial, **more)  # type: ignore[arg-type]


def study(
    loss: Loss, *, space: Sequence[SearchParameter] = SPACE, count: int = 40, seed: int = 0, **more: object
) -> SearchStudy:
    """Return a study of trials at random places; its first trial is the recipe, in the middle of every range."""
    shares = np.random.default_rng(seed).random((count, len(space)))
    shares[0] = 0.5
    trials = []
    for number, row in enumerate(shares):
        values = {parameter.name: draw(parameter, float(share)) for parameter, share in zip(space, row, strict=True)}
        trials.append(tried(number, values, loss(values), baseline=number == 0))
    known = SearchStudy("val_loss", True, tuple(trials), tuple(space), total=count, startup=10, epochs=20)
    return replace(known, **more)  # type: ignore[arg-type]


def inside(values: Values) -> float:
    """Return a loss that is lowest at a rate of 3e-3, well inside of the range."""
    return 0.2 + 0.1 * abs(float(np.log10(float(values["optimizer.lr"]) / 3e-3)))


def beyond(values: Values) -> float:
    """Return a loss that is lowest above the largest rate."""
    return 0.2 + 0.1 * abs(float(np.log10(float(values["optimizer.lr"]) / 1.0)))


def breaking(values: Values) -> float | str:
    """Return a loss, or NaN at every rate above 1e-3."""
    return "nan" if float(values["optimizer.lr"]) > 1e-3 else inside(values)


def early_best(found: SearchStudy) -> SearchStudy:
    """Return the study with its best trials first, as one that had long found its best."""
    order = sorted(found.trials[1:], key=lambda trial: trial.value if trial.value is not None else 9.0)
    moved = [replace(trial, number=number) for number, trial in enumerate([found.trials[0], *order])]
    return replace(found, trials=tuple(moved))


def repeated(
    recipe: Sequence[float], best: Sequence[float], others: Sequence[Sequence[float]] = ()
) -> tuple[Confirmed, ...]:
    """Return trainings over the seeds 1, 2, 3 of the recipe, of trial 7 and of further ones."""
    seeds = (1, 2, 3)
    groups = [Confirmed(0, tuple(recipe), seeds, baseline=True), Confirmed(7, tuple(best), seeds)]
    return (*groups, *(Confirmed(20 + place, tuple(values), seeds) for place, values in enumerate(others)))


GOOD = early_best(study(inside))
NOISY = replace(
    GOOD, confirmed=repeated((0.250, 0.255, 0.245), (0.249, 0.256, 0.243), [(0.252, 0.248, 0.251)]), chosen=7
)
BETTER = replace(
    GOOD, confirmed=repeated((0.350, 0.355, 0.345), (0.249, 0.256, 0.243), [(0.252, 0.248, 0.251)]), chosen=7
)
IMPORTANT = (
    Importance("optimizer.lr", 0.9, 0.7, 0.97, 40),
    Importance("optimizer.weight_decay", 0.06, 0.01, 0.3, 40),
)
UNIMPORTANT = (*IMPORTANT, Importance("model.dropout", 0.01, 0.0, 0.04, 40))

SICK: dict[str, Run] = {
    "S601": fact_run(early_best(study(beyond))),
    "S602": fact_run(NOISY),
    "S603": fact_run(study(breaking)),
    "S604": fact_run(replace(GOOD, trials=tuple(replace(trial, curve=FALLING) for trial in GOOD.trials))),
    "S605": fact_run(replace(GOOD, importances=UNIMPORTANT)),
}

HEALTHY: dict[str, Run] = {
    "S601": fact_run(GOOD),
    "S602": fact_run(BETTER),
    "S603": fact_run(GOOD),
    "S604": fact_run(GOOD),
    "S605": fact_run(replace(GOOD, importances=IMPORTANT)),
}
