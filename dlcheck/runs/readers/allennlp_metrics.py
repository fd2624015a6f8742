"""The folder that AllenNLP writes: ``metrics_epoch_0.json``, ``metrics_epoch_1.json`` and so on."""

import re
from pathlib import Path

from dlcheck.errors import DlcheckError
from dlcheck.runs.json_text import load_json
from dlcheck.runs.readers.reader import Reader, ReadOptions
from dlcheck.runs.records import records_table
from dlcheck.runs.run import Event, Run
from dlcheck.runs.tables import table_runs

_NAME = re.compile(r"metrics_epoch_(\d{1,9})\.json")
_MOST_FILES = 100_000


def _matches(path: Path) -> bool:
    return bool(_files(path))


def _read(path: Path, options: ReadOptions) -> list[Run]:
    records: list[dict[str, object]] = []
    events: list[Event] = []
    for epoch, file in sorted(_files(path).items()):
        try:
            content = load_json(file)
        except DlcheckError:
            events.append(Event("bad-record", epoch=epoch, detail={"file": file.name, "why": "broken JSON"}))
            continue
        if isinstance(content, dict):
            records.append({"epoch": epoch, **{key: value for key, value in content.items() if key != "epoch"}})
    return table_runs(records_table(records, events=events), options.names)


def _files(path: Path) -> dict[int, Path]:
    """Return the files by epoch; in the order of their numbers, as names put 10 before 2."""
    try:
        inside = list(zip(path.iterdir(), range(_MOST_FILES), strict=False)) if path.is_dir() else []
    except OSError:
        return {}
    named = ((_NAME.fullmatch(file.name), file) for file, _ in inside)
    return {int(match.group(1)): file for match, file in named if match}


READER = Reader("allennlp-metrics", _matches, _read, rank=10, folder=True)
