"""Small trainings that take a second."""

from collections.abc import Callable
from pathlib import Path

import pytest

from dlcheck.recipe import LoadedRecipe, parse_recipe
from dlcheck.training.callbacks import Callback
from dlcheck.training.session import TrainResult, train

TINY = """
[data]
name = "digits"
limit = 200
[model]
name = "cnn"
channels = [4, 8]
hidden = [16]
[optimizer]
name = "adam"
lr = 0.01
[train]
epochs = 3
batch_size = 32
"""

RunTraining = Callable[..., TrainResult]


def tiny(*overrides: str, text: str = TINY) -> LoadedRecipe:
    """Return the small recipe with keys changed."""
    return parse_recipe(text, "tiny", name="tiny", overrides=overrides)


@pytest.fixture
def run(tmp_path: Path) -> RunTraining:
    """Return a function that trains the small recipe into a new run folder."""
    count = 0

    def start(*overrides: str, text: str = TINY, callbacks: list[Callback] | None = None) -> TrainResult:
        nonlocal count
        count += 1
        loaded = tiny(*overrides, text=text)
        return train(loaded, device="cpu", run_path=tmp_path / f"run-{count}", callbacks=callbacks or [])

    return start
