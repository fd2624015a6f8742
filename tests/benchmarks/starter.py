"""How good a recipe of ``dlcheck init`` is: beside the recipe that ships for the data, and beside scikit-learn.

``python -m tests.benchmarks.starter [--long]`` writes data sets as a stranger's files, lets ``dlcheck init`` look at
each, trains what it writes over three seeds (of training and split), and prints the test score beside that of the
shipped recipe, where there is one, and of two models of scikit-learn on the very same rows. ``--long`` adds the sets
that take minutes. Sets that are not there are left out, and told.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import numpy.typing as npt

from dlcheck.cli.app import run
from dlcheck.components.data.load import load_source
from dlcheck.recipe import load_recipe

HEAD = (
    "data",
    "score",
    "`dlcheck init`",
    "shipped recipe; difference",
    "linear model",
    "boosted trees",
    "s a training",
)
SEEDS = (0, 1, 2)
SHARED = Path(os.environ.get("DLCHECK_TEST_DATA", Path(__file__).parents[3] / "shared" / "data"))
Numbers = npt.NDArray[np.float64]
Made = tuple[str, ...]
"""What ``dlcheck init`` is told: the data's path, and words after it."""


@dataclass(frozen=True)
class Case:
    """A data set as somebody may have it."""

    name: str
    make: Callable[[], Made]
    shipped: str | None = None
    """The recipe that ships for this data."""
    own: tuple[str, ...] = ()
    """Keys that both recipes get, so that they answer the same question."""
    shipped_own: tuple[str, ...] = ()
    peers: bool = True
    long: bool = False


def from_sklearn(name: str) -> Callable[[], Made]:
    """Return what writes one of scikit-learn's tables as a CSV file, classes by their names."""

    def make() -> Made:
        from sklearn import datasets

        bunch = getattr(datasets, f"load_{name}")(as_frame=True)
        frame = bunch.frame
        if hasattr(bunch, "target_names"):
            frame["target"] = [str(bunch.target_names[code]) for code in frame["target"]]
        frame.to_csv(f"{name}.csv", index=False)
        return (f"{name}.csv",)

    return make


def digits() -> Made:
    """Write images and labels as two arrays of one file."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    np.savez("digits.npz", x=bunch.images.astype(np.uint8), y=bunch.target)
    return ("digits.npz",)


def shared(*parts: str, words: Sequence[str] = ()) -> Callable[[], Made]:
    """Return what names a shared file; where it is absent, making it raises FileNotFoundError."""

    def make() -> Made:
        path = SHARED.joinpath(*parts)
        if not path.exists():
            raise FileNotFoundError(path)
        return (str(path), *words)

    return make


def photos() -> Made:
    """Unpack the photographs, training and validation in folders of their own."""
    import tarfile

    with tarfile.open(SHARED / "cats-vs-dogs-photos.tar") as archive:
        archive.extractall("photos", filter="data")
    return ("photos",)


MARKS = ("--task", "regression")
CASES = (
    Case("iris, CSV", from_sklearn("iris")),
    Case("wine cultivars, CSV", from_sklearn("wine")),
    Case("breast cancer, CSV", from_sklearn("breast_cancer")),
    Case("diabetes, CSV", from_sklearn("diabetes")),
    Case("digits, arrays", digits, "digits"),
    Case(
        "red wine's marks, CSV without names",
        shared("wine-quality", "winequality-red.csv", words=MARKS),
        "wine",
        shipped_own=(f"data.path={SHARED}/wine-quality/winequality-red.csv",),
    ),
    Case("white wine's marks, CSV without names", shared("wine-quality", "winequality-white.csv", words=MARKS)),
    Case("CO2 13 weeks ahead, series", shared("time-series", "co2.csv"), "co2", ("data.horizon=13",)),
    Case("lowest temperature of the next day, series", shared("time-series", "daily-min-temperatures.csv")),
    Case("cats and dogs, photographs in folders", photos, "cats-vs-dogs", peers=False, long=True),
    Case("Shakespeare, text", shared("tinyshakespeare", "input.txt"), "shakespeare", peers=False, long=True),
)


@dataclass(frozen=True)
class Score:
    """A test score over the seeds."""

    values: tuple[float, ...]
    metric: str

    def told(self) -> str:
        """Return mean and range."""
        percent = self.metric == "accuracy"
        scale, form = (100, ".1f") if percent else (1, ".3g")
        low, high = min(self.values) * scale, max(self.values) * scale
        return f"{mean(self.values) * scale:{form}} ({low:{form}} to {high:{form}})"

    def minus(self, other: Score) -> str:
        """Return the mean difference, seed by seed."""
        both = zip(self.values, other.values, strict=True)
        found = mean(one - two for one, two in both)
        return f"{100 * found:+.1f}" if self.metric == "accuracy" else f"{found:+.3g}"


def trained(recipe: str, own: Sequence[str], where: str) -> Score:
    """Train a recipe over the seeds, and return its test score (validation where it has no test set)."""
    values = []
    metric = ""
    for seed in SEEDS:
        sets = [f"train.seed={seed}", *own]
        if load_recipe(recipe, own).recipe.data.name in ("csv", "digits", "arrays"):
            sets.append(f"data.split.seed={seed}")
        folder = f"{where}-{seed}"
        words = ["train", recipe, "--device", "cpu", "--quiet", "--run-dir", folder]
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            run([*words, *(word for key in sets for word in ("--set", key))])
        facts = json.loads(Path(folder, "facts.json").read_text(encoding="utf-8"))
        metric = facts["metric"]
        values.append(float(facts.get(f"test_{metric}", _last(folder, metric))))
    return Score(tuple(values), metric)


def _last(folder: str, metric: str) -> float:
    """Return the validation score of the epoch whose weights were kept: the lowest validation loss."""
    import pandas as pd

    rows = pd.read_csv(Path(folder, "metrics.csv"))
    return float(rows[f"val_{metric}"].to_numpy()[int(rows["val_loss"].to_numpy().argmin())])


def peers(recipe: str, own: Sequence[str]) -> Iterator[tuple[str, Score]]:
    """Yield the scores of scikit-learn's models on the same rows as a recipe; they see its training part alone."""
    found: dict[str, list[float]] = {}
    kind = ""
    for seed in SEEDS:
        words = [*own, f"data.split.seed={seed}"]
        name = load_recipe(recipe, own).recipe.data.name
        loaded = load_recipe(recipe, words if name in ("csv", "arrays") else own)
        source = load_source(loaded.recipe, folder=loaded.folder)
        train, test = _flat(source.train), _flat(source.test)
        kind = source.task
        for label, model in _models(kind, seed).items():
            model.fit(*train)
            answer = model.predict(test[0])
            score = (answer == test[1]).mean() if kind == "classification" else np.abs(answer - test[1]).mean()
            found.setdefault(label, []).append(float(score))
    for label, values in found.items():
        yield label, Score(tuple(values), "accuracy" if kind == "classification" else "mae")


def _flat(samples: Any) -> tuple[Numbers, Numbers]:
    inputs = samples.inputs[0].numpy()
    target = samples.target.numpy()
    return inputs.reshape(len(inputs), -1).astype(np.float64), target.squeeze()


def _models(kind: str, seed: int) -> dict[str, Any]:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.multioutput import MultiOutputRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if kind == "classification":
        linear = LogisticRegression(max_iter=2000)
        return {
            "linear": make_pipeline(StandardScaler(), linear),
            "trees": HistGradientBoostingClassifier(random_state=seed),
        }
    trees = _Trees(seed, MultiOutputRegressor, HistGradientBoostingRegressor)
    return {"linear": make_pipeline(StandardScaler(), Ridge()), "trees": trees}


class _Trees:
    """Boosted trees for one number or several."""

    def __init__(self, seed: int, several: Any, one: Any) -> None:
        self._model = one(random_state=seed)
        self._several = several

    def fit(self, inputs: Numbers, target: Numbers) -> None:
        """Learn."""
        if target.ndim > 1:
            self._model = self._several(self._model)
        self._model.fit(inputs, target)

    def predict(self, inputs: Numbers) -> Numbers:
        """Answer."""
        return np.asarray(self._model.predict(inputs))


def measured(case: Case, place: int) -> str:
    """Return a case's row of the table."""
    words = case.make()
    recipe = f"case-{place}.toml"
    with contextlib.redirect_stdout(io.StringIO()):
        run(["init", *words, "--output", recipe])
    began = time.perf_counter()
    ours = trained(recipe, case.own, f"ours-{place}")
    seconds = (time.perf_counter() - began) / len(SEEDS)
    others = dict(peers(recipe, case.own)) if case.peers else {}
    if case.shipped is not None:
        others = {"shipped": trained(case.shipped, [*case.own, *_paths(case, words)], f"shipped-{place}"), **others}
    cells = [case.name, ours.metric, ours.told()]
    for label in ("shipped", "linear", "trees"):
        other = others.get(label)
        cells.append("" if other is None else f"{other.told()}; {ours.minus(other)}")
    return f"| {' | '.join([*cells, f'{seconds:.1f}'])} |"


def _paths(case: Case, words: Made) -> list[str]:
    if case.shipped in ("co2", "shakespeare"):
        return [f"data.path={words[0]}"]
    if case.shipped == "cats-vs-dogs":
        return [f"data.root={words[0]}"]
    return list(case.shipped_own)


def main() -> None:
    """Print the table."""
    wanted = argparse.ArgumentParser(description=__doc__)
    wanted.add_argument("--long", action="store_true", help="the sets that take minutes, too")
    wanted.add_argument("--only", default="", help="cases whose name holds this")
    given = wanted.parse_args()
    print(
        "| data | score | `dlcheck init` | shipped recipe; difference | linear model | boosted trees | s a training |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        for place, case in enumerate(CASES):
            if given.only not in case.name or (case.long and not given.long):
                continue
            try:
                print(measured(case, place), flush=True)
            except FileNotFoundError as error:
                print(f"{case.name}: not here: {error}", file=sys.stderr)


if __name__ == "__main__":
    main()
