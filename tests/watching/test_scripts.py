"""Real-world style scripts: the clean ones come out clean, and each planted fault is the finding that counts."""

import warnings
from pathlib import Path

import pytest

from dlcheck.findings import Severity
from tests.watching.conftest import WatchScript
from tests.watching.faults import FAULTS, SCRIPTS, Fault

CLEAN = sorted(SCRIPTS.glob("*.py"))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("script", CLEAN, ids=lambda path: path.stem)
def test_a_clean_script_comes_out_clean(script: Path, watch_script: WatchScript) -> None:
    watched = watch_script(script.read_text(encoding="utf-8"), script.stem)
    assert watched.ending.status == 0
    found = [one for one in watched.report.outcome.findings if one.severity > Severity.INFO]
    assert not found, [one.summary for one in found]
    assert not watched.report.outcome.crashed
    assert not [event.detail for event in watched.report.run.events if event.kind == "monitor-failed"]


def _marked(fault: Fault) -> object:
    marks = [pytest.mark.slow] if fault.slow else []
    if fault.missed:
        marks.append(pytest.mark.xfail(reason=fault.missed, strict=True))
    return pytest.param(fault, id=fault.id, marks=marks)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("fault", [_marked(fault) for fault in FAULTS])
def test_a_planted_fault_is_the_primary_finding(fault: Fault, watch_script: WatchScript) -> None:
    text = fault.plant()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        watched = watch_script(text, fault.script)
    assert (watched.ending.status != 0) == fault.crashes
    named = {fault.code, *fault.or_codes} & watched.codes
    assert named, [(one.code, one.summary) for one in watched.report.outcome.findings]
    if fault.line_of:
        lines = {one.where.line for one in watched.primary if one.code in named}
        wanted = {number for number, line in enumerate(text.splitlines(), 1) if fault.line_of in line}
        assert lines & wanted, (lines, wanted)
