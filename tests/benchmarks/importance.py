"""How often the most important parameter of a search is named as such: 15 studies of 40 trials by TPE.

    python -m tests.benchmarks.importance [STUDIES] [TRIALS]

Eight parameters from 0 to 1, of which three matter, in the order of their weights, and noise of 0.1:
y = 4 (x0 − 0.3)² + (x1 − 0.7)² + 0.25 (x2 − 0.5)² + e. Besides the share, it prints how often the interval of a later
parameter lies wholly above that of an earlier one, which would turn the true order round, how often S605 calls one that
matters unimportant, and how long a study takes.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from dataclasses import replace

import numpy as np
import optuna

from dlcheck.rules import diagnose
from dlcheck.runs import Run
from dlcheck.runs.facts import Importance, SearchStudy
from dlcheck.tuning.importance import importances
from dlcheck.tuning.trials import Ending, SpaceEntry, StudyView, TrialRow

WEIGHTS, BEST, NOISE, PARAMETERS = (4.0, 1.0, 0.25), (0.3, 0.7, 0.5), 0.1, 8
SPACE = {f"x{place}": SpaceEntry(f"x{place}", "float", 0.0, 1.0) for place in range(PARAMETERS)}


def searched(seed: int, trials: int) -> tuple[optuna.Study, StudyView]:
    """Return a study of the function above by Optuna's default sampler, and the same as rows."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    noise = np.random.default_rng(1000 + seed)

    def objective(trial: optuna.Trial) -> float:
        x = [trial.suggest_float(name, 0.0, 1.0) for name in SPACE]
        return sum(w * (x[place] - at) ** 2 for place, (w, at) in enumerate(zip(WEIGHTS, BEST, strict=True))) + float(
            noise.normal(0, NOISE)
        )

    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed, multivariate=True))
    study.optimize(objective, n_trials=trials)
    rows = [
        TrialRow(trial.number, "COMPLETE", Ending.ok, value=trial.value, raw=dict(trial.params))
        for trial in study.trials
    ]
    return study, StudyView("synthetic", "y", True, tuple(rows), SPACE)


def reversed_order(found: dict[str, Importance]) -> bool:
    """Return whether the interval of one that matters less lies wholly above that of one that matters more."""
    order = [found[f"x{place}"] for place in range(PARAMETERS)]
    pairs = [(more, less) for place, more in enumerate(order[: len(WEIGHTS)]) for less in order[place + 1 :]]
    return any(less.low > more.high for more, less in pairs)


def unimportant(found: tuple[Importance, ...]) -> set[str]:
    """Return which parameters S605 names."""
    fact = replace(SearchStudy("y", True, ()), importances=found)
    findings = diagnose(Run(facts=fact.as_dict()), select=["S605"]).findings
    return set(str(findings[0].evidence["parameters"]).split(", ")) if findings else set()


def firsts(study: optuna.Study) -> dict[str, str]:
    """Return what Optuna's own evaluators, as they come, name first."""
    evaluators = {
        "Optuna PED-ANOVA (its default)": optuna.importance.PedAnovaImportanceEvaluator(),
        "Optuna fANOVA, one forest": optuna.importance.FanovaImportanceEvaluator(seed=0),
    }
    shares = {name: optuna.importance.get_param_importances(study, evaluator=one) for name, one in evaluators.items()}
    return {name: max(found, key=lambda key: found[key]) for name, found in shares.items()}


def main(studies: int = 15, trials: int = 40) -> float:
    """Print the figures, and return the share of studies in which the first parameter is x0."""
    first = turned = missed = dummies = 0
    seconds: list[float] = []
    others: Counter[str] = Counter()
    for seed in range(studies):
        study, view = searched(seed, trials)
        others.update(name for name, named in firsts(study).items() if named == "x0")
        begun = time.process_time()
        found, _ = importances(view)
        seconds.append(time.process_time() - begun)
        first += found[0].name == "x0"
        turned += reversed_order({item.name: item for item in found})
        named = unimportant(found)
        missed += "x0" in named
        dummies += len(named & {f"x{place}" for place in range(len(WEIGHTS), PARAMETERS)})
    print(f"{studies} studies of {trials} trials by TPE")
    print(f"most important parameter named first: {first / studies:.2f}")
    for name, hits in others.items():
        print(f"  the same by {name}: {hits / studies:.2f}")
    print(f"intervals contradict the true order:  {turned / studies:.2f}")
    print(f"S605 names x0:                        {missed / studies:.2f}")
    print(f"S605 names a parameter without influence: {dummies / (studies * (PARAMETERS - len(WEIGHTS))):.2f}")
    print(f"CPU time a study: median {np.median(seconds):.1f} s")
    return first / studies


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:]))
