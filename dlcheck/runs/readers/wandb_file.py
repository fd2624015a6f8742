"""A ``.wandb`` file: the whole history of one Weights & Biases run, as it lies on the disk of the trainer."""

from dataclasses import replace
from pathlib import Path

from dlcheck.errors import DlcheckError
from dlcheck.runs.content import content_of, head
from dlcheck.runs.readers.reader import Reader, ReadOptions
from dlcheck.runs.readers.wandb_history import wandb_table
from dlcheck.runs.readers.wandb_record import HEADER
from dlcheck.runs.run import Run
from dlcheck.runs.tables import table_runs


def matches(path: Path) -> bool:
    """Return whether a file begins as every ``.wandb`` file does."""
    return head(path).startswith(HEADER)


def read_wandb(path: Path, options: ReadOptions) -> list[Run]:
    """Read the history in a ``.wandb`` file.

    Raises:
        DlcheckError: no such file, or its history holds no loss or score.
    """
    content = content_of(path)
    if not content.startswith(HEADER):
        raise DlcheckError(f"{path}: no .wandb file: it does not begin with its mark")
    try:
        runs = table_runs(wandb_table(content), options.names)
    except DlcheckError as error:
        raise DlcheckError(f"{path}: {error}") from None
    return [replace(run, meta={**run.meta, "format": "wandb"}) for run in runs]


READER = Reader("wandb-file", matches, read_wandb, rank=10)
