"""Logs of any length, the same for a seed: how ``tests.benchmarks.scale`` and its tests make them.

All tell one training: the loss falls with noise, the validation loss turns at a third of the way and rises, the rate
follows a cosine. Written in blocks, so that the writer needs no memory either.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dlcheck.runs import RunFolder
from dlcheck.runs.readers.tensorboard_crc import masked_crc32c_rows

BLOCK = 100_000
"""Rows made at once."""
EPOCHS = 20
Numbers = NDArray[np.float64]
Bytes = NDArray[np.uint8]
TAGS = ("train/loss", "val/loss", "lr")


def blocks(rows: int, seed: int) -> Iterator[tuple[NDArray[np.int64], Numbers]]:
    """Yield steps from 1, shape (n,), and loss, validation loss and rate, shape (n, 3)."""
    random = np.random.default_rng(seed)
    for start in range(0, rows, BLOCK):
        steps = np.arange(start, min(rows, start + BLOCK)) + 1
        share = steps / rows
        falling = 2 * np.exp(-5 * share) + 0.3
        turning = falling + 1.5 * np.maximum(share - 1 / 3, 0)
        noise = random.normal(0, 0.02, (len(steps), 2))
        rate = 0.05 * (1 + np.cos(np.pi * share))
        yield steps, np.column_stack([falling + noise[:, 0], turning + 0.05 + noise[:, 1], rate])


def write_csv(path: Path, rows: int, seed: int) -> Path:
    """Write a table with a row a step."""
    return _lines(path, "step,loss,val_loss,lr\n", "%d,%.6f,%.6f,%.8f\n", rows, seed)


def write_jsonl(path: Path, rows: int, seed: int) -> Path:
    """Write an object a step, one on each line."""
    return _lines(path, "", '{"step": %d, "loss": %.6f, "val_loss": %.6f, "lr": %.8f}\n', rows, seed)


def write_run_folder(path: Path, rows: int, seed: int) -> Path:
    """Write a run folder of dlcheck whose ``steps.csv`` has a row a step, and ``metrics.csv`` one an epoch."""
    folder = RunFolder.create(path)
    folder.add_facts({"finished": True})
    every = max(rows // EPOCHS, 1)
    epochs = [
        (steps[at], *values[at]) for steps, values in blocks(rows, seed) for at in np.flatnonzero(steps % every == 0)
    ]
    head = "epoch,step,train_loss,val_loss,lr\n"
    body = "".join(f"{number},{row[0]},{row[1]},{row[2]},{row[3]}\n" for number, row in enumerate(epochs, start=1))
    folder.metrics.write_text(head + body)
    with folder.steps.open("w") as file:
        file.write("step,epoch,loss,lr,grad_norm\n")
        for steps, values in blocks(rows, seed):
            cells = np.column_stack([steps, (steps - 1) // every + 1, values[:, 0], values[:, 2], 1 + values[:, 0] / 9])
            file.write("%d,%d,%.6f,%.8f,%.6f\n" * len(steps) % tuple(cells.ravel().tolist()))
    return path


def write_tensorboard(path: Path, rows: int, seed: int) -> Path:
    """Write an event file with so many scalars in all, three a step."""
    path = path.with_name(f"events.out.tfevents.1700000000.{path.name}")
    with path.open("wb") as file:
        for steps, values in blocks(max(rows // len(TAGS), 1), seed):
            bounds = [0, *(1 << 7 * power for power in range(1, 5))]
            for low, high in pairwise(bounds):
                some = (steps >= low) & (steps < high)
                if some.any():
                    file.write(_events(steps[some], values[some]).tobytes())
    return path


def write_runs(path: Path, runs: int, seed: int) -> Path:
    """Write a folder of runs of 60 rows each, every other one of which breaks off at a third, before it turns."""
    path.mkdir()
    for number in range(runs):
        place = write_csv(path / f"{number:06}.csv", 60, seed + number)
        if number % 2:
            place.write_text("".join(place.read_text().splitlines(keepends=True)[:21]))
    return path


WRITERS: dict[str, Callable[[Path, int, int], Path]] = {
    "csv": write_csv,
    "jsonl": write_jsonl,
    "tensorboard": write_tensorboard,
    "run-folder": write_run_folder,
}


def _lines(path: Path, head: str, form: str, rows: int, seed: int) -> Path:
    with path.open("w") as file:
        file.write(head)
        for steps, values in blocks(rows, seed):
            cells = np.column_stack([steps, values]).ravel().tolist()
            file.write(form * len(steps) % tuple(cells))
    return path


def _events(steps: NDArray[np.int64], values: Numbers) -> Bytes:
    """Return the records of steps whose numbers take the same bytes; the records of a step stand side by side."""
    rows = [_record(steps, values[:, place], tag) for place, tag in enumerate(TAGS)]
    return np.hstack(rows)


def _record(steps: NDArray[np.int64], values: Numbers, tag: str) -> Bytes:
    count, width = len(steps), max(1, -(-int(steps[-1]).bit_length() // 7))
    digits = np.stack([(steps >> 7 * place) & 0x7F for place in range(width)], axis=1).astype(np.uint8)
    digits[:, :-1] |= 0x80
    value = bytes([0x0A, len(tag)]) + tag.encode() + b"\x15"
    summary = bytes([0x0A, len(value) + 4]) + value
    payload = np.hstack(
        [
            _constant(b"\x09", count),
            (1.7e9 + steps / 10).astype("<f8").view(np.uint8).reshape(count, 8),
            _constant(b"\x10", count),
            digits,
            _constant(bytes([0x2A, len(summary) + 4]) + summary, count),
            np.ascontiguousarray(values.astype("<f4")).view(np.uint8).reshape(count, 4),
        ]
    )
    length = _constant(payload.shape[1].to_bytes(8, "little"), count)
    return np.hstack([length, _sums(length), payload, _sums(payload)])


def _constant(content: bytes, count: int) -> Bytes:
    return np.tile(np.frombuffer(content, np.uint8), (count, 1))


def _sums(rows: Bytes) -> Bytes:
    return masked_crc32c_rows(rows).astype("<u4").view(np.uint8).reshape(len(rows), 4)
