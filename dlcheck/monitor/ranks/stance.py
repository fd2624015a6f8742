"""Where a rank's main thread stands: the user's line, what it calls, and whether that waits for other ranks."""

from __future__ import annotations

import itertools
import linecache
import re
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, TracebackType

from dlcheck.runs.facts import Site

_C10D = str(Path("torch", "distributed", "distributed_c10d.py"))
_DDP = str(Path("torch", "nn", "parallel", "distributed.py"))
_AUTOGRAD = (str(Path("torch", "autograd", "__init__.py")), str(Path("torch", "_tensor.py")))
_SYNCS = str(Path("torch", "nn", "modules", "_functions.py"))
COLLECTIVES = frozenset(
    {
        *("all_reduce", "all_reduce_coalesced", "broadcast", "broadcast_object_list", "reduce", "scatter", "gather"),
        *("all_gather", "all_gather_object", "all_gather_into_tensor", "all_gather_coalesced", "gather_object"),
        *("reduce_scatter", "reduce_scatter_tensor", "all_to_all", "all_to_all_single", "scatter_object_list"),
        *("barrier", "monitored_barrier", "send", "recv", "recv_object_list", "send_object_list", "new_group"),
        *("init_process_group", "destroy_process_group", "batch_isend_irecv"),
    }
)
"""Functions of ``torch.distributed`` that return only when other ranks have come as well."""
_WAITS = re.compile(r"\.(wait|item|cpu|tolist|numpy|synchronize)\(")
"""Calls in which a device's work, or one's own handle of a collective call, is waited for."""
LONGEST = 80
IDLE = 0.1
"""Share of a core below which a main thread waits rather than computes; one that waits in gloo takes none."""


@dataclass(frozen=True, slots=True)
class Stance:
    """One look at a thread."""

    site: Site | None
    doing: str
    """The piece of the user's line that is being executed."""
    call: str
    """The call that may wait for others; empty: none."""
    key: tuple[int, int]
    """Equal as long as the innermost function of Python stays in one call: while something is imported, it moves."""


def stance(frame: FrameType | None, users: Callable[[str], bool], shown: Callable[[str], str]) -> Stance:
    """Return where a thread stands by its innermost frame.

    Args:
        frame: The innermost frame.
        users: Whether a file is the user's own.
        shown: A path as a person would write it.
    """
    call, inner = "", frame
    key = (id(frame), frame.f_lasti) if frame is not None else (0, 0)
    while frame is not None:
        file, name = frame.f_code.co_filename, frame.f_code.co_name
        if users(file):
            doing = _segment(frame)
            call = call or (_waiting(doing) if frame is inner else "")  # the waits of Python have frames of their own
            return Stance(Site(shown(file), frame.f_lineno), doing, call, key)
        call = _named(file, name) or call
        frame = frame.f_back
    return Stance(None, "", call, key)


def raised_in(trace: TracebackType | None) -> str:
    """Return the collective call that an exception came out of, empty where it came from elsewhere."""
    call = ""
    while trace is not None:
        code = trace.tb_frame.f_code
        call = call or _named(code.co_filename, code.co_name)
        trace = trace.tb_next
    return call


def _named(file: str, name: str) -> str:
    if file.endswith(_C10D) and name in COLLECTIVES:
        return name
    if file.endswith(_DDP):
        return "DistributedDataParallel"
    if file.endswith(_AUTOGRAD) and name == "backward":
        return "backward"
    return "SyncBatchNorm" if file.endswith(_SYNCS) else ""


def _waiting(doing: str) -> str:
    found = _WAITS.search(doing)
    return found.group(1) if found else ""


def _segment(frame: FrameType) -> str:
    """Return the piece of source that a frame executes, on one line."""
    places = next(itertools.islice(frame.f_code.co_positions(), frame.f_lasti // 2, None), None)
    line = linecache.getline(frame.f_code.co_filename, frame.f_lineno).rstrip()
    if places is not None and places[0] == places[1] and places[2] is not None and places[3] is not None:
        line = line.encode("utf-8")[places[2] : places[3]].decode("utf-8", "replace")
    text = " ".join(line.split())
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


class Lookout:
    """Looks at the main thread now and then, and knows for how long it has stood where it stands."""

    def __init__(self, users: Callable[[str], bool], shown: Callable[[str], str]) -> None:
        self.stance: Stance | None = None
        self.since_s = 0.0
        self._users, self._shown = users, shown
        self._main = threading.main_thread().ident or 0
        self._cpu = _cpu_clock(self._main)
        self._step = -1
        self._made = 0
        self._begun = self._busy = 0.0

    def look(self, step: int) -> None:
        """Look, if no step has ended since the last time."""
        now = time.monotonic()
        if step != self._step:
            self._step, self.stance, self.since_s = step, None, 0.0
            return
        found = stance(sys._current_frames().get(self._main), self._users, self._shown)
        made = calls_made()
        # The same line again and again, as in an evaluation, looks like one that never ends: calls are counted too.
        if self.stance is None or found.key != self.stance.key or made != self._made:
            self._begun, self._busy, self._made = now, self._cpu(), made
        self.stance, self.since_s = found, now - self._begun

    @property
    def waits(self) -> bool:
        """Whether the main thread stands in a call that waits for other ranks, and does not compute meanwhile."""
        if self.stance is None or not self.stance.call:
            return False
        if self.stance.call in COLLECTIVES:
            return True
        # A backward pass, or a device that is asked for a value: what spins for a device says nothing by its time.
        return _on_device() or self._cpu() - self._busy < IDLE * self.since_s


def calls_made() -> int:
    """Return a number that grows with every collective call of this rank, and with tensors made on its device."""
    torch = sys.modules.get("torch")
    dist = sys.modules.get("torch.distributed")
    count = 0
    try:
        if dist is not None and dist.is_available() and dist.is_initialized():
            groups = list(dist.distributed_c10d._world.pg_map)
            count += sum(group._get_sequence_number_for_group() for group in groups)
        if torch is not None and _on_device():
            count += torch.cuda.memory_stats().get("allocation.all.allocated", 0)
    except (RuntimeError, AttributeError):  # a group that counts no calls, or that is being taken down
        return count
    return count


def _on_device() -> bool:
    torch = sys.modules.get("torch")
    return bool(torch is not None and torch.cuda.is_available() and torch.cuda.is_initialized())


def _cpu_clock(thread: int) -> Callable[[], float]:
    """Return a clock of the processor time of a thread; one that stands still where there is none."""
    try:
        clock = time.pthread_getcpuclockid(thread)
    except (AttributeError, OSError):
        return lambda: 0.0
    return lambda: time.clock_gettime(clock)
