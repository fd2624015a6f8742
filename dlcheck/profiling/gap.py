"""Which line of the user's code runs in the time of a step that has no name."""

from __future__ import annotations

import sys
import threading
from collections import Counter

from dlcheck.monitor.site import user_site
from dlcheck.profiling.meter import Meter
from dlcheck.runs.facts import Site

EVERY_S = 0.005
FEWEST = 3
"""Samples below which no line is named."""


class GapSampler:
    """Looks at the training's thread every few milliseconds while it is between phases, for one block of steps."""

    def __init__(self) -> None:
        self._lines: Counter[Site] = Counter()
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, meter: Meter) -> None:
        """Begin to look at the thread that calls, once."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._look, args=(meter, threading.get_ident()), daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._over.set()
        if self._thread is not None:
            self._thread.join()

    @property
    def site(self) -> Site | None:
        """The line that was seen most often; None when hardly any was."""
        if not self._lines:
            return None
        line, times = self._lines.most_common(1)[0]
        return line if times >= FEWEST else None

    def _look(self, meter: Meter, training: int) -> None:
        while not self._over.wait(EVERY_S):
            if not meter.between:
                continue
            frame = sys._current_frames().get(training)
            line = user_site(frame) if frame is not None else None
            if line is not None:
                self._lines[line] += 1
