"""What is run: found before anything is started, with every word after it left alone."""

import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from dlcheck.cli.app import run
from dlcheck.errors import DlcheckError
from dlcheck.watching.execute import execute
from dlcheck.watching.target import Target, find_module, find_script

WORDS = st.lists(
    st.sampled_from(["--", "-", "-m", "--help", "-h", "--version", "--live", "--run-dir", "--format=x", "", "a b", "é"])
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=8),
    max_size=5,
)
IN_PLACE = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


class Found(Exception):
    """Ends a command once its target is known."""


@IN_PLACE
@given(WORDS)
@example(["--", "--live"])
@example(["--debug", "--help"])
@pytest.mark.parametrize("module", [False, True])
def test_words_after_the_script_are_its_own(monkeypatch: pytest.MonkeyPatch, module: bool, words: list[str]) -> None:
    seen = []

    def find(name: str, arguments: list[str]) -> Target:
        seen.append((name, *arguments))
        raise Found

    monkeypatch.setattr(f"dlcheck.watching.target.{'find_module' if module else 'find_script'}", find)
    options = ["--quiet", "--live", "--run-dir", "somewhere", *(["-m"] if module else [])]
    with pytest.raises(Found):
        run(["watch", *options, "train", *words])
    assert seen == [("train", *words)]


@pytest.mark.parametrize("words", [[], ["--live"], ["--no-such-option", "train.py"], ["--run-dir"]])
def test_usage_that_makes_no_sense_is_one_line(words: list[str]) -> None:
    with pytest.raises(DlcheckError) as told:
        run(["watch", *words])
    assert "\n" not in str(told.value)


@IN_PLACE
@given(WORDS)
def test_a_script_s_arguments(tmp_path: Path, words: list[str]) -> None:
    script = tmp_path / "my script.py"
    script.write_text("pass", encoding="utf-8")
    found = find_script(str(script), words)
    assert found.argv == (str(script), *words)
    assert (found.name, found.path_entry) == ("my script", str(tmp_path))


@IN_PLACE
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=12))
@example("\x00")
@example("")
@example(".")
@example("/")
@example("x" * 300)
def test_any_name_of_a_script_is_found_or_refused_in_one_line(name: str) -> None:
    with pytest.raises(DlcheckError) as told:
        find_script(f"/nowhere/{name}/{name}" if name not in ("", ".", "/") else name, [])
    assert "\n" not in str(told.value).replace(name, "")


@IN_PLACE
@given(st.from_regex(r"[a-z.\x00/ ]{0,10}", fullmatch=True))
@example("")
@example(".")
@example("..a")
@example("json..decoder")
@example("sys")
def test_any_name_of_a_module_is_found_or_refused_in_one_line(name: str) -> None:
    before, refused, found = list(sys.path), "", None
    try:
        found = find_module(f"dlcheck_{name}" if name[:1].isalpha() and name != "json..decoder" else name, [])
    except DlcheckError as error:
        refused = str(error)
    assert "\n" not in refused
    assert refused or (found and found.argv)
    assert sys.path == before


@IN_PLACE
@given(st.binary(max_size=40))
@example(b"\x00")
@example(b"\xff\xfe")
@example(b"# coding: nonsense\n")
@example(b"a = 1\n")
def test_any_content_is_a_program_a_syntax_error_or_refused(tmp_path: Path, content: bytes) -> None:
    script = tmp_path / "script.py"
    script.write_bytes(content)
    try:
        found = find_script(str(script), [])
    except (DlcheckError, SyntaxError):
        return
    assert found.code.co_filename == str(script)


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("", 0),
        ("raise SystemExit", 0),
        ("raise SystemExit(None)", 0),
        ("raise SystemExit(3)", 3),
        ("raise SystemExit(-1)", 255),
        ("raise SystemExit(256 + 7)", 7),
        ("raise SystemExit(True)", 1),
        ("raise SystemExit('what happened')", 1),
        ("raise SystemExit((1, 2))", 1),
        ("raise KeyboardInterrupt", 130),
        ("raise ValueError", 1),
        ("raise ExceptionGroup('several', [ValueError()])", 1),
        ("import threading\nthreading.Thread(target=print, args=('late',)).start()", 0),
    ],
)
def test_exit_statuses_are_python_s(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], code: str, status: int
) -> None:
    monkeypatch.setattr(sys, "argv", [])
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])
    target = Target("x", compile(code, "x.py", "exec"), ("x.py", "a"), "/nowhere")
    assert execute(target).status == status
    assert sys.argv == ["x.py", "a"]
    assert sys.path[0] == "/nowhere"
    written = capsys.readouterr()
    assert ("what happened" in written.err) == ("what happened" in code)
    assert ("Traceback" in written.err) == ("Error" in code or "Interrupt" in code)
    assert ("late" in written.out) == ("late" in code)
    assert "dlcheck" not in written.err
