"""One case: the script is watched, its edit applied as ``patch`` would, and the result watched again."""

from __future__ import annotations

import ast
import multiprocessing
import os
import random
import re
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from dlcheck.diagnosis.settings import Settings
from dlcheck.report.report import Report
from dlcheck.treatment.judge import causes, judged
from dlcheck.treatment.script.suggest import Suggestion, suggestions
from tests.benchmarks.treatments.scripts.corpus import Case

LONGEST = 240.0
"""Seconds after which a script is given up."""
HUNK = re.compile(r"@@ -(\d+)(?:,(\d+))? \+")


@dataclass(frozen=True, slots=True)
class Row:
    """What became of a case."""

    key: str
    code: str
    """Expected; empty for a healthy script."""
    found: str = ""
    """The finding that names the fault; empty: none does."""
    edits: int = 0
    """Diffs that were printed, for this or any other finding."""
    suggested: bool = False
    exact: bool = False
    applies: bool = False
    """The diff fits the file, and the result compiles."""
    runs: bool = False
    gone: bool = False
    """The finding is not there any more."""

    @property
    def object(self) -> dict[str, object]:
        """The row for a line of JSON."""
        return asdict(self)


def worked(case: Case, folder: Path) -> Row:
    """Run a case in a folder, or go on with what is there."""
    script = folder / f"{case.name}.py"
    folder.mkdir(parents=True, exist_ok=True)
    if script.exists() and script.read_text(encoding="utf-8") != case.text:
        _forget(folder, "before")
    script.write_text(case.text, encoding="utf-8")
    watched(script, folder, "before")
    report = _report(folder / "before", case.name)
    made = suggestions(report, script, lambda file: file.name == script.name)
    edits = sum(bool(one.prescription.diff) for one in made)
    code = case.codes[0] if case.codes else ""
    chosen = _chosen(case, made)
    if chosen is None:
        return Row(case.key, code, edits=edits)
    told = chosen.prescription
    row = Row(case.key, code, told.finding.code, edits, bool(told.diff), told.exact)
    if not told.diff:
        return row
    after = patched(case.text, told.diff)
    if after is None or not _compiles(after):
        return row
    mended = folder / "mended" / script.name
    mended.parent.mkdir(exist_ok=True)
    if not mended.exists() or mended.read_text(encoding="utf-8") != after:
        _forget(folder, "after")
    mended.write_text(after, encoding="utf-8")
    status = watched(mended, folder, "after")
    left = {one.code for one in causes(_report(folder / "after", case.name))}
    return replace(row, applies=True, runs=status == 0, gone=told.finding.code not in left)


def _chosen(case: Case, made: list[Suggestion]) -> Suggestion | None:
    """Return the suggestion for the finding that names the fault."""
    for code in case.codes:
        for one in made:
            if one.prescription.finding.code == code:
                return one
    return None


def _forget(folder: Path, name: str) -> None:
    """Let go of a run of another text."""
    (folder / f"{name}.status").unlink(missing_ok=True)
    shutil.rmtree(folder / name, ignore_errors=True)


def _report(run: Path, name: str) -> Report:
    return judged(run, None, name, Settings())


def watched(script: Path, folder: Path, name: str) -> int:
    """Watch a script in a copy of this process, which has PyTorch already; return its exit status."""
    told = folder / f"{name}.status"
    if not told.exists():
        process = multiprocessing.get_context("fork").Process(target=_watch, args=(script, folder, name))
        process.start()
        process.join(LONGEST)
        if process.is_alive():
            process.kill()
            process.join()
    return int(told.read_text()) if told.exists() else -1


def _watch(script: Path, folder: Path, name: str) -> None:
    import numpy as np
    import torch

    from dlcheck.watching.session import Session, watch_program
    from dlcheck.watching.target import find_script

    os.chdir(folder)
    out = os.open(f"{name}.txt", os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
    os.dup2(out, 1)
    os.dup2(out, 2)
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)
    torch.set_num_threads(1)
    session = Session.create(script.stem, Settings(), folder / name)
    ending = watch_program(session, find_script(str(script), ()))
    session.report()
    (folder / f"{name}.status").write_text(str(ending.status))


def patched(text: str, diff: str) -> str | None:
    """Apply a unified diff, None where a line of it is not in the text where it says."""
    lines, result, place = text.split("\n"), list[str](), 0
    for start, old, new in _hunks(diff):
        if start < place or lines[start : start + len(old)] != old:
            return None
        result += [*lines[place:start], *new]
        place = start + len(old)
    return "\n".join([*result, *lines[place:]])


def _hunks(diff: str) -> Iterator[tuple[int, list[str], list[str]]]:
    """Yield where each hunk begins, its lines before and those after."""
    hunk: tuple[int, list[str], list[str]] | None = None
    for line in diff.splitlines():
        head = HUNK.match(line)
        if head is not None:
            if hunk is not None:
                yield hunk
            hunk = (int(head[1]) - (head[2] != "0"), [], [])
        elif hunk is not None:
            if line[:1] in "- ":
                hunk[1].append(line[1:])
            if line[:1] in "+ ":
                hunk[2].append(line[1:])
    if hunk is not None:
        yield hunk


def _compiles(text: str) -> bool:
    try:
        ast.parse(text)
    except SyntaxError:
        return False
    return True
