"""A value, NaN, an infinity and a missing value stay what they are in every format that can hold them."""

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path

from dlcheck.errors import DlcheckError
from dlcheck.runs import RunFolder
from dlcheck.runs.readers.reader import read_runs
from dlcheck.runs.run import Run
from tests.fuzz.seeds import event_file
from tests.fuzz.target import Target
from tests.runs.test_reader_tensorboard import event, simple
from tests.runs.test_reader_tracking import history, wandb_bytes

Cell = float | None
Rows = list[tuple[Cell, Cell]]
"""Training and validation loss of each epoch; None is missing."""
_LARGEST = 1.7976931348623157e308
_MOST_ROWS = 60


def states_targets() -> list[Target]:
    """Return the target: the first byte says the format, each other one a cell."""
    return [Target("states", _check, _seeds)]


def _seeds() -> list[bytes]:
    tables = (bytes(range(0, 40)), bytes([16, 32] * 10), bytes([9, 0, 10, 1, 11, 2, 12, 3, 0, 0, 13, 4]))
    return [bytes([place]) + table for place in range(len(WRITERS)) for table in tables]


def _cell(byte: int) -> Cell:
    return (None, math.nan, math.inf, -math.inf)[byte] if byte < 4 else byte / 16


def _check(content: bytes, folder: Path) -> None:
    write = WRITERS[content[0] % len(WRITERS) if content else 0]
    cells = [_cell(byte) for byte in content[1 : 1 + 2 * _MOST_ROWS]]
    rows = list(zip(cells[::2], cells[1::2], strict=False))
    try:
        (run,) = read_runs(write(rows, folder))
    except ValueError as error:
        raise DlcheckError(f"more than one run: {error}") from None
    for place, split in enumerate(("train", "val")):
        wanted = {epoch: repr(value) for epoch, row in enumerate(rows) if (value := row[place]) is not None}
        found = _points(run, split)
        assert found == wanted, f"{split}: {found} instead of {wanted}"


def _points(run: Run, split: str) -> dict[int, str]:
    name = next((name for name in ("loss", "batch_loss") if name in run.metrics(split)), "loss")
    curve = run.curve(name, split)
    places = (
        curve.steps if math.isfinite(curve.steps[:1].sum()) and len(curve) and curve.steps[0] >= 0 else curve.epochs
    )
    return {int(place): repr(float(value)) for place, value in zip(places, curve.values, strict=True)}


def _text(value: Cell) -> str:
    return "" if value is None else repr(value)


def _csv(rows: Rows, folder: Path) -> Path:
    path = folder / "log.csv"
    path.write_text("epoch,loss,val_loss\n" + "".join(f"{n},{_text(a)},{_text(b)}\n" for n, (a, b) in enumerate(rows)))
    return path


def _record(row: tuple[Cell, Cell]) -> dict[str, float]:
    return {name: value for name, value in zip(("loss", "val_loss"), row, strict=True) if value is not None}


def _jsonl(rows: Rows, folder: Path) -> Path:
    path = folder / "log.jsonl"
    path.write_text("".join(json.dumps({"epoch": n, **_record(row)}) + "\n" for n, row in enumerate(rows)))
    return path


def _history(rows: Rows, folder: Path) -> Path:
    path = folder / "history.json"
    path.write_text(json.dumps({"loss": _to_last([a for a, _ in rows]), "val_loss": _to_last([b for _, b in rows])}))
    return path


def _to_last(cells: list[Cell]) -> list[Cell]:
    """Return the cells up to the last value: a loss that stays null to the end is NaN, as loggers of JSON spell it."""
    return cells[: max((place + 1 for place, cell in enumerate(cells) if cell is not None), default=0)]


def _trainer(rows: Rows, folder: Path) -> Path:
    path = folder / "trainer_state.json"
    told: list[Mapping[str, float]] = []
    for n, (train, val) in enumerate(rows):
        told += [{"loss": train, "step": n, "epoch": n}] if train is not None else []
        told += [{"eval_loss": val, "step": n, "epoch": n}] if val is not None else []
    path.write_text(json.dumps({"log_history": told}))
    return path


def _wandb(rows: Rows, folder: Path) -> Path:
    path = folder / "run.wandb"
    told = ({"_step": n, **_record(row)} for n, row in enumerate(rows))
    spelled = [{name: json.dumps(value) for name, value in record.items()} for record in told]
    path.write_bytes(wandb_bytes([history(record) for record in spelled]))
    return path


def _tensorboard(rows: Rows, folder: Path) -> Path:
    path = folder / "events.out.tfevents.1.a"
    told = [(n, name, value) for n, row in enumerate(rows) for name, value in _record(row).items()]
    path.write_bytes(event_file([event(n, simple(name, value), 1.7e9 + n) for n, name, value in told]))
    return path


def _mlflow(rows: Rows, folder: Path) -> Path:
    (folder / "metrics").mkdir()
    (folder / "meta.yaml").write_text("run_name: a\n")
    for place, name in enumerate(("loss", "val_loss")):
        told = [(n, value) for n, row in enumerate(rows) if (value := row[place]) is not None]
        kept = ((n, math.copysign(_LARGEST, value) if math.isinf(value) else value) for n, value in told)
        (folder / "metrics" / name).write_text("".join(f"{1000 + n} {value!r} {n}\n" for n, value in kept))
    return folder


def _own(rows: Rows, folder: Path) -> Path:
    run = RunFolder.create(folder / "run")
    log = run.log(run.metrics, ("epoch", "step", "train_loss", "val_loss"))
    log.extend((n, n, *row) for n, row in enumerate(rows))
    log.close()
    return run.path


WRITERS: tuple[Callable[[Rows, Path], Path], ...] = (
    *(_csv, _jsonl, _history, _trainer, _wandb, _tensorboard, _mlflow, _own),
)
