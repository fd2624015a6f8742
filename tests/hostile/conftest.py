"""What every hostile input is tried with: the command line, and a mark that code would leave."""

from pathlib import Path

import pytest

from dlcheck.recipe.code import NO_CODE
from tests.cli.conftest import command

__all__ = ["command"]


@pytest.fixture(autouse=True)
def _code_may_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the switch back after each test: ``--no-code`` sets it for the whole process."""
    monkeypatch.setenv(NO_CODE, "0")


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    """Return a file that is there once code has run."""
    return tmp_path / "it-ran"
