"""Completion, asked as the shells ask."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dlcheck.cli.completion import OPTIONS, built_in
from dlcheck.recipe import shipped_recipes, sick_recipes
from dlcheck.rules import all_rules


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "dlcheck", *arguments],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def bash(line: str) -> list[str]:
    words = line.split(" ")
    environment = {"COMP_WORDS": "\n".join(words), "COMP_CWORD": str(len(words) - 1)}
    done = run(**environment, _DLCHECK_COMPLETE="complete_bash")
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("dlcheck di", ["diagnose"]),
        ("dlcheck train digits-", ["digits-captions", "digits-mlp"]),
        ("dlcheck check sick/rate", ["sick/rate-too-high", "sick/rate-too-low"]),
        ("dlcheck explain C40", [f"C40{number}" for number in range(1, 10)]),
        ("dlcheck explain overf", ["overfit"]),
        ("dlcheck diagnose --select C401,D11", [f"C401,{code}" for code in all_rules() if code.startswith("D11")]),
        ("dlcheck diagnose --format m", ["markdown"]),
        ("dlcheck train --resu", ["--resume"]),
        ("dlcheck train digits --device c", ["cpu", "cuda"]),
        ("dlcheck diagnose some-file", []),
        ("dlcheck train --output some-file", []),
    ],
)
def test_bash(line: str, expected: list[str]) -> None:
    assert bash(line) == expected


def test_all_recipes_and_rules_are_known() -> None:
    assert bash("dlcheck tune ") == list(shipped_recipes())
    assert bash("dlcheck tune sick/") == list(sick_recipes())
    assert built_in() == [(code, rule.name) for code, rule in all_rules().items()]


def test_zsh_shows_what_a_code_means() -> None:
    done = run(_DLCHECK_COMPLETE="complete_zsh", _TYPER_COMPLETE_ARGS="dlcheck explain C409")
    assert '"C409":"overfit"' in done.stdout


def test_fish() -> None:
    asked = {"_TYPER_COMPLETE_FISH_ACTION": "get-args", "_TYPER_COMPLETE_ARGS": "dlcheck train digits-"}
    done = run(_DLCHECK_COMPLETE="complete_fish", **asked)
    assert done.stdout.split() == ["digits-captions", "digits-mlp"]


def test_a_person_who_waits_waits_for_nothing_heavy() -> None:
    program = """
import sys
from dlcheck.cli.app import run
try:
    run([])
except SystemExit:
    pass
heavy = {"torch", "optuna", "numpy", "pandas", "rich", "dlcheck.rules", "dlcheck.recipe.recipe"} & set(sys.modules)
assert not heavy, heavy
"""
    for words in ("dlcheck\ntrain\ndi", "dlcheck\nexplain\nC4"):
        asked = {"_DLCHECK_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": "2"}
        done = subprocess.run(
            [sys.executable, "-c", program], env=os.environ | asked, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout


REAL = {
    "bash": """
eval "$(dlcheck --show-completion bash)"
COMP_WORDS=(dlcheck train digits-m) COMP_CWORD=2
_dlcheck_completion dlcheck
echo "${COMPREPLY[*]}"
""",
    "fish": 'dlcheck --show-completion fish | source; complete -C "dlcheck train digits-m"',
}
"""What a shell is to do with our script: here, to complete a recipe."""


def in_shell(shell: str, script: str, tmp_path: Path) -> list[str]:
    """Return the lines that a shell without a terminal prints, in which dlcheck is this one."""
    command = tmp_path / "dlcheck"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m dlcheck "$@"\n')
    command.chmod(0o755)
    environment = {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}", "HOME": str(tmp_path)}
    done = subprocess.run(
        [shell, "-c", script], env=os.environ | environment, capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()


@pytest.mark.parametrize("shell", REAL)
def test_a_real_shell_completes_with_the_script(shell: str, tmp_path: Path) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell} here")
    assert in_shell(shell, REAL[shell], tmp_path) == ["digits-mlp"]


def test_a_real_zsh_completes_with_the_script(tmp_path: Path) -> None:
    if shutil.which("zsh") is None:
        pytest.skip("no zsh here")
    script = """
autoload -Uz compinit; compinit -u
eval "$(dlcheck --show-completion zsh)"
print ${_comps[dlcheck]}
_arguments() { print -l -- "$@" }
words=(dlcheck train digits-m) CURRENT=3
_dlcheck_completion
"""
    declared, *asked = in_shell("zsh", script, tmp_path)
    assert declared == "_dlcheck_completion"
    assert "digits-mlp" in " ".join(asked)


def test_it_is_installed_beside_what_is_there(tmp_path: Path) -> None:
    (tmp_path / ".bashrc").write_text("alias mine=true\n")
    done = run("--install-completion", "bash", HOME=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / ".bashrc").read_text().startswith("alias mine=true\n")
    wrote, following = done.stdout.splitlines()
    assert "complete -o default" in Path(wrote.removeprefix("wrote ")).read_text()
    assert following.startswith("next: ")


@pytest.mark.parametrize("option", OPTIONS)
def test_without_a_name_the_shell_is_this_terminals(option: str, tmp_path: Path) -> None:
    done = run(option, HOME=str(tmp_path), SHELL="/usr/bin/fish")
    assert done.returncode == 0, done.stderr
    assert "fish" in done.stdout or "complete --command dlcheck" in done.stdout
    refused = run(option, HOME=str(tmp_path), SHELL="/bin/tcsh")
    assert refused.returncode == 2
    assert refused.stderr == f"dlcheck: {option}: for which shell? bash, zsh, fish\n"
