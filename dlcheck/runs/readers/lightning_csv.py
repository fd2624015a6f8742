"""``metrics.csv`` of Lightning's CSVLogger, and of the older test-tube: train and validation on rows of their own."""

from dlcheck.runs.names import meaning
from dlcheck.runs.readers.table_reader import table_reader
from dlcheck.runs.table_head import TableHead


def _fits(head: TableHead) -> bool:
    counted = {"epoch", "step"} <= set(head.names) or {"epoch", "created_at"} <= set(head.names)
    said = [meaning(name) for name in head.names]
    # Other loggers count iterations as well.
    return counted and "iter" not in head.names and any(one is not None and one.kind == "loss" for one in said)


READER = table_reader("lightning-csv", _fits, rank=40)
