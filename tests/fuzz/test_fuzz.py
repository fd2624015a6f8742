"""What fuzzing found stays mended, seeds are sound, and fuzzing itself finds what is there to be found."""

from __future__ import annotations

import importlib.util
import random
from pathlib import Path

import pytest

from dlcheck.errors import DlcheckError
from dlcheck.runs.readers.reader import readers
from tests.fuzz import __main__ as command
from tests.fuzz import pack, seeds
from tests.fuzz.attempt import attempt
from tests.fuzz.mutate import mutate
from tests.fuzz.shrink import shrunk
from tests.fuzz.target import Target
from tests.fuzz.targets import targets

CORPUS = Path(__file__).parent / "corpus"
FOUND = sorted(CORPUS.glob("*/*"))
SLOW = ("diagnose", "report")
"""Targets whose seeds take tens of milliseconds each: every twelfth is enough, since each reader has its own."""


@pytest.mark.parametrize("path", FOUND, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_what_was_found_stays_mended(path: Path) -> None:
    fault = attempt(targets()[path.parent.name], path.read_bytes()).fault
    assert fault is None, fault.story


@pytest.mark.parametrize("name", targets())
def test_seeds_are_read_or_refused(name: str) -> None:
    target = targets()[name]
    done = [attempt(target, seed) for seed in list(target.seeds())[:: 12 if name in SLOW else 1]]
    faults = [one.fault for one in done if one.fault is not None]
    assert not faults, faults[0].story
    assert not all(one.refused for one in done)


def test_every_reader_is_fuzzed() -> None:
    assert {reader.name for reader in readers()} <= targets().keys()
    assert {path.parent.name for path in FOUND} <= targets().keys()


def _fails(content: bytes, folder: Path) -> None:
    (folder / "log").write_bytes(content)
    if b"refuse" in content:
        raise DlcheckError("first line\nsecond line")
    if b"fail" in content:
        raise ValueError("a fault")
    if b"hoard" in content:
        bytearray(400 << 20)


def test_a_fault_is_told_from_a_refusal_and_made_small() -> None:
    target = Target("example", _fails, lambda: [b"a"])
    assert attempt(target, b"a").fault is None
    refused = attempt(target, b"refuse")
    assert refused.refused
    assert refused.fault is None
    content = b"\n".join([b"some lines"] * 40 + [b"they fail, here"] + [b"others"] * 40)
    fault = attempt(target, content).fault
    assert fault is not None
    assert fault.kind.startswith("ValueError at ")
    assert shrunk(target, content) == b"fail"


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    peaks = iter((100.0, 500.0))  # of the process, which other tests may have raised beyond what one input takes
    monkeypatch.setattr("tests.fuzz.attempt._peak_mib", lambda: next(peaks))
    fault = attempt(Target("example", _fails, lambda: [b"a"]), b"hoard").fault
    assert fault is not None
    assert fault.kind == "memory"


def test_a_folder_comes_back_from_its_bytes_and_stays_inside(tmp_path: Path) -> None:
    files = [("a.csv", b"1,2\n"), ("sub/b", b""), ("c", b"\n\n")]
    assert pack.unpacked(b"before\n" + pack.packed(files)) == files
    pack.write([*files, ("../out", b"x"), ("/out", b"x"), ("a.csv/under", b"x"), ("", b"x")], tmp_path / "in")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a.csv", "b", "c", "in", "sub"]


def test_changes_reach_beneath_the_check_sums() -> None:
    """A changed event file is still read from its first record to its last."""
    chance = random.Random(0)
    target = targets()["tensorboard"]
    content = seeds.event_file(seeds.event_payloads()[0].split(b"\xff\xfe|"))
    changed = [mutate(content, 8192, chance, lambda one, most: one) for _ in range(60)]
    done = [attempt(target, one) for one in changed if one != content]
    assert len(done) > 30
    assert sum(one.refused for one in done) < len(done) / 10


def test_a_name_that_is_none_and_a_missing_fuzzer_are_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        command.main(["recepi"])
    assert "did you mean 'recipe'?" in capsys.readouterr().err
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert command.main(["recipe"]) == 2
    assert capsys.readouterr().err == command.INSTALL + "\n"


@pytest.mark.slow
@pytest.mark.parametrize("name", targets())
def test_ten_minutes_of_fuzzing_find_nothing(name: str, tmp_path: Path) -> None:
    pytest.importorskip("atheris")
    found = command.fuzz([name], 600, tmp_path)
    assert not found.faults, found.faults
    assert found.rows[0].executions > 100
