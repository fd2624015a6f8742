"""The scan for known holes: what it finds fails, what is listed with a reason does not, and no network is no fault."""

from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[2] / ".ci" / "audit"
SOUND = {"name": "numpy", "version": "2.4.6", "vulns": []}
HOLE = {"id": "PYSEC-2026-1", "aliases": ["CVE-2026-1"], "fix_versions": ["1.2"]}
SICK = {"name": "leaky", "version": "1.1", "vulns": [HOLE]}
SKIPPED = {"name": "torch", "skip_reason": "Dependency not\non PyPI"}


@pytest.fixture
def audit(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Return the script as a module that installs nothing."""
    if not SCRIPT.exists():
        pytest.skip("the checks of a checkout are not here")
    loader = SourceFileLoader("audit_of_packages", str(SCRIPT))
    spec = spec_from_loader("audit_of_packages", loader)
    assert spec is not None
    module = module_from_spec(spec)
    loader.exec_module(module)
    monkeypatch.setattr(module, "installed", lambda folder: folder)
    return module


def answer(audit: ModuleType, monkeypatch: pytest.MonkeyPatch, *found: dict[str, Any]) -> int:
    monkeypatch.setattr(audit, "audited", lambda *_: {"dependencies": list(found)} if found else None)
    status: int = audit.main("somewhere")
    return status


def test_a_hole_fails(audit: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert answer(audit, monkeypatch, SOUND, SICK, SKIPPED) == 1
    assert capsys.readouterr().out.splitlines() == [
        "audit: leaky 1.1: PYSEC-2026-1, mended in 1.2",
        "audit: 2 of 3 packages; 1 holes, and 0 known and harmless",
    ]


@pytest.mark.parametrize("name", ["PYSEC-2026-1", "CVE-2026-1"])
def test_a_hole_that_is_listed_with_a_reason_does_not(
    audit: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    monkeypatch.setitem(audit.KNOWN, name, "only its server is concerned, which dlcheck never starts")
    assert answer(audit, monkeypatch, SOUND, SICK) == 0
    assert "1 known and harmless" in capsys.readouterr().out


def test_what_is_listed_says_why(audit: ModuleType) -> None:
    assert all(len(reason) > 20 for reason in audit.KNOWN.values())


def test_nobody_to_ask_is_said_and_passes(
    audit: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert answer(audit, monkeypatch) == 0
    assert "nothing was audited: pip-audit gave no answer" in capsys.readouterr().out
    assert answer(audit, monkeypatch, SKIPPED) == 0
    assert "knows none of the packages: Dependency not on PyPI" in capsys.readouterr().out
    monkeypatch.setattr(audit, "installed", lambda folder: None)
    assert answer(audit, monkeypatch, SICK) == 0
    assert "nothing was audited: no pip-audit" in capsys.readouterr().out
