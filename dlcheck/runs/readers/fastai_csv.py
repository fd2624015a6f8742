"""``history.csv`` of fastai's CSVLogger; each call of ``fit`` may write the header again."""

from dlcheck.runs.readers.table_reader import table_reader
from dlcheck.runs.table_head import TableHead


def _fits(head: TableHead) -> bool:
    return head.names[:3] == ("epoch", "train_loss", "valid_loss") and head.names[-1] == "time"


READER = table_reader("fastai-csv", _fits, rank=30)
