"""One watched run: from the first hook to the report."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from dlcheck.errors import one_line
from dlcheck.monitor.ranks.world import World
from dlcheck.runs import Run, RunFolder, default_run_path
from dlcheck.runs.facts import BatchNormBatches, GraphGrowth, LabelRange, ParameterCoverage
from dlcheck.watching.arrival import Arrival
from dlcheck.watching.execute import Ending, execute
from dlcheck.watching.place import crash_site, traces
from dlcheck.watching.ranked import Ranked
from dlcheck.watching.target import Target

if TYPE_CHECKING:
    from dlcheck.diagnosis import Settings
    from dlcheck.report.report import Report
    from dlcheck.watching.observer import Observer
    from dlcheck.watching.taps import Taps

FLUSH_S = 2.0
"""Seconds between two writes to the run folder."""
OTHERS = 64
"""Steps to which ranks other than 0 listen: until all models are known whose weights are compared."""


@dataclass(slots=True)
class Session:
    """Listens from ``begin`` to ``end``; PyTorch is hooked once it is imported, and not imported for that."""

    folder: RunFolder
    settings: Settings
    on_step: Callable[[Observer], None] | None = None
    """Called after steps, some seconds apart."""
    every_s: float = FLUSH_S
    observer: Observer | None = None
    ranked: Ranked | None = None
    """Set where this process is one of several that train together."""
    _taps: Taps | None = None
    _arrival: Arrival | None = None
    _flushed: float = field(default_factory=time.monotonic)

    @classmethod
    def create(
        cls,
        name: str,
        settings: Settings,
        path: Path | None = None,
        *,
        world: World | None = None,
        timeout_s: float | None = None,
    ) -> Session:
        """Make the run folder; of several processes rank 0 alone makes it, and the others hear of it later.

        Args:
            name: For the folder's default path.
            settings: How the run is judged.
            path: The folder.
            world: The place of this process among several; None: it trains alone.
            timeout_s: Longest wait of a rank for the others, seconds.

        Raises:
            DlcheckError: it exists, or cannot be made.
        """
        place = path or default_run_path(name)
        if world is None:
            return cls(RunFolder.create(place), settings)
        ranked = Ranked(world, timeout_s)
        place = world.named(place)
        return cls(RunFolder(place) if world.rank else RunFolder.create(place), settings, ranked=ranked)

    @property
    def leads(self) -> bool:
        """Whether this process tells the diagnosis."""
        return self.ranked is None or not self.ranked.world.rank

    def begin(self) -> None:
        """Hook PyTorch, now or as soon as it is there."""
        self._arrival = Arrival("torch", self._hook)

    def _hook(self) -> None:
        from dlcheck.watching.observer import Observer
        from dlcheck.watching.taps import Taps

        if self.ranked is not None:
            self.folder = self.ranked.arrived(self.folder)
        self.observer = Observer(self.folder, on_step=self._stepped)
        if self.ranked is not None and self.ranked.pace is not None:
            self.observer.on_model = self.ranked.pace.follow
        self._taps = Taps(self.observer)
        self._taps.install()

    def _stepped(self, observer: Observer) -> None:
        if not self.leads and observer.steps >= OTHERS:
            observer.active = False
        now = time.monotonic()
        if now - self._flushed < self.every_s:
            return
        observer.flush()
        if self.on_step is not None:
            self.on_step(observer)
        self._flushed = time.monotonic()

    def end(self, *, finished: bool = True, error: BaseException | None = None) -> None:
        """Take the hooks out of PyTorch, and write down all that was seen."""
        if self._arrival is not None:
            self._arrival.cancel()
        if self._taps is not None:
            self._taps.remove()
        if self.observer is not None:
            self.observer.close(finished=finished)
            if error is not None:
                explain_crash(self.observer, error)
            self.observer.record.fact("watched", True)
            self.observer.record.flush()
        elif self.leads:
            self.folder.add_facts({"finished": finished, "watched": True})

    def cut_short(self) -> None:
        """Write down what is known while the main thread waits; nothing is asked of a device, which may wait too."""
        if self.observer is not None:
            self.observer.record.flush()
        self.folder.add_facts({"finished": False, "watched": True})

    def run(self) -> Run:
        """Return the run as its folder tells it."""
        from dlcheck.runs import read_run

        return read_run(self.folder.path)

    def report(self) -> Report:
        """Judge the run and write its reports into the folder.

        Raises:
            DlcheckError: the settings name a rule or threshold that does not exist, or a file cannot be written.
        """
        from dlcheck.diagnosis import examine
        from dlcheck.report.files import write_reports

        report = examine(self.run(), str(self.folder.path), self.settings)
        write_reports(self.folder, report.run, report.outcome, report.verdict)
        return report


def watch_program(session: Session, target: Target) -> Ending:
    """Run a program to its end while listening."""
    ranked = session.ranked
    if ranked is not None:
        ranked.begin(target.code)
    session.begin()
    ending = execute(target)
    ended = ending.error is None and not ending.stopped and not ending.dismissed
    if ranked is not None:
        ranked.ended(ending)
    session.end(finished=ended, error=ending.error)
    if ranked is not None:
        ranked.close(failed=not ended or ending.status != 0)
    return ending


def explain_crash(observer: Observer, error: BaseException) -> None:
    """Put what is known of an exception into facts, where it is one that a rule explains."""
    text, site = one_line(error, 1000), crash_site(error)
    if "out of bounds" in text and ("Target" in text or "t >= 0" in text):
        observer.losses.fell(trace.tb_frame for trace in traces(error))
        found = observer.losses.label_range(crashed=True, site=site)
        if isinstance(found, LabelRange):
            observer.record.put(found)
    elif "more than 1 value per channel" in text:
        observer.record.put(BatchNormBatches((), 1, 1, 1, 1, 1, crashed=True, site=site))
    elif "backward through the graph a second time" in text:
        steps = observer.backwards
        observer.record.put(GraphGrowth(steps, 1, 1, crashed=True, site=site))
    elif "does not require grad and does not have a grad_fn" in text:
        covered = observer.models.coverage(detached=True, crashed=True)
        if isinstance(covered, ParameterCoverage):
            observer.record.put(covered)
