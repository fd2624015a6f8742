"""What a thousand ranks and a hundred thousand runs would cost: a simulation from what one of each costs here.

    python -m tests.benchmarks.cluster

Measured on this machine: what a word of a rank weighs, what the shared store takes to keep and to give one, what a
checksum of a network's weights takes and weighs, and what the diagnosis of a small run takes, weighs and keeps. From
these the first table has, for each number of ranks: seconds between two words, the store's load by them, how long a
word waits there (a queue of one server at which every rank calls once a beat, at a moment of its own; the slowest of a
hundred), how long the look around at the end takes, and what the comparison of replicas leaves in the store and takes
rank 0, with all ranks compared and with the sample that is. The second has the time and the memory of triage. Rates of
the store are those of one host's loopback: a network adds its own delay to each call, but not to the store's load.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks.scale_logs import write_runs

RANKS = (1, 8, 64, 1000)
RUNS = (100, 1000, 10_000, 100_000)
STEPS = 1_000_000
"""Of the training whose comparisons are counted: every power of two from 16 on."""
TRIED = 300
Costs = dict[str, float]


def main() -> int:
    """Measure, simulate and print."""
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    costs = {**store_costs(), **run_costs()}
    print("measured here:")
    for name, value in costs.items():
        print(f"  {name:<42}{value:>12.4g}")
    ranks_table(costs)
    runs_table(costs)
    return 0


def store_costs() -> Costs:
    """Return what words and checksums weigh, and what they take."""
    import torch
    from torch.distributed import TCPStore  # type: ignore[attr-defined]

    from dlcheck.monitor.ranks.world import host_name
    from dlcheck.monitor.replicas import _checksum
    from dlcheck.runs.ranks import Word, decoded, encoded, read_words, write_word

    word = Word(1, 1000, host_name(), os.getpid(), 100, time.time(), 1000, own_s=(0.1,) * 32, period_s=(0.2,) * 32)
    told = encoded(word)
    torch.set_num_threads(1)
    model: torch.nn.Module = import_module("torchvision.models").resnet18()
    tensors = [one for one in (*model.parameters(), *model.buffers()) if one.is_floating_point()]
    sums = json.dumps([float(_checksum(one)) for one in tensors])
    server: Any = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    store: Any = TCPStore("127.0.0.1", server.port, is_master=False, timeout=timedelta(seconds=5))
    store.set("sums", sums)
    with tempfile.TemporaryDirectory() as name:
        for rank in range(50):
            write_word(Path(name) / "ranks" / str(rank), word)
        read = seconds(lambda: read_words(Path(name)), 3) / 50
    return {
        "bytes of a word": len(told),
        "s to encode a word": seconds(lambda: encoded(word)),
        "s to set a word in the store": seconds(lambda: store.set("word", told)),
        "s to look for a word and to get it": seconds(lambda: (store.check(["word"]), decoded(store.get("word")))),
        "s to read a word from the run folder": read,
        "s of a checksum of ResNet-18": seconds(lambda: [_checksum(one) for one in tensors], 3),
        "bytes of a checksum of ResNet-18": len(sums),
        "s to look for a checksum, get and parse it": seconds(
            lambda: (store.check(["sums"]), json.loads(store.get("sums")))
        ),
    }


def run_costs() -> Costs:
    """Return what the diagnosis of a run takes, what it leaves in memory and how long its JSON is."""
    from dlcheck.diagnosis import Query
    from dlcheck.report.render import render

    with tempfile.TemporaryDirectory() as name:
        small = write_runs(Path(name) / "small", 110, 0)  # beyond the runs that keep their curves
        many = write_runs(Path(name) / "many", 110 + TRIED, 0)
        render(Query((str(small),)).triage(), "json")
        first, first_kib = process_seconds(lambda: render(Query((str(small),)).triage(), "json"))
        second, second_kib = process_seconds(lambda: render(Query((str(many),)).triage(), "json"))
        size = len(render(Query((str(many),)).triage(), "json")) / (110 + TRIED)
    return {
        "s of the diagnosis of a run": (second - first) / TRIED,
        "KiB that a judged run keeps": max(second_kib - first_kib, 0) / TRIED,
        "bytes of a run in the JSON report": size,
    }


def process_seconds(work: Callable[[], object]) -> tuple[float, float]:
    """Return the processor time of one call, and the peak of memory after it in KiB."""
    begun = time.process_time()
    work()
    return time.process_time() - begun, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def seconds(work: Callable[[], object], times: int = TRIED) -> float:
    """Return the median time of a call."""
    found = []
    for _ in range(times):
        begun = time.perf_counter()
        work()
        found.append(time.perf_counter() - begun)
    return float(np.median(found))


def ranks_table(costs: Costs) -> None:
    """Print what ranks cost."""
    from dlcheck.monitor import replicas
    from dlcheck.runs.ranks import beat_s

    checks = STEPS.bit_length() - replicas.FIRST.bit_length() + 1
    least, weight = costs["s to look for a checksum, get and parse it"], costs["bytes of a checksum of ResNet-18"]
    print(f"\n{checks} comparisons of replicas in {STEPS:,} steps")
    print(
        f"{'ranks':>6}{'beat s':>8}{'words/s':>9}{'KiB/s':>8}{'load':>8}{'p99 ms':>8}{'look s':>8}"
        f"{'all: MiB':>10}{'s':>7}{'sample: MiB':>13}{'s':>7}"
    )
    for size in RANKS:
        beat = beat_s(size)
        rate = size / beat if size > 1 else 0.0
        service = costs["s to set a word in the store"]
        wait = waiting(size, beat, service) if size > 1 else 0.0
        look = size * (costs["s to look for a word and to get it"] + costs["s to read a word from the run folder"])
        whole, some = (size - 1) * checks, min(size - 1, replicas.MOST_COMPARED) * checks
        print(
            f"{size:>6}{beat:>8.1f}{rate:>9.0f}{rate * costs['bytes of a word'] / 1024:>8.1f}{rate * service:>8.2%}"
            f"{1e3 * wait:>8.2f}{look if size > 1 else 0:>8.2f}{whole * weight / 2**20:>10.1f}{whole * least:>7.2f}"
            f"{some * weight / 2**20:>13.1f}{some * least:>7.2f}"
        )


def waiting(size: int, beat: float, service: float, beats: int = 50) -> float:
    """Return how long the slowest word of a hundred takes, served one after the other."""
    random = np.random.default_rng(0)
    phases = random.uniform(0, beat, size)
    arrivals = np.sort((phases + beat * np.arange(beats)[:, None] + random.normal(0, 0.05, (beats, size))).ravel())
    free, waits = 0.0, []
    for moment in arrivals.tolist():
        free = max(free, moment) + service
        waits.append(free - moment)
    return float(np.quantile(waits, 0.99))


def runs_table(costs: Costs) -> None:
    """Print what runs cost."""
    print(f"\n{'runs':>8}{'minutes on a core':>20}{'MiB kept':>10}{'JSON MiB':>10}")
    for runs in RUNS:
        minutes = runs * costs["s of the diagnosis of a run"] / 60
        kept = runs * costs["KiB that a judged run keeps"] / 1024
        size = runs * costs["bytes of a run in the JSON report"] / 2**20
        print(f"{runs:>8}{minutes:>20.2f}{kept:>10.0f}{size:>10.1f}")


if __name__ == "__main__":
    sys.exit(main())
