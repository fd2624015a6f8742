"""The deep pass: a few steps under PyTorch's profiler, and as many in which waits for the device are found.

On CUDA only: on a CPU work is done when its call returns, so nothing is launched, copied or waited for. Throughput is
never taken from these steps; the profiler slows them down.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlcheck.errors import DlcheckError, one_line
from dlcheck.profiling.aside import aside
from dlcheck.profiling.deep_table import DeepTable, activities, computing, counted, launches, syncs, transfers
from dlcheck.profiling.settings import TrialSettings
from dlcheck.runs.facts import Fact

WARM_UP = 8
"""Steps before it: allocations, choices of kernels, the first batches of the workers."""
STEPS = 4
"""Active ones: what the profiler has to sort afterwards takes several times as long as they do."""
FORWARD_MARK, BACKWARD_MARK = "dlcheck forward", "dlcheck backward"
MARKS = {0: "dlcheck copy", 1: FORWARD_MARK, 2: BACKWARD_MARK, 3: "dlcheck optimizer"}
"""By the phases of ``profiling.stepping``."""


@dataclass(frozen=True, slots=True)
class Deep:
    """What the deep pass found."""

    facts: tuple[Fact, ...] = ()
    """``Launches``, ``Transfers`` and ``Syncs``, as far as there were any."""
    note: str = ""
    """Why there are none, in words."""


def deep_pass(
    settings: TrialSettings, device: str, *, pinned_gb_per_s: float | None = None, timeout_s: float = 90.0
) -> Deep:
    """Look at a few steps of a training closely, in a process of its own.

    Args:
        settings: What to run.
        device: Where it runs, as ``Found.device``; on ``cpu`` there is nothing to look at.
        pinned_gb_per_s: What copies from page-locked memory reach here, see ``profiling.device``.
        timeout_s: Longest wait.
    """
    if not device.startswith("cuda"):
        return Deep()
    try:
        table: DeepTable = aside(recorded, settings, timeout_s=timeout_s)
    except DlcheckError as error:
        return Deep(note=f"the deep pass failed: {one_line(error)}")
    found = (launches(table), transfers(table, pinned_gb_per_s), syncs(table))
    return Deep(tuple(fact for fact in found if fact is not None))


def recorded(settings: TrialSettings) -> DeepTable:
    """Train for some steps in this process, which it spoils for anything else, and return what was recorded.

    Raises:
        DlcheckError: the training cannot be run, or ended before its first steps were over.
    """
    from dlcheck.profiling.device_marks import device_marks
    from dlcheck.profiling.rig import build_rig, train_until_stopped

    rig = build_rig(settings)
    passes = Passes()
    meter = passes.meter(device_marks(rig.look().device))
    meter.wanted = WARM_UP
    ended = train_until_stopped(rig, meter, passes.close)
    if passes.table is None:
        raise DlcheckError(ended or "too few steps to look at closely")
    return passes.table


class Passes:
    """What happens at a meter's rests: warmed up, then profiled, then watched for waits, then stopped."""

    def __init__(self) -> None:
        from dlcheck.profiling.sync_watch import SyncWatch

        self.table: DeepTable | None = None
        self._next: Callable[[Any], None] = self._profile
        self._profiler: Any = None
        self._watch: SyncWatch | None = None
        self._events: list[Any] = []
        self._began = 0.0

    def meter(self, device: Any) -> Any:
        """Return the meter that comes to rest here."""
        return _marking_meter(self, device)

    def __call__(self, meter: Any) -> None:
        """Go on to the next pass.

        Raises:
            Stopped: that was the last.
        """
        meter.take()
        meter.wanted = STEPS
        self._next(meter)

    def close(self) -> None:
        """End whatever is still on."""
        if self._profiler is not None:
            self._profiler.__exit__(None, None, None)
            self._profiler = None
        if self._watch is not None:
            self._watch.__exit__(None, None, None)
            self._watch = None

    def _profile(self, meter: Any) -> None:
        from torch.profiler import profile, supported_activities

        os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # or its library talks on standard error
        _synchronize()
        self._profiler = profile(activities=list(supported_activities()), acc_events=True)  # type: ignore[no-untyped-call]
        self._profiler.__enter__()
        self._next = self._look

    def _look(self, meter: Any) -> None:
        from dlcheck.profiling.sync_watch import SyncWatch

        _synchronize()
        profiler, self._profiler = self._profiler, None
        profiler.__exit__(None, None, None)
        self._events = _chrome_events(profiler)
        self._watch = SyncWatch()
        self._watch.__enter__()
        self._next = self._stop
        self._began = time.perf_counter()

    def _stop(self, meter: Any) -> None:
        from dlcheck.watching.execute import Stopped

        lasted = time.perf_counter() - self._began
        watch = self._watch
        assert watch is not None  # came before
        self.close()
        self.table = DeepTable(
            STEPS,
            activities(self._events),
            computing(self._events, FORWARD_MARK, BACKWARD_MARK),
            tuple(watch.waits),
            counted(watch.warned),
            lasted / STEPS,
        )
        raise Stopped


def _marking_meter(rest: Passes, device: Any) -> Any:
    """Return a meter that marks the phases for the profiler too."""
    from torch.autograd.profiler import record_function

    from dlcheck.profiling.meter import Meter

    class MarkingMeter(Meter):
        marks: dict[int, Any]

        def begin(self, phase: int) -> None:
            super().begin(phase)
            self.marks[phase] = record_function(MARKS[phase])
            self.marks[phase].__enter__()

        def end(self, phase: int, *, counts: bool = True) -> None:
            mark = self.marks.pop(phase, None)
            if mark is not None:
                mark.__exit__(None, None, None)
            super().end(phase, counts=counts)

    meter = MarkingMeter(rest, device)
    meter.marks = {}
    return meter


def _chrome_events(profiler: Any) -> list[Any]:
    """Return the events that the profiler recorded, from the trace that it writes: its one stable format."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trace.json"
        profiler.export_chrome_trace(str(path))
        events: list[Any] = json.loads(path.read_text(encoding="utf-8"))["traceEvents"]
    return events


def _synchronize() -> None:
    import torch

    if torch.cuda.is_available():
        torch.cuda.synchronize()
