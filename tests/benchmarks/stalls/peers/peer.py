"""What the benchmark asks of another profiler."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from tests.benchmarks.stalls.case import Build
from tests.benchmarks.stalls.verdict import Verdict

STEPS = 60
"""That each of them watches: more than the 20 that TraceML needs to be sure, and as many as our first account has."""


class Peer(Protocol):
    """Another profiler."""

    def ask(self, build: Build, folder: Path, environment: Path) -> Verdict:
        """Run a build under the profiler.

        Args:
            build: What is run.
            folder: For the script and all that the profiler leaves.
            environment: The virtual environment in which it is installed.

        Raises:
            Failed: it did not end well, or took too long.
        """
        ...


def last_line(text: str) -> str:
    """Return the last line that says something."""
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "no output")
