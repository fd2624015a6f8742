"""One rank's part of a watched run under ``torchrun``: which folder it writes to, what it tells, how it is ended.

Rank 0 makes the run folder and tells the diagnosis. The others leave their part in ``RUN/ranks/RANK``. Nothing of this
is a collective call: a rank that is not watched is missing from the report, and nobody waits for it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Any

from dlcheck.errors import one_line
from dlcheck.monitor.ranks.world import World
from dlcheck.runs import RunFolder
from dlcheck.runs.ranks import place_of, write_word
from dlcheck.watching.execute import Dismissed, Ending
from dlcheck.watching.place import crash_site, is_users, shown

if TYPE_CHECKING:
    from dlcheck.monitor.ranks.courier import Courier
    from dlcheck.monitor.ranks.pace import Pace
    from dlcheck.monitor.ranks.sentry import Sentry

ANNOUNCED_S = 5.0
"""Longest wait for rank 0 to say where the run folder is; all ranks of one launch import PyTorch at about one time."""
MARGIN_S, MARGIN = 30.0, 0.05
"""How long before NCCL's own time limit a wait is ended: NCCL ends the process without a word of Python."""
AFTER_BEATS = 3.0
"""Beats that another rank lives on after its own time limit, so that rank 0, which waits too, can tell of it."""


class Ranked:
    """What a session has beside all else where its process is one of several."""

    def __init__(self, world: World, timeout_s: float | None = None) -> None:
        self.world, self.timeout_s = world, timeout_s
        self.run: Path | None = None
        """The run's folder; None where another rank did not hear of it."""
        self.on_cut: Callable[[], int] | None = None
        """Tells the diagnosis, where the process ends before the script does, and returns the exit status."""
        self.pace: Pace | None = None
        self._courier: Courier | None = None
        self._sentry: Sentry | None = None
        self._code: CodeType | None = None
        self._former: Any = None
        self._claim = threading.Lock()

    # ---- folders

    def arrived(self, folder: RunFolder) -> RunFolder:
        """Begin to tell and to listen; PyTorch is there. Return the folder of this rank's own part.

        Raises:
            DlcheckError: the folder cannot be made.
        """
        from dlcheck.monitor.ranks.courier import Courier
        from dlcheck.monitor.ranks.pace import Pace
        from dlcheck.monitor.ranks.sentry import Sentry
        from dlcheck.monitor.ranks.stance import Lookout

        self._courier, self.pace = Courier(self.world), Pace()
        if self.world.rank == 0:
            self.run = folder.path.absolute()
            self._courier.announce(str(self.run))
        self._courier.start()
        if self.world.rank:
            folder = self._own_folder(folder)
        self.pace.install()
        self._sentry = Sentry(self.world, self._courier, Lookout(is_users, shown), self.pace)
        self._sentry.folder = place_of(self.run, self.world.rank) if self.run is not None else None
        self._sentry.limit_s, self._sentry.cut = self._limit, self._cut
        self._sentry.start()
        return folder

    def _own_folder(self, folder: RunFolder) -> RunFolder:
        """Make this rank's folder: within the run's, or beside where that would be."""
        assert self._courier is not None
        if self.world.agent is not None and self._courier.announced.wait(ANNOUNCED_S):
            self.run = Path(self._courier.run)
            place = place_of(self.run, self.world.rank)
        else:
            place = folder.path.with_name(f"{folder.path.name}-rank{self.world.rank}")
        return RunFolder.create(place)

    # ---- signals and limits

    def begin(self, code: CodeType | None) -> None:
        """Answer SIGTERM, by which launchers end ranks, with an end that is written down."""
        self._code = code
        if threading.current_thread() is threading.main_thread():
            self._former = signal.signal(signal.SIGTERM, self._dismiss)
            os.register_at_fork(after_in_child=self.restore)

    def _dismiss(self, number: int, frame: FrameType | None) -> None:
        while frame is not None:
            if frame.f_code is self._code:
                raise Dismissed
            frame = frame.f_back
        # The script is over, and what is left to write is short.

    def _limit(self) -> float | None:
        if self.timeout_s is not None:
            return self.timeout_s
        own = _nccl_timeout()
        return None if own is None else own - min(MARGIN_S, MARGIN * own)

    # ---- the end

    def ended(self, ending: Ending) -> None:
        """Say how the script ended, before the folder is written."""
        sentry = self._sentry
        if sentry is None:
            return
        sentry.closing = _now()
        if not self._claim.acquire(blocking=False):
            threading.Event().wait()  # the sentry has begun to end the process
        self._word = sentry.speak(*_words(ending), site=_site(ending), call=_call(ending))

    def close(self, *, failed: bool) -> None:
        """Look at the other ranks, and end."""
        sentry, courier = self._sentry, self._courier
        if sentry is None or courier is None or self.pace is None:
            return
        self._look(failed=failed)
        self.pace.remove()
        sentry.stop()
        courier.stop()
        self._sentry = None

    def restore(self) -> None:
        """Give the signal back, once all is told, and in processes that the script forks."""
        if self._former is not None and signal.getsignal(signal.SIGTERM) == self._dismiss:
            with contextlib.suppress(ValueError):  # not the main thread
                signal.signal(signal.SIGTERM, self._former)

    def _look(self, *, failed: bool) -> None:
        from dlcheck.monitor.ranks.others import look_around

        assert self._sentry is not None
        assert self._courier is not None
        if self.run is None:
            return
        view = look_around(self.world, self.run, self._courier, failed=failed)
        if self.world.rank == 0:
            for rank, word in view.words.items():
                self._mirror(rank, word.beat)
        self._sentry.add(self._word, view.seen)
        first = next((one for one in view.seen if one.rank == 0), None)
        if self.world.rank and first is not None and first.alive is not True:
            print(f"dlcheck: rank 0 went without a word: dlcheck diagnose {shown(str(self.run))}", file=sys.stderr)

    def _mirror(self, rank: int, beat: int) -> None:
        """Write down the word of a rank whose files lie on another host."""
        assert self.run is not None
        assert self._courier is not None
        from dlcheck.runs.ranks import read_words

        known, heard = read_words(self.run).get(rank), self._courier.words.get(rank)
        if heard is not None and heard[0].beat == beat and (known is None or known.beat < beat):
            write_word(place_of(self.run, rank), heard[0])

    def _cut(self, ending: str, detail: str) -> None:
        """End this process from the sentry's thread: its main thread waits where Python cannot reach it."""
        sentry = self._sentry
        if sentry is None:
            return
        if not self._claim.acquire(blocking=False):  # the main thread writes, and has had its time
            os._exit(128 + signal.SIGTERM)
        self._word = word = sentry.speak(ending, detail)
        if ending == "timeout":
            line = f" ({word.site.file}, line {word.site.line})" if word.site is not None else ""
            what = f"{detail} in {word.call}{line} after step {word.step}"
            print(f"dlcheck: rank {word.rank} of {word.size} {what}, and is ended", file=sys.stderr)
        status = 1 if ending == "timeout" else 128 + signal.SIGTERM
        try:
            self._look(failed=True)
            if self.on_cut is not None:
                status = self.on_cut() or status
            elif ending == "timeout":
                threading.Event().wait(AFTER_BEATS * self.world.beat_s)
            if self._courier is not None:
                self._courier.stop()
            sentry.calm()
        except Exception as error:
            print(f"dlcheck: rank {word.rank}: {one_line(error)}", file=sys.stderr)
        finally:
            for stream in (sys.stdout, sys.stderr):
                stream.flush()
            os._exit(status)


def _words(ending: Ending) -> tuple[str, str]:
    """Return how a script ended, as in ``RankState``."""
    if ending.dismissed:
        return "signal", "SIGTERM"
    if isinstance(ending.error, KeyboardInterrupt):
        return "signal", "SIGINT"
    if ending.error is not None:
        return "exception", f"{type(ending.error).__name__}: {one_line(ending.error, 240)}"
    if ending.stopped:
        return "stopped", "--stop-on"
    return ("exit", f"exit status {ending.status}") if ending.status else ("finished", "")


def _site(ending: Ending) -> Any:
    return crash_site(ending.error) if ending.error is not None else None


def _call(ending: Ending) -> str:
    if ending.error is None:
        return ""
    from dlcheck.monitor.ranks.stance import raised_in

    return raised_in(ending.error.__traceback__)


def _nccl_timeout() -> float | None:
    """Return the time limit of the script's own group where it computes with NCCL, seconds."""
    import torch
    from torch import distributed as dist

    if not (dist.is_available() and dist.is_initialized() and torch.cuda.is_available()):
        return None
    try:
        group: Any = dist.group.WORLD
        options = group._get_backend(torch.device("cuda")).options
        return float(options._timeout.total_seconds())
    except (RuntimeError, AttributeError):
        return None


def _now() -> float:
    import time

    return time.monotonic()
