"""``results.csv`` of Ultralytics and YOLOv5, its cells padded with blanks in old versions."""

from dlcheck.runs.readers.table_reader import table_reader
from dlcheck.runs.table_head import TableHead

_SIGNS = {"train/box_loss", "metrics/accuracy_top1", "metrics/mAP50(B)", "metrics/mAP_0.5", "train/giou_loss"}


def _fits(head: TableHead) -> bool:
    return "epoch" in head.names and bool(_SIGNS & set(head.names))


READER = table_reader("ultralytics-csv", _fits, rank=20)
