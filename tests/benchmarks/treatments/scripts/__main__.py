"""How often edits of scripts are right: ``python -m tests.benchmarks.treatments.scripts``.

    python -m tests.benchmarks.treatments.scripts --match G306    # some cases
    python -m tests.benchmarks.treatments.scripts --report        # the table of what there is

What has run is kept in ``--out`` and not run again; the edits are made anew each time from what was watched.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks.treatments.scripts.corpus import Case, faulty, healthy
from tests.benchmarks.treatments.scripts.table import markdown
from tests.benchmarks.treatments.scripts.work import Row, worked


def main(arguments: Sequence[str] | None = None) -> int:
    """Work through the cases, and print the table."""
    given = _arguments(arguments)
    cases = [
        one for one in (*faulty(), *healthy()) if given.match in (one.key, *one.codes[:1]) or given.match in one.key
    ]
    rows: list[Row] = []
    begun = time.monotonic()
    for count, case in enumerate(cases, start=1):
        rows += _row(case, given.out, report=given.report)
        told = json.dumps(rows[-1].object) if rows and rows[-1].key == case.key else f"{case.key}: left out"
        print(f"{time.monotonic() - begun:6.0f} s {count}/{len(cases)} {told}", file=sys.stderr, flush=True)
    print(markdown(rows))
    return 0


def _row(case: Case, out: Path, *, report: bool) -> list[Row]:
    folder = out.resolve() / case.key
    if report and not (folder / "before.status").exists():
        return []
    return [worked(case, folder)]


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.treatments.scripts", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("dlcheck-benchmark/scripts"), help="what has run")
    parser.add_argument("--match", default="", help="only cases whose name holds this, or that expect this finding")
    parser.add_argument("--report", action="store_true", help="only cases that have run")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    import torch  # noqa: F401  -- once, for all the processes that are split off

    sys.exit(main())
