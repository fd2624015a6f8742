"""What a training came to so far, read from what it left in its folder."""

import math
from pathlib import Path

import pandas as pd
import pytest

from dlcheck.recipe import load_recipe
from dlcheck.runs import RunFolder
from dlcheck.treatment.budget import Budget, Purse
from dlcheck.treatment.proof import Score
from dlcheck.treatment.trainings import Trainings, content_key, seeded

ACCURACIES = [0.1, 0.5, 0.2, 0.2, 0.52, 0.3]
RECIPE = '[data]\nname = "blobs"\n\n[model]\nname = "mlp"\n\n[train]\nepochs = 6\nrestore_best = {keeps}\n'


@pytest.mark.parametrize(
    ("keeps", "greater", "rows", "reached", "gained"),
    [
        ("true", True, 6, 0.52, 0.02),
        ("true", True, 3, 0.5, math.nan),  # of half a training nobody knows what the rest would bring
        ("true", False, 6, 0.1, 0.0),
        ("false", True, 6, 0.3, 0.1),
        ("false", True, 0, math.nan, math.nan),
    ],
)
def test_the_best_epoch_counts_where_it_is_kept(
    tmp_path: Path, keeps: str, greater: bool, rows: int, reached: float, gained: float
) -> None:
    (tmp_path / "some.toml").write_text(RECIPE.format(keeps=keeps))
    loaded = load_recipe(tmp_path / "some.toml")
    score = Score("val_accuracy", greater_is_better=greater, samples=100)
    trainings = Trainings(tmp_path / "runs", "cpu", Purse(Budget()), lambda _: None, score)
    folder = RunFolder.create(tmp_path / "runs" / f"seed7-{content_key(seeded(loaded, 7).recipe)}")
    if rows:
        pd.DataFrame({"epoch": range(1, rows + 1), "val_accuracy": ACCURACIES[:rows]}).to_csv(
            folder.metrics, index=False
        )
    assert trainings.reached(loaded, 7) == pytest.approx(reached, nan_ok=True)
    assert trainings.gained(loaded, 7, 0.5) == pytest.approx(gained, nan_ok=True)
    assert trainings.known(loaded, 7, 0.5) is (rows >= 3)
    assert not trainings.known(loaded, 7)
    assert math.isnan(trainings.reached(loaded, 8))
