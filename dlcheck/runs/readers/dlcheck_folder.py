"""The run folder that dlcheck writes itself."""

import tomllib
from pathlib import Path

import numpy as np
import pandas as pd

from dlcheck.errors import DlcheckError, one_line
from dlcheck.runs.columns import Column
from dlcheck.runs.csv_log import numbers, read_table
from dlcheck.runs.csv_long import long_columns
from dlcheck.runs.folder import RunFolder, is_run_folder, read_events, read_object
from dlcheck.runs.intake import MOST_SERIES, bytes_of
from dlcheck.runs.ranks import rank_facts, read_words
from dlcheck.runs.readers.reader import Reader, ReadOptions
from dlcheck.runs.run import Numbers, Part, Run, layer_frame, phase_frame, scalar_frame
from dlcheck.runs.signals import column_signal

_PLACES = ("step", "epoch", "wall_s")


def read_run_folder(path: Path) -> Run:
    """Read a run folder, finished, running or cut short; missing files leave their part empty.

    Raises:
        DlcheckError: not a run folder, or a file is broken beyond its last line.
    """
    folder = RunFolder.open(path)
    epochs = _parts(folder.metrics, of_steps=False)
    steps = _parts(folder.steps, of_steps=True)
    steps += [part for part in _now_and_then(folder.signals) if not _among(part, steps)]
    if len(epochs) + len(steps) > MOST_SERIES:
        raise DlcheckError(f"{path}: more than {MOST_SERIES} curves; a training has fewer")
    coarse = [part for part in epochs if not _among(part, steps)]
    return Run(
        scalars=scalar_frame([*coarse, *steps]),
        layers=layer_frame(_columns(folder.layers, ("step", "value"), ("layer", "statistic"))),
        phases=phase_frame(_columns(folder.phases, ("step", "seconds"), ("phase",))),
        facts={**read_object(folder.facts), **rank_facts(read_words(folder.path))},
        events=read_events(folder.events),
        meta={"recipe": _recipe(folder.recipe), "environment": read_object(folder.environment)},
    )


def _parts(path: Path, *, of_steps: bool) -> list[Part]:
    if not path.exists():
        return []
    columns = long_columns(path) or _text_columns(path)
    places = {one.name: one.values for one in columns if one.name in _PLACES}
    return [_part(one, places, of_steps) for one in columns if one.name not in _PLACES]


def _text_columns(path: Path) -> list[Column]:
    table = read_table(path)
    return [Column(str(name), *numbers(table[name], path)) for name in table]


def _part(column: Column, places: dict[str, Numbers], of_steps: bool) -> Part:
    present = column.present
    split, metric = ("train", "batch_loss") if of_steps and column.name == "loss" else column_signal(column.name)
    steps, epochs, wall_s = (places[key][present] if key in places else None for key in _PLACES)
    return Part(split, metric, column.values[present], steps, epochs, wall_s)


def _now_and_then(path: Path) -> list[Part]:
    """Read the long table of values that are measured now and then."""
    columns = _columns(path, ("step", "value"), ("split", "metric"), maybe=("epoch",))
    if columns is None:
        return []
    frame = pd.DataFrame(columns)
    return [
        Part(str(split), str(metric), *(rows[name].to_numpy(np.float64) for name in ("value", "step", "epoch")))
        for (split, metric), rows in frame.groupby(["split", "metric"], sort=False)
    ]


def _among(part: Part, others: list[Part]) -> bool:
    return any((part.split, part.metric) == (other.split, other.metric) for other in others)


def _columns(
    path: Path, numeric: tuple[str, ...], words: tuple[str, ...], *, maybe: tuple[str, ...] = ()
) -> dict[str, object] | None:
    """Return columns of a table by name, None where it has no rows; numbers of ``maybe`` may be missing: NaN."""
    table = read_table(path) if path.exists() else pd.DataFrame()
    if table.empty:
        return None
    missing = [name for name in (*numeric, *words) if name not in table]
    if missing:
        raise DlcheckError(f"{path}: has no column {missing[0]}")
    columns: dict[str, object] = {name: numbers(table[name], path)[0] for name in numeric}
    present = np.logical_and.reduce([table[name].to_numpy(dtype=object) != "" for name in numeric])
    columns |= {name: numbers(table[name], path)[0] if name in table else np.full(len(table), np.nan) for name in maybe}
    columns |= {name: table[name].to_numpy(dtype=object) for name in words}
    return {name: np.asarray(values)[present] for name, values in columns.items()}


def _recipe(path: Path) -> dict[str, object]:
    try:
        return tomllib.loads(bytes_of(path).decode("utf-8")) if path.exists() else {}
    except (OSError, ValueError, RecursionError) as error:
        raise DlcheckError(f"{path}: cannot read: {one_line(error)}") from None


def _read(path: Path, options: ReadOptions) -> list[Run]:
    # Its names are dlcheck's own: nothing to map.
    return [read_run_folder(path)]


READER = Reader("dlcheck-run", is_run_folder, _read, rank=0, folder=True)
