"""Scripts, run in this process under watch: a process of its own would import PyTorch anew for each."""

import random
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from dlcheck.diagnosis.settings import Settings
from dlcheck.findings import Finding, Severity
from dlcheck.report.report import Report
from dlcheck.watching.execute import Ending
from dlcheck.watching.session import Session, watch_program
from dlcheck.watching.target import find_script


@dataclass(frozen=True)
class Watched:
    """How a watched script ended, and what was found."""

    ending: Ending
    report: Report
    folder: Path

    @property
    def primary(self) -> list[Finding]:
        return [one for one in self.report.outcome.findings if one.primary and one.severity > Severity.INFO]

    @property
    def codes(self) -> set[str]:
        return {one.code for one in self.primary}


WatchScript = Callable[..., Watched]


@contextmanager
def _process_as_it_was() -> Iterator[None]:
    argv, path, main = list(sys.argv), list(sys.path), sys.modules["__main__"]
    try:
        yield
    finally:
        sys.argv[:], sys.path[:] = argv, path
        sys.modules["__main__"] = main
        torch.set_grad_enabled(True)
        torch.set_num_threads(1)


@pytest.fixture
def watch_script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WatchScript:
    """Return a function that runs a script's text under watch, in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def call(text: str, name: str = "script", arguments: Sequence[str] = ()) -> Watched:
        file = tmp_path / f"{name}.py"
        file.write_text(text, encoding="utf-8")
        random.seed(0)
        np.random.seed(0)
        torch.manual_seed(0)
        with _process_as_it_was():
            session = Session.create(name, Settings(), tmp_path / f"run-{len(list(tmp_path.iterdir()))}")
            ending = watch_program(session, find_script(str(file), arguments))
        watched = Watched(ending, session.report(), session.folder.path)
        # A part of the watch that fails is switched off, and the script goes on: only here does it show.
        assert not [event for event in watched.report.run.events if event.kind == "monitor-failed"]
        return watched

    return call
