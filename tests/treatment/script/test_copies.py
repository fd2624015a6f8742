"""Copies that are mended: what lies beside them, and that no original is written to."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from dlcheck.findings import Finding, Severity
from dlcheck.report.treated_script import Prescription
from dlcheck.treatment.script.copies import Program, mended
from dlcheck.treatment.script.source import Edit, Source
from dlcheck.treatment.script.suggest import Suggestion
from dlcheck.watching.target import find_program


def suggestion(path: Path, *edits: Edit) -> Suggestion:
    finding = Finding("X", "x", Severity.ERROR, 1.0, "said", {})
    return Suggestion(Prescription(finding, "do", "diff", True), Source.read(path), edits)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a package with code, data, a folder that is a link, and a run in it."""
    monkeypatch.chdir(tmp_path)
    root = tmp_path / "job_of_copies"
    for name in ("", "parts", "dlcheck-runs/old", ".git", "__pycache__"):
        (root / name).mkdir(parents=True)
    for name in ("__init__.py", "parts/__init__.py", "parts/fit.py", "dlcheck-runs/old/x.py", ".git/x.py"):
        (root / name).write_text("x = 1\n")
    (root / "data.csv").write_text("1\n")
    (tmp_path / "big").mkdir()
    (root / "linked").symlink_to(tmp_path / "big")
    return root


def test_a_package_is_copied_and_its_data_linked(package: Path, tmp_path: Path) -> None:
    program = Program.of(find_program("job_of_copies.parts.fit", (), module=True), "job_of_copies.parts.fit")
    for name in [name for name in sys.modules if name.startswith("job_of_copies")]:
        del sys.modules[name]
    assert (program.home, program.package) == (tmp_path, package)
    assert program.owns(package / "parts" / "fit.py")
    assert not program.owns(tmp_path / "other.py")
    folder = package / "out" / "mended"  # within the package, as where it is run from there
    copies, taken = mended([suggestion(package / "parts" / "fit.py", Edit(4, 5, "2"))], program, folder)
    assert copies == [folder / "job_of_copies" / "parts" / "fit.py"]
    assert len(taken) == 1
    assert copies[0].read_text() == "x = 2\n"
    assert (package / "parts" / "fit.py").read_text() == "x = 1\n"
    there = folder / "job_of_copies"
    assert sorted(one.name for one in there.iterdir()) == ["__init__.py", "data.csv", "linked", "parts"]
    assert (there / "data.csv").is_symlink()
    assert not (there / "__init__.py").is_symlink()


@pytest.mark.parametrize("found_by_place", [True, False])
def test_a_script_finds_what_lies_beside_it(tmp_path: Path, found_by_place: bool) -> None:
    script = tmp_path / "train.py"
    script.write_text(f"x = {'__file__' if found_by_place else 1}\n")
    (tmp_path / "data.csv").write_text("1\n")
    program = Program.of(find_program(str(script), (), module=False), None)
    folder = tmp_path / "out" / "mended"
    copies, _ = mended([suggestion(script, Edit(0, 1, "y"))], program, folder)
    assert copies == [folder / "train.py"]
    names = ["data.csv", "train.py"] if found_by_place else ["train.py"]
    assert sorted(one.name for one in folder.iterdir()) == names


def test_edits_that_overlap_are_not_made_together(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text("value = 1\n")
    program = Program.of(find_program(str(script), (), module=False), None)
    one, other = (suggestion(script, Edit(0, end, "z")) for end in (5, 3))
    copies, taken = mended([one, other], program, tmp_path / "mended")
    assert taken == [one]
    assert copies[0].read_text() == "z = 1\n"
    assert mended([], program, tmp_path / "nothing") == ([], [])
    assert not (tmp_path / "nothing").exists()
