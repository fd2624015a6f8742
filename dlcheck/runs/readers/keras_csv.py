"""Keras' CSVLogger, and its ``History`` written by pandas: ``loss`` beside ``val_loss``."""

from dlcheck.runs.names import meaning
from dlcheck.runs.readers.table_reader import table_reader
from dlcheck.runs.table_head import TableHead


def _fits(head: TableHead) -> bool:
    first, *rest = head.names
    if "loss" not in head.names or "_step" in head.names:  # which Weights & Biases adds
        return False
    if first in ("epoch", ""):
        return rest == sorted(rest) if first else all(_is_key(name, head.names) for name in rest)
    return all(_is_key(name, head.names) for name in head.names)


def _is_key(name: str, names: tuple[str, ...]) -> bool:
    """Return whether a name is one of Keras' history: a metric, its ``val_`` twin, or the learning rate."""
    said = meaning(name)
    return said is not None and (said.split == "train" or name.removeprefix("val_") in names)


READER = table_reader("keras-csv", _fits, rank=45)
