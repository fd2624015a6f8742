"""Fully connected layers sized to the data."""

from itertools import pairwise

from dlcheck.checks.starter.amounts import batch_size, epochs
from dlcheck.checks.starter.sections import Length, train_table
from dlcheck.recipe.starter import Line, Table

STEPS = 4000
"""Steps of training at most."""


def mlp_tables(train: int, inputs: int, outputs: int, unit: str) -> tuple[Table, Table]:
    """Return model and length of training for so many training samples of ``inputs`` numbers."""
    hidden = [32] if train < 200 else [64, 32] if train < 5000 else [128, 64]
    weights = sum(before * after + after for before, after in pairwise([inputs, *hidden, outputs]))
    batch = batch_size(train)
    count = epochs(train, batch, steps=STEPS, least=10, most=150)
    model = Table(
        "model",
        (
            Line("name", "mlp", "fully connected layers"),
            Line("hidden", hidden, f"units of each layer: {weights:,} weights for {train:,} training {unit}"),
            Line("dropout", 0.1, "share of units switched off at random: the rest must not rely on one"),
        ),
    )
    return model, train_table(Length(count, batch, max(5, count // 5)), train, unit)
