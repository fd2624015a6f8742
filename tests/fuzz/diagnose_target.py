"""``dlcheck diagnose`` as a whole: from any files to every kind of report."""

import re
from pathlib import Path
from zlib import crc32

from dlcheck.diagnosis.examine import examine
from dlcheck.diagnosis.settings import Settings
from dlcheck.errors import DlcheckError
from dlcheck.report.render import RENDERERS, render
from dlcheck.report.report import Report
from dlcheck.report.triage import Triage
from dlcheck.runs.discover import Found, Refused, discover
from dlcheck.runs.readers.reader import ReadOptions, read_runs
from tests.fuzz import pack, seeds
from tests.fuzz.read_targets import check_json, options
from tests.fuzz.target import Target
from tests.hostile.live import assert_github, assert_markdown, assert_page, assert_plain

MAP = "--map"
"""The name of what is no file, but lines SIGNAL=COLUMN."""
SUFFIXES = (".csv", ".tsv", ".json", ".jsonl", ".log", ".txt", ".out", ".err", ".md", ".wandb", ".tfevents.1", "")


def diagnose_targets() -> list[Target]:
    """Return diagnosing to JSON, and all the other reports, of which each input gets one."""
    return [Target("diagnose", _diagnose, _seeds), Target("report", _report, _seeds)]


def _seeds() -> list[bytes]:
    files = seeds.files()
    named = [pack.packed([(f"log{SUFFIXES[place % len(SUFFIXES)]}", one)]) for place, one in enumerate(files)]
    mapped = pack.packed(
        [(MAP, b"val_loss=b\ntrain_loss=a"), ("log.csv", b"epoch,a,b\n0,1.0,1.5\n1,0.8,nan\n2,0.7,\n")]
    )
    many = pack.packed([("a/log.csv", files[0]), ("b/trainer_state.json", files[7]), ("b/c.txt", b"nothing")])
    return [*named, mapped, many, *seeds.folders(), *seeds.singles()]


def _diagnose(content: bytes, folder: Path) -> None:
    check_report(_triage(content, folder), "json")


def _report(content: bytes, folder: Path) -> None:
    # One kind for each input, since all of them take twenty times as long as reading and judging it.
    kinds = sorted(RENDERERS.keys() - {"json"})
    check_report(_triage(content, folder), kinds[crc32(content) % len(kinds)])


def _triage(content: bytes, folder: Path) -> Triage:
    files = pack.unpacked(content)
    chosen = options(b"\n".join(told for name, told in files if name == MAP))
    pack.write([(name, told) for name, told in files if name != MAP], folder)
    triage = Triage()
    for item in discover([folder]):
        for one in _examined(item, chosen):
            triage.add(one)
    for report in triage.reports:
        assert not report.outcome.crashed, report.outcome.crashed
    return triage


def _examined(item: Found | Refused, chosen: ReadOptions) -> list[Report | Refused]:
    if isinstance(item, Refused):
        return [item]
    try:
        runs = read_runs(item.path, reader=item.reader_name, options=chosen)
        return [examine(run, str(item.path), Settings(), Settings()) for run in runs]
    except DlcheckError as error:
        if isinstance(error.__context__, MemoryError):
            raise
        return [Refused(item.path, str(error))]


def check_report(triage: Triage, kind: str) -> None:
    """Hold a report to what its readers build on.

    Raises:
        AssertionError: it is not valid, or something of the log came through live.
    """
    made = render(triage, kind, verbose=True)
    if kind in ("json", "sarif"):
        check_json(made)
        assert made.replace("\n", "").isprintable()
        places = re.findall(r'"uri": "([^"]*)"', made.partition('"results"')[2])
        assert all(re.fullmatch(r"(file:///)?[\w./~%-]*", place) for place in places), places
    elif kind == "text":
        assert_plain(made)
    elif kind == "markdown":
        assert_markdown(made)
    elif kind == "html" and triage.reports:
        assert_page(made)
    elif kind == "github" and made.strip():
        assert_github(made)
