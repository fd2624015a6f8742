"""How often ``dlcheck profile-gpu`` is right: ``python -m tests.benchmarks.stalls``.

    python -m tests.benchmarks.stalls                        # all sections on the development seed
    python -m tests.benchmarks.stalls --seed 2 --peers PEERS # the held-out seed, with the other profilers
    python -m tests.benchmarks.stalls --only stalls --cases rare,start --limit 120
    python -m tests.benchmarks.stalls --only healthy --report   # tables of what there is

What is made is kept in ``--out`` as it comes, and not made again; an interrupted run goes on where it was. Figures hold
for a machine on which nothing else runs.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import torch

from tests.benchmarks.stalls import judged, memory, photos, predict, sweep
from tests.benchmarks.stalls.draw import DEVELOPMENT, HELD_OUT
from tests.benchmarks.stalls.judged import Asked
from tests.benchmarks.stalls.verdict import Store

Measure = Callable[[Asked], None]
Report = Callable[..., str]
SECTIONS: dict[str, tuple[Measure, Report]] = {
    **{
        name: (partial(judged.judge, name), partial(judged.report, name))
        for name in ("stalls", "healthy", "contention")
    },
    "predict": (predict.measure, predict.report),
    "sweep": (sweep.measure, sweep.report),
    "memory": (memory.measure, memory.report),
    "photos": (photos.measure, photos.report),
}
OVERHEAD = "overhead"


def main(arguments: Sequence[str] | None = None) -> int:
    """Make what is missing, and print the tables."""
    given = _arguments(arguments)
    with tempfile.TemporaryDirectory(prefix="dlcheck-benchmark-") as folder:
        for name in given.only:
            if name == OVERHEAD:
                subprocess.run([sys.executable, "-m", "tests.benchmarks.profile_overhead"], check=False)
                continue
            measure, report = SECTIONS[name]
            asked = _asked(given, Path(folder))
            if not given.report:
                measure(asked)
            print(f"\n{report(asked, markdown=given.markdown)}")
    return 0


def _asked(given: argparse.Namespace, folder: Path) -> Asked:
    return Asked(
        Store(given.out / f"profile-{given.seed}.jsonl"),
        folder,
        given.seed,
        words=given.cases,
        peers=given.peers,
        tools=given.tools,
        gpu=torch.cuda.is_available(),
        limit_s=given.limit,
        tell=partial(print, file=sys.stderr, flush=True),
    )


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.stalls", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    known = [*SECTIONS, OVERHEAD]
    parser.add_argument("--only", type=_words, default=tuple(known), help=f"sections, by comma: {', '.join(known)}")
    parser.add_argument("--seed", type=int, default=DEVELOPMENT, help=f"{HELD_OUT} is held out [default: %(default)s]")
    parser.add_argument("--cases", type=_words, default=(), help="only cases whose name holds one of these words")
    parser.add_argument("--peers", type=Path, help="folder of the environment in which other profilers are installed")
    parser.add_argument("--tools", type=_words, default=(), help="only these tools, by comma")
    parser.add_argument("--limit", type=float, default=float("inf"), help="seconds after which no case is begun")
    parser.add_argument("--out", type=Path, default=Path("dlcheck-benchmark"), help="folder for what is made")
    parser.add_argument("--report", action="store_true", help="make nothing, and report on what there is")
    parser.add_argument("--markdown", action="store_true", help="print tables for a page")
    given = parser.parse_args(arguments)
    if unknown := set(given.only) - set(known):
        parser.error(f"no section {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    given.peers = given.peers.resolve() if given.peers is not None else None
    return given


def _words(text: str) -> tuple[str, ...]:
    return tuple(filter(None, text.split(",")))


if __name__ == "__main__":
    sys.exit(main())
