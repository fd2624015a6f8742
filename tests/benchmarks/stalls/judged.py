"""The sections in which tools judge cases: planted stalls, healthy pipelines, and both on a busy machine."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tests.benchmarks.stalls import draw, score
from tests.benchmarks.stalls.case import Case
from tests.benchmarks.stalls.doctor import TOOL, diagnose_case
from tests.benchmarks.stalls.machine import Failed, contention, pressure, share_of_stall
from tests.benchmarks.stalls.peers import PEERS
from tests.benchmarks.stalls.table import Cell, table
from tests.benchmarks.stalls.verdict import FAILED, Row, Store, Verdict

TRUTH = "measured"
"""Tool of the rows that hold a stall's measured share."""
Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be run."""

    store: Store
    folder: Path
    """For scripts and what they leave; emptied case by case."""
    seed: int
    words: tuple[str, ...] = ()
    """Only cases whose name holds one of them."""
    peers: Path | None = None
    """The environment of the other profilers; None: they are not asked."""
    tools: tuple[str, ...] = ()
    """Only these; empty: all."""
    gpu: bool = False
    limit_s: float = float("inf")
    """After so long no further case is begun."""
    tell: Tell = print

    def names(self) -> list[str]:
        """Return the tools that are to be asked."""
        known = [TOOL, *(PEERS if self.peers is not None else ())]
        return [name for name in known if not self.tools or name in self.tools]


def cases_of(section: str, seed: int, *, gpu: bool = False) -> list[Case]:
    """Return all cases of a section."""
    made = {"stalls": draw.stalls, "healthy": draw.healthy, "contention": draw.contended}[section](seed)
    return made + (draw.gpu_stalls(seed) if gpu and section == "stalls" else [])


def judge(section: str, asked: Asked) -> None:
    """Ask every tool about every case that the store lacks; each as soon as it is known."""
    began = time.monotonic()
    for case in draw.named(cases_of(section, asked.seed, gpu=asked.gpu), asked.words):
        for tool in [*([TRUTH] if section == "stalls" else []), *asked.names()]:
            if time.monotonic() - began > asked.limit_s:
                return
            if asked.store.missing(section, [case.name], tool):
                row = _row(section, case, tool, asked)
                asked.store.add(row)
                asked.tell(_line(row))


def _row(section: str, case: Case, tool: str, asked: Asked) -> Row:
    folder, before = asked.folder / case.name / tool, pressure()
    shutil.rmtree(folder, ignore_errors=True)
    try:
        with contention() if section == "contention" else contextlib.nullcontext():
            if tool == TRUTH:
                return Row(
                    section, case.name, tool, figures={"share": share_of_stall(case.build, folder)}, pressure=before
                )
            return Row(section, case.name, tool, _verdict(case, tool, folder, asked.peers), pressure=before)
    except Failed as error:
        verdict = None if tool == TRUTH else Verdict(FAILED, words=str(error))
        return Row(section, case.name, tool, verdict, {"error": str(error)}, before)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _verdict(case: Case, tool: str, folder: Path, environment: Path | None) -> Verdict:
    if tool == TOOL or environment is None:
        return diagnose_case(case, folder)
    began = time.monotonic()
    said = PEERS[tool].ask(case.build, folder, environment)
    return replace(said, seconds=round(time.monotonic() - began, 2))


def _line(row: Row) -> str:
    said = row.verdict
    if said is None:
        return f"{row.name} {row.tool}: {row.figures.get('share', row.figures.get('error'))}"
    return (
        f"{row.name} {row.tool}: {said.coarse} {said.cause} {','.join(said.blamed)} ({said.seconds:.0f} s) {said.words}"
    )


def report(section: str, asked: Asked, *, markdown: bool = False) -> str:
    """Return the tables of a section, from what the store has."""
    rows = {f"{row.name} {row.tool}": row for row in asked.store.section(section)}
    cases = draw.named(cases_of(section, asked.seed, gpu=asked.gpu), asked.words)
    tools = [tool for tool in (TOOL, *PEERS) if any(f"{case.name} {tool}" in rows for case in cases)]
    made = {"stalls": _stalls, "healthy": _healthy, "contention": _contention}[section]
    return "\n".join(table(title, head, body, markdown=markdown) for title, head, body in made(cases, rows, tools))


Told = tuple[str, Sequence[str], Sequence[Sequence[Cell]]]
Rows = Mapping[str, Row]


def _stalls(cases: Sequence[Case], rows: Rows, tools: Sequence[str]) -> Iterator[Told]:
    truth = {row.name: row.figures["share"] for row in rows.values() if row.tool == TRUTH and "share" in row.figures}
    count = score.counting(cases, truth)
    scores = [score.stalls(tool, count, rows) for tool in tools]
    head = ("tool", "class", "root cause", "inconclusive", "wrong", "failed", "seconds")
    yield (
        f"Planted stalls: {len(count)} of {len(cases)} take {score.LEAST_SHARE:.0%} of a step or more",
        head,
        [
            (one.tool, one.coarse, one.cause, one.inconclusive, len(one.wrong), one.failed, one.seconds)
            for one in scores
        ],
    )
    for one in scores:
        body = [(kind, f"{a.count}/{a.of}", f"{b.count}/{b.of}") for kind, (a, b) in one.kinds.items()]
        yield f"{one.tool}, by kind", ("planted", "class", "cause"), body
    if wrong := [_missed(case, rows, TOOL) for case in count if _is_missed(case, rows)]:
        yield "dlcheck was not right on", ("case", "share", "said", "confidence", "words"), wrong


def _is_missed(case: Case, rows: Rows) -> bool:
    row = rows.get(f"{case.name} {TOOL}")
    if row is None or row.verdict is None:
        return False
    cause = score.right_cause(case, row.verdict) if case.causes else True
    return not (score.right_class(case, row.verdict) and cause)


def _missed(case: Case, rows: Rows, tool: str) -> Sequence[Cell]:
    said = rows[f"{case.name} {tool}"].verdict
    measured = rows.get(f"{case.name} {TRUTH}")
    share = measured.figures.get("share") if measured is not None else None
    assert said is not None
    return (case.name, share, f"{said.coarse} {said.cause}", said.confidence, said.words[:80])


def _healthy(cases: Sequence[Case], rows: Rows, tools: Sequence[str]) -> Iterator[Told]:
    scores = [score.healthy(tool, cases, rows) for tool in tools]
    head = ("tool", "blamed", "another class than compute", "failed", "which")
    body = [(one.tool, one.blamed, one.other, one.failed, " ".join(one.names)) for one in scores]
    yield f"{len(cases)} healthy pipelines", head, body


def _contention(cases: Sequence[Case], rows: Rows, tools: Sequence[str]) -> Iterator[Told]:
    scores = [score.contention(tool, cases, rows) for tool in tools]
    head = ("tool", "right", "inconclusive", "wrong and sure", "failed", "which are wrong")
    body = [(one.tool, one.right, one.inconclusive, one.wrong, one.failed, " ".join(one.names)) for one in scores]
    yield f"{len(cases)} cases beside two burners", head, body
