"""The user's own code by name: ``module:factory``, and one clear line for what is none."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dlcheck.components.target import call_target, load_target
from dlcheck.errors import DlcheckError

SOURCE = """
class Outer:
    class Inner:
        pass

def make(*args, **kwargs):
    return args, kwargs

def fail():
    raise ValueError("not\\ntoday")

def leave():
    raise SystemExit(4)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Return a folder with a file and a package of a person's own, and forget what was imported of them."""
    (tmp_path / "own_file.py").write_text(SOURCE, encoding="utf-8")
    (tmp_path / "own_package").mkdir()
    (tmp_path / "own_package" / "__init__.py").touch()
    (tmp_path / "own_package" / "part.py").write_text(SOURCE, encoding="utf-8")
    before, path = set(sys.modules), list(sys.path)
    yield tmp_path
    assert sys.path == path
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.mark.parametrize("place", ["own_file.py", "own_file", "own_package.part", "own_package/part.py"])
def test_files_and_modules(folder: Path, place: str) -> None:
    assert call_target(f"{place}:make", folder, 1, two=2) == ((1,), {"two": 2})
    assert load_target(f"{place}:Outer.Inner", folder).__qualname__ == "Outer.Inner"
    assert load_target(f"{place}:make", folder) is load_target(f"{place}:make", folder)


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("own_file.py", "expected"),
        ("own_file.py:", "expected"),
        (":make", "expected"),
        ("missing.py:make", "no file"),
        ("missing_package.part:make", "No module named 'missing_package'"),
        ("own_file.py:mke", "did you mean 'make'?"),
        ("own_file.py:make.more", "no 'more' in own_file.py"),
        ("own_file.py:make:more", "no 'make:more'"),
        ("own_file.py:", "package.module:Name"),
        (".own_file:make", "does not import"),
        ("own_file.py:fail", "raised ValueError: not today"),
        ("own_file.py:leave", "raised SystemExit: 4"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(folder: Path, target: str, words: str) -> None:
    with pytest.raises(DlcheckError) as told:
        call_target(target, folder)
    message = str(told.value)
    assert words in message
    assert target in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("import no_such_module_here", "ModuleNotFoundError"),
        ("def f(:", "SyntaxError"),
        ("1 / 0", "ZeroDivisionError"),
        ("import argparse\nargparse.ArgumentParser(prog='x').parse_args(['--unknown'])", "SystemExit"),
        ("import sys\nsys.path.clear()\n1 / 0", "ZeroDivisionError"),
    ],
)
def test_files_that_do_not_import(folder: Path, source: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    (folder / "broken.py").write_text(source, encoding="utf-8")
    with pytest.raises(DlcheckError, match=f"broken.py:f.*does not import: {words}"):
        load_target("broken.py:f", folder)
    assert "broken" not in sys.modules
    monkeypatch.undo()


@given(st.text(max_size=20) | st.from_regex(r"[.:/\\ \x00a-zA-Z]{0,12}\.?p?y?:[.: \x00a-z]{0,8}", fullmatch=True))
@example("\x00:\x00")
@example("\x00.py:f")
@example("..:a")
@example("json:")
@example(".py:a")
@example("/.py:a.")
@example("x" * 300 + ".py:f")
def test_any_words_name_something_or_are_refused_in_one_line(words: str) -> None:
    place, _, name = words.partition(":")
    refused = ""
    try:
        load_target(words, Path("/nowhere"))
    except DlcheckError as error:
        refused = str(error)
    assert "\n" not in refused.replace(words, "")
    assert refused or (place and name)
