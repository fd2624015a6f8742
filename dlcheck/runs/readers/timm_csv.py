"""``summary.csv`` of timm; rows of epochs without evaluation are shorter."""

from dlcheck.runs.readers.table_reader import table_reader
from dlcheck.runs.table_head import TableHead


def _fits(head: TableHead) -> bool:
    return head.names[:2] == ("epoch", "train_loss") and any(name.startswith("eval_") for name in head.names)


READER = table_reader("timm-csv", _fits, rank=30)
