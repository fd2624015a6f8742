"""How often ``dlcheck treat`` cures: ``python -m tests.benchmarks.treatments``.

    python -m tests.benchmarks.treatments --limit 20          # the tuned half, some cases
    python -m tests.benchmarks.treatments --half held-out     # the figures to quote
    python -m tests.benchmarks.treatments --report            # the table of what there is; nothing is made

What is made is kept in ``--out`` case by case and not made again; Ctrl-C ends with the table of what there is.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks.treatments.cases import FAULTY, HEALTHY, cases
from tests.benchmarks.treatments.pool import made
from tests.benchmarks.treatments.programs import HELD_OUT, TUNED
from tests.benchmarks.treatments.record import Row
from tests.benchmarks.treatments.score import score
from tests.benchmarks.treatments.store import append, lines
from tests.benchmarks.treatments.table import markdown

DOCTORS = ("treat", "random", "autotrainer")
ONLY = {"": "", "faults": FAULTY, "healthy": HEALTHY}


def main(arguments: Sequence[str] | None = None) -> int:
    """Work through the cases that are missing, then print the table of all that are there."""
    given = _arguments(arguments)
    found = [one for one in cases(given.half, given.seed, ONLY[given.only]) if given.match in one.key]
    found = found[: given.limit] if given.limit else found
    path = given.out / f"{given.half}.jsonl"
    known = {row.key: row for row in map(Row.of, lines(path))}
    missing = [] if given.report else [one for one in found if one.key not in known]
    doctors = tuple(one for one in DOCTORS if one not in given.without.split(","))
    begun = time.monotonic()
    try:
        for count, row in enumerate(made(missing, doctors, given.jobs, given.out / "scores.jsonl"), start=1):
            append(path, row.as_dict())
            known[row.key] = row
            print(f"{time.monotonic() - begun:6.0f} s {count}/{len(missing)}  {told(row)}", file=sys.stderr, flush=True)
    except KeyboardInterrupt:
        print("interrupted; the same command goes on", file=sys.stderr)
    rows = [known[one.key] for one in found if one.key in known]
    print(f"Half: {given.half}, {len(rows)} of {len(found)} cases, seed {given.seed}.\n")
    print(markdown(score(rows, DOCTORS)))
    return 0


def told(row: Row) -> str:
    """Return a case in a line."""
    if not row.counts:
        return f"{row.key}: left out, {row.why}"
    parts = [
        f"{name} {one.points:.1f} at {one.cost:.1f} {one.error or one.ending} {json.dumps(one.patch, default=str)}"
        for name, one in row.doctors.items()
    ]
    codes = " ".join(row.doctors["treat"].codes) if "treat" in row.doctors else ""
    return f"{row.key}: {row.before:.1f}, twin {row.twin:.1f} [{codes}]; {'; '.join(parts)} ({row.seconds:.0f} s)"


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.treatments", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--half", choices=[TUNED, HELD_OUT], default=TUNED)
    parser.add_argument("--seed", type=int, default=0, help="draws the order of the cases and their seeds")
    parser.add_argument("--limit", type=int, help="only so many cases: the beginning of the order is balanced")
    parser.add_argument("--jobs", type=int, default=2, help="processes, one thread each")
    parser.add_argument("--only", choices=list(ONLY), default="", help="only faults, or only healthy recipes")
    parser.add_argument("--without", default="", help="doctors that are not asked, by comma: random, autotrainer")
    parser.add_argument("--match", default="", help="only cases whose program, fault or variant holds these words")
    parser.add_argument("--out", type=Path, default=Path("dlcheck-benchmark/treatments"))
    parser.add_argument("--report", action="store_true", help="make nothing, and print the table of what there is")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
