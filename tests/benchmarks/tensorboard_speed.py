"""Time to read a TensorBoard event file, against TensorBoard's own EventAccumulator.

    python tests/benchmarks/tensorboard_speed.py [--scalars 200000] [--rounds 3]

Prints seconds of CPU time of both, the medians of interleaved rounds, and their ratio. dlcheck's time includes
the check of every sum and the making of the run. TensorBoard comes with: pip install 'dlcheck[tensorboard]'.
"""

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from dlcheck.runs.readers import read_run

TAGS = ("train/loss", "val/loss", "lr", "train/accuracy")


def make(folder: Path, scalars: int) -> Path:
    """Write an event file with this many scalars and return its path."""
    writer = EventFileWriter(str(folder))
    chance = random.Random(0)
    for place in range(scalars):
        value = Summary.Value(tag=TAGS[place % len(TAGS)], simple_value=chance.random())
        step = place // len(TAGS)
        writer.add_event(Event(wall_time=1.7e9 + place / 10, step=step, summary=Summary(value=[value])))
    writer.close()
    return next(folder.iterdir())


def seconds(work: Callable[[], int], expected: int) -> float:
    """Return the CPU time of one call, which has to return the expected number of points."""
    begin = time.process_time()
    points = work()
    spent = time.process_time() - begin
    if points != expected:
        raise SystemExit(f"read {points} points of {expected}")
    return spent


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scalars", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = make(Path(folder), options.scalars)

        def ours() -> int:
            return len(read_run(path).scalars)

        def theirs() -> int:
            accumulator = EventAccumulator(str(path), size_guidance={"scalars": 0})
            accumulator.Reload()
            return sum(len(accumulator.Scalars(tag)) for tag in TAGS)

        pairs = [(seconds(ours, options.scalars), seconds(theirs, options.scalars)) for _ in range(options.rounds)]
    own, other = (statistics.median(times) for times in zip(*pairs, strict=True))
    print(f"{options.scalars} scalars: dlcheck {own:.3f} s, EventAccumulator {other:.3f} s, ratio {other / own:.1f}")


if __name__ == "__main__":
    main()
