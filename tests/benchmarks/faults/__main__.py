"""How often dlcheck is right: ``python -m tests.benchmarks.faults``.

    python -m tests.benchmarks.faults                  # both halves: made where they are missing, then the tables
    python -m tests.benchmarks.faults --half tuning    # the half on which thresholds may be chosen
    python -m tests.benchmarks.faults --short          # some minutes; fails where it is worse than the frozen figures
    python -m tests.benchmarks.faults --peers all      # other tools on the same programs as well

What is made is kept in ``--out`` as it comes, and not made again; an interrupted run goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks.faults import jobs as plan
from tests.benchmarks.faults.cases import PLAIN, FaultFacts
from tests.benchmarks.faults.frozen import FROZEN, freeze, regressions
from tests.benchmarks.faults.peers import PEERS
from tests.benchmarks.faults.plants import FAULTS
from tests.benchmarks.faults.record import Trained
from tests.benchmarks.faults.run import Store, run
from tests.benchmarks.faults.score import Scores, score
from tests.benchmarks.faults.table import as_dict, markdown, table

KNOWN = Path(__file__).with_name("known.json")
"""Scores of all trainings of the full version: what the short one needs to know which faults hurt."""


MOST = 1e9
"""Stands for infinity, which JSON lacks."""
KEPT = ("program", "variant", "kind", "half", "seed", "score", "best", "gap", "error")
"""What is written down of each."""


def _short(value: object) -> object:
    return min(round(value, 4), MOST) if isinstance(value, float) else value


def catalogue() -> list[FaultFacts]:
    """Return what the score needs of each fault."""
    return [FaultFacts(one.name, one.codes, one.exact, one.seen, one.alternatives) for one in FAULTS.values()]


def known() -> list[Trained]:
    """Return the trainings of the full version, without what was told of them."""
    rows = json.loads(KNOWN.read_text(encoding="utf-8")) if KNOWN.exists() else []
    return [Trained(**dict(zip(KEPT, row, strict=True))) for row in rows]


def keep(rows: Sequence[Trained]) -> None:
    """Write them down for ``known``."""
    ordered = sorted(rows, key=lambda one: (one.program, one.variant, one.seed))
    lines = [json.dumps([_short(getattr(one, name)) for name in KEPT]) for one in ordered]
    KNOWN.write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """Make what is missing, print the tables, and return 1 where the short version found something worse."""
    given = _arguments(arguments)
    found = plan.jobs(given.half)
    if given.only:
        found = [job for job in found if any(word in job.key for word in given.only.split(","))]
    if given.short:
        found = plan.short(found)
    store, begun = Store(given.out / ("short.jsonl" if given.short else "full.jsonl")), time.monotonic()
    peers = tuple(PEERS) if given.peers == "all" else tuple(filter(None, given.peers.split(",")))
    for count, row in enumerate(run([] if given.report else found, store, given.workers, peers), start=1):
        if count % 25 == 0 or row.error:
            what = f"{row.program} {row.variant} {row.seed}: {row.error or round(row.score, 3)}"
            print(f"{time.monotonic() - begun:6.0f} s {count:5d}  {what}", file=sys.stderr)
    wanted = {job.key for job in found}
    rows = [row for key, row in store.rows().items() if key in wanted]
    if given.short:
        rows += _others(rows)
    return _report(rows, given)


def _others(rows: Sequence[Trained]) -> list[Trained]:
    """Return the other seeds of these plants and programs, as the full version knew them."""
    here, plants = {row.key for row in rows}, {(row.program, row.variant) for row in rows if row.kind == "fault"}
    wanted = plants | {(row.program, PLAIN) for row in rows}
    return [row for row in known() if row.key not in here and (row.program, row.variant) in wanted]


def _report(rows: list[Trained], given: argparse.Namespace) -> int:
    scores: dict[str, Scores] = {
        half: score([row for row in rows if row.half == half], catalogue())
        for half in ("tuning", "held")
        if any(row.half == half for row in rows)
    }
    for half, one in scores.items():
        print(f"\n== {half} half\n{markdown(one) if given.markdown else table(one)}")
    if given.json is not None:
        given.json.write_text(json.dumps({half: as_dict(one) for half, one in scores.items()}), encoding="utf-8")
    whole = score(rows, catalogue())
    if given.keep:
        keep(rows)
    if given.freeze:
        freeze(whole)
    compared = given.short and not given.freeze
    if compared and not FROZEN.exists():
        print("nothing is frozen yet: --short --freeze keeps the figures of now", file=sys.stderr)
    worse = regressions(whole) if compared and FROZEN.exists() else []
    for line in worse:
        print(f"worse than before: {line}", file=sys.stderr)
    return 1 if worse else 0


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.faults", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--half", choices=["tuning", "held"], help="only this half of the programs")
    parser.add_argument("--short", action="store_true", help="every second program once, each fault in one program")
    parser.add_argument(
        "--only", default="", help="only trainings whose program, style or fault holds one of these words"
    )
    parser.add_argument("--peers", default="", help="other tools to ask, by comma, or all")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("dlcheck-benchmark"), help="folder for what is made")
    parser.add_argument("--report", action="store_true", help="make nothing, and report on what there is")
    parser.add_argument("--markdown", action="store_true", help="print tables for a page")
    parser.add_argument("--json", type=Path, help="write all figures there")
    parser.add_argument("--freeze", action="store_true", help="make the figures of --short those to be kept")
    parser.add_argument(
        "--keep", action="store_true", help="write down the scores of the full version for the short one"
    )
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
