"""Studies as plain rows, without any training."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from dlcheck.tuning.trials import Ending, SpaceEntry, StudyView, TrialRow

RECIPE = """# mine
[data]
name = "digits"
limit = 100  # a few

[model]
name = "mlp"
hidden = [16]

[optimizer]
name = "adam"  # the usual one
lr = 0.01

[train]
epochs = 4
"""
LR, DROPOUT, NAME = "optimizer.lr", "model.dropout", "optimizer.name"
SPACE = {
    LR: SpaceEntry(LR, "log", 1e-4, 1.0, log=True),
    DROPOUT: SpaceEntry(DROPOUT, "float", 0.0, 0.5),
}


def row(number: int, lr: float, dropout: float, **more: object) -> TrialRow:
    """Return a trial that finished, with a loss that is lowest at a rate of 0.003."""
    value = round(0.2 + 0.1 * abs(float(np.log10(lr / 3e-3))), 6)
    params: dict[str, object] = {LR: lr, DROPOUT: dropout}
    found = TrialRow(
        number,
        "COMPLETE",
        Ending.ok,
        value=value,
        best=value,
        told=value,
        params=params,
        raw=dict(params),
        curve=tuple((epoch, value + 1 / epoch) for epoch in range(1, 5)),
        metrics={"val_accuracy": 0.9, "seconds": 2.0, "val_loss": value},
        epochs=4,
        seconds=2.0,
        started=1000.0 + number,
    )
    return replace(found, **more)  # type: ignore[arg-type]


def died(number: int, lr: float, ending: Ending = Ending.nan) -> TrialRow:
    """Return a trial that did not finish."""
    reason = "loss nan at step 37, in 1 (Linear)"
    return row(number, lr, 0.1, ending=ending, value=None, best=None, told=0.9, reason=reason, curve=(), epochs=1)


def view(count: int = 20, *extra: TrialRow, seed: int = 0, **more: object) -> StudyView:
    """Return a study of trials at random places; trial 0 is the recipe as it is."""
    places = np.random.default_rng(seed).random((count, 2))
    rows = [row(0, 0.01, 0.0, params={}, baseline=True)]
    rows += [row(n, float(10 ** (-4 + 4 * x)), float(y / 2)) for n, (x, y) in enumerate(places[1:], start=1)]
    known = StudyView(
        "tiny",
        "val_loss",
        True,
        (*rows, *extra),
        SPACE,
        total=count + len(extra),
        sampler="tpe",
        pruner="none",
        why="sampler tpe: as asked",
        recipe=RECIPE,
        metrics=("val_loss",),
        directions=(True,),
        epochs=4,
    )
    return replace(known, **more)  # type: ignore[arg-type]


def lost(rows: Sequence[TrialRow]) -> Sequence[TrialRow]:
    """Return the same trials, as ones whose process was killed."""
    return [replace(one, ending=Ending.lost, state="FAIL", value=None) for one in rows]
