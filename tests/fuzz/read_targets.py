"""Every reader of the registry, and what lies beneath the check sums of the binary formats."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np

from dlcheck.runs.readers.reader import Reader, ReadOptions, read_runs, readers
from dlcheck.runs.run import LAYER_COLUMNS, PHASE_COLUMNS, SCALAR_COLUMNS, Run
from dlcheck.runs.strict_json import dumps
from tests.fuzz import pack, seeds
from tests.fuzz.target import Target
from tests.runs.test_reader_tracking import wandb_bytes

SPLITS = {"train", "train_eval", "val", "test"}
BETWEEN = b"\xff\xfe|"
"""Between two records of the targets beneath the check sums."""


def read_targets() -> list[Target]:
    """Return a target for each reader, new ones included."""
    found = [Target(reader.name, partial(_read, reader), _seeds_of(reader)) for reader in readers()]
    return [
        *found,
        Target("tensorboard-records", partial(_records, "tensorboard", seeds.event_file), seeds.event_payloads),
        Target("wandb-records", partial(_records, "wandb-file", wandb_bytes), seeds.wandb_payloads),
    ]


def _seeds_of(reader: Reader) -> Callable[[], list[bytes]]:
    if reader.name == "dlcheck-run":
        return lambda: [*seeds.folders(), *seeds.singles()]
    return seeds.folders if reader.folder else seeds.files


def _read(reader: Reader, content: bytes, folder: Path) -> None:
    path = folder / "log"
    if reader.folder:
        path.mkdir()
        pack.write(pack.unpacked(content), path)
    else:
        path.write_bytes(content)
    assert isinstance(reader.matches(path), bool)
    for run in read_runs(path, reader=reader.name):
        check_run(run)


def _records(reader: str, framed: Callable[[list[bytes]], bytes], content: bytes, folder: Path) -> None:
    """Give records of these bytes, with sums that fit, to a reader."""
    path = folder / "log"
    path.write_bytes(framed(content.split(BETWEEN)))
    for run in read_runs(path, reader=reader):
        check_run(run)


def check_run(run: Run) -> None:
    """Hold a run to what every rule and report builds on.

    Raises:
        AssertionError: it is no such run.
    """
    for frame_, columns in ((run.scalars, SCALAR_COLUMNS), (run.layers, LAYER_COLUMNS), (run.phases, PHASE_COLUMNS)):
        assert set(frame_.columns) == set(columns)
        assert all(
            frame_[name].dtype == np.float64
            for name in columns
            if name in ("step", "epoch", "wall_s", "value", "seconds")
        )
    assert set(run.scalars["split"].unique()) <= SPLITS
    assert isinstance(run.meta["format"], str)
    for split in SPLITS:
        for metric in run.metrics(split):
            curve = run.curve(metric, split)
            assert len(curve) == len(curve.steps) == len(curve.epochs)
    for one in (run.meta, run.facts, [asdict(event) for event in run.events]):
        check_json(dumps(one))


def check_json(text: str) -> object:
    """Return the value of strict JSON: a number that is none has no word there.

    Raises:
        AssertionError: it is none.
    """

    def refuse(word: str) -> object:
        raise AssertionError(f"{word} stands in JSON")

    return json.loads(text, parse_constant=refuse)


def options(lines: bytes) -> ReadOptions:
    """Return the columns that lines SIGNAL=COLUMN name, as ``--map`` does."""
    pairs = (line.partition("=") for line in lines.decode("utf-8", "replace").splitlines())
    names: Mapping[str, str] = {signal: column for signal, _, column in pairs if signal and column}
    return ReadOptions(names)
