"""The local folder of a Weights & Biases run; nothing is asked of the service."""

from dataclasses import replace
from pathlib import Path

from dlcheck.errors import DlcheckError
from dlcheck.runs.content import text_of
from dlcheck.runs.readers.reader import Reader, ReadOptions
from dlcheck.runs.readers.text_log import read_text
from dlcheck.runs.readers.wandb_file import matches as is_wandb_file
from dlcheck.runs.readers.wandb_file import read_wandb
from dlcheck.runs.readers.wandb_history import jsonl_table
from dlcheck.runs.run import Run
from dlcheck.runs.tables import table_runs

_HISTORY = ("wandb-history.jsonl", "files/wandb-history.jsonl")
_MARKS = ("files/wandb-summary.json", "files/config.yaml", "wandb-summary.json", "files/wandb-metadata.json")
_OUTPUT = ("files/output.log", "output.log")


def matches(path: Path) -> bool:
    """Return whether a folder is one run: it holds a ``.wandb`` file or W&B's summary or configuration."""
    try:
        return path.is_dir() and (
            bool(_own_file(path)) or any((path / mark).is_file() for mark in (*_MARKS, *_HISTORY))
        )
    except OSError:
        return False


def read_wandb_folder(path: Path, options: ReadOptions) -> list[Run]:
    """Read a run folder: its history where that is on the disk, else what the training printed.

    Raises:
        DlcheckError: neither holds a loss or score.
        OSError: a file cannot be read.
    """
    own, history, output = _own_file(path), _first(path, _HISTORY), _first(path, _OUTPUT)
    refusal = "its history was not kept on this disk; export it as CSV"
    for read, file in ((read_wandb, own), (_read_history, history), (read_text, output)):
        if file is None:
            continue
        try:
            return [
                replace(run, meta={**run.meta, "format": "wandb", "file": file.name}) for run in read(file, options)
            ]
        except DlcheckError as error:
            refusal = str(error).removeprefix(f"{file}: ")
    raise DlcheckError(f"{path}: no history in this W&B run folder: {refusal}")


def _read_history(path: Path, options: ReadOptions) -> list[Run]:
    return table_runs(jsonl_table(text_of(path)), options.names)


def _own_file(path: Path) -> Path | None:
    found = sorted(file for file in path.glob("*.wandb") if file.is_file() and is_wandb_file(file))
    return found[-1] if found else None


def _first(path: Path, names: tuple[str, ...]) -> Path | None:
    return next((path / name for name in names if (path / name).is_file()), None)


READER = Reader("wandb-run", matches, read_wandb_folder, rank=10, folder=True)
