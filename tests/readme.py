"""What the README shows: blocks of code, and commands with what they print.

A block that begins with ``$ `` holds commands, each followed by what it prints, both streams together. In it ``...`` on
a line of its own stands for lines left out. ``python -m tests.readme [SECTION…]`` prints what they print now.
"""

import io
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8") if (ROOT / "README.md").exists() else ""
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", flags=re.S | re.M)
NUMBER = re.compile(r"[−+-]?(?<![A-Za-z\d])\d[\d,]*(\.\d+)?(e[+-]?\d+)?%?")
DRAWN = re.compile("[─-╿▀-▟⠀-⣿]")
"""A line with any of these signs is part of a chart or a bar."""


@dataclass(frozen=True)
class Block:
    """A fenced block."""

    kind: str
    text: str
    section: str
    """The heading above it."""
    line: int


@dataclass(frozen=True)
class Shown:
    """A command, and what the README says that it prints."""

    command: str
    output: str
    line: int

    @property
    def words(self) -> list[str]:
        """The command's words, without ``dlcheck`` and without what the shell takes for a comment."""
        return shlex.split(self.command, comments=True)[1:]


def blocks(text: str = README) -> list[Block]:
    """Return all fenced blocks in their order."""
    headings = [(found.start(), found[1]) for found in re.finditer(r"^#+ (.*)$", _without_code(text), flags=re.M)]
    return [
        Block(
            found[1],
            found[2],
            next((name for start, name in reversed(headings) if start < found.start()), ""),
            text.count("\n", 0, found.start()) + 1,
        )
        for found in FENCE.finditer(text)
    ]


def _without_code(text: str) -> str:
    return FENCE.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), text)


def shown(block: Block) -> list[Shown]:
    """Return the commands of a block that shows some."""
    parts = re.split(r"^\$ ", block.text, flags=re.M)
    found = []
    for part in parts[1:] if not parts[0].strip() else []:
        command, _, output = re.sub(r"\\\n\s*", "", part).partition("\n")
        found.append(Shown(command, output, block.line))
    return found


def sections() -> dict[str, list[Shown]]:
    """Return the commands with output of each section that has any."""
    found: dict[str, list[Shown]] = {}
    for block in blocks():
        if commands := shown(block):
            found.setdefault(block.section, []).extend(commands)
    return found


def typed() -> Iterator[tuple[str, int]]:
    """Yield every command line that the README shows, with its line, those without output too."""
    for block in blocks():
        text = re.sub(r"\\\n\s*", "", block.text)
        if block.kind == "sh":
            yield from ((line, block.line) for line in text.splitlines() if line.strip())
        yield from ((item.command, item.line) for item in shown(block))


def missing(output: str, printed: str, *, exact: bool) -> str:
    """Return the first passage between ``...`` that what was printed lacks, in this order; empty where all is there.

    Words count, not where lines were folded; charts are left out, and any number stands for any unless ``exact``.
    """
    text, at = plain(printed, exact=exact), 0
    passages = re.split(r"^\.\.\.\n?", output, flags=re.M)
    for place, passage in enumerate(passages):
        words = plain(passage, exact=exact)
        found = text.find(words, at)
        if found < 0 or (place == 0 and found > 0):
            return words
        at = found + len(words)
    # What ends without dots ends there.
    return "" if not passages[-1].strip() or not text[at:].strip() else f"the end, before: {text[at:].strip()}"


def plain(output: str, *, exact: bool) -> str:
    """Return output without charts and the folding of its lines."""
    lines = (line for line in output.splitlines() if not DRAWN.search(line))
    text = " ".join(" ".join(lines).split())
    return text if exact else NUMBER.sub("#", text)


def run(words: Sequence[str], folder: Path) -> str:
    """Run dlcheck in a folder, and return what a person would see."""
    surroundings = os.environ | {"COLUMNS": "80", "NO_COLOR": "1", "PYTHONWARNINGS": "", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "dlcheck", *words],
        cwd=folder,
        env=surroundings,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.stdout


def run_here(words: Sequence[str], folder: Path) -> str:
    """Do as ``run`` in this process, which has loaded PyTorch already."""
    from dlcheck.__main__ import main as dlcheck

    printed = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(printed), redirect_stderr(printed):
        patch.setenv("COLUMNS", "80")
        patch.setenv("NO_COLOR", "1")
        patch.chdir(folder)
        with suppress(SystemExit):
            dlcheck(list(words))
    return printed.getvalue()


def main(wanted: Sequence[str], prepare: Callable[[str, Path], None]) -> None:
    """Print what the commands of the sections print now."""
    for name, commands in sections().items():
        if wanted and name not in wanted:
            continue
        with tempfile.TemporaryDirectory() as folder:
            prepare(name, Path(folder))
            for item in commands:
                print(f"## {name}, line {item.line}\n$ {item.command}", flush=True)
                print(run(item.words, Path(folder)), flush=True)


if __name__ == "__main__":
    from tests.readme_files import prepare

    main(sys.argv[1:], prepare)
