"""The table of how often suggested edits are right."""

from __future__ import annotations

from collections.abc import Sequence

from tests.benchmarks.treatments.scripts.work import Row

HEAD = "| finding | planted | found | edit | exact | applies | runs | gone |\n|---|--:|--:|--:|--:|--:|--:|--:|"


def markdown(rows: Sequence[Row]) -> str:
    """Return one line for each expected finding, one for those that ``--apply`` makes, and that of healthy scripts."""
    faulty = [one for one in rows if one.code]
    codes = sorted({one.code for one in faulty})
    lines = [HEAD, *(_line(code, [one for one in faulty if one.code == code]) for code in codes)]
    lines.append(_line("all", faulty))
    lines.append(_line("of them exact", [one for one in faulty if one.exact]))
    well = [one for one in rows if not one.code]
    edits = sum(one.edits for one in well)
    return "\n".join([*lines, "", f"Healthy scripts: {len(well)}, edits suggested for them: {edits}."])


def _line(name: str, rows: Sequence[Row]) -> str:
    counts = (
        len(rows),
        sum(bool(one.found) for one in rows),
        sum(one.suggested for one in rows),
        sum(one.exact for one in rows),
        sum(one.applies for one in rows),
        sum(one.runs for one in rows),
        sum(one.gone for one in rows),
    )
    return f"| {name} | {' | '.join(map(str, counts))} |"
