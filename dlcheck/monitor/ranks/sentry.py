"""A thread in each rank that says where the rank stands, and acts when the main thread cannot."""

from __future__ import annotations

import contextlib
import faulthandler
import os
import select
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Protocol, TextIO

from dlcheck.monitor.ranks.courier import Courier
from dlcheck.monitor.ranks.pace import Pace
from dlcheck.monitor.ranks.stance import Lookout
from dlcheck.monitor.ranks.world import World, host_name
from dlcheck.runs.facts import Site
from dlcheck.runs.ranks import CRASH, Seen, Word, write_word

ANSWER_S = 3.0
"""Seconds in which a main thread that runs Python answers a signal; one inside a collective call does not."""
FINISH_S = 15.0
"""Seconds that it then has to write all down: torchrun kills what is left half a minute after its signal."""


class Cut(Protocol):
    """Ends the process from this thread, and does not return."""

    def __call__(self, ending: str, detail: str) -> None:
        """Take what ended it, as in ``RankState``."""


class Sentry:
    """Writes this rank's word once a beat, into its folder and to the courier."""

    def __init__(self, world: World, courier: Courier, lookout: Lookout, pace: Pace) -> None:
        self.world, self.courier, self.lookout, self.pace = world, courier, lookout, pace
        self.folder: Path | None = None
        """Where this rank's word lies; None: it is only sent."""
        self.event = ""
        self.closing: float | None = None
        """When the script ended (monotonic seconds); from then on only the folder is still to be written."""
        self.limit_s: Callable[[], float | None] = lambda: None
        """Longest wait in a collective call; None: as long as it takes."""
        self.cut: Cut | None = None
        self._beat = 0
        self._asked: float | None = None
        self._crash: TextIO | None = None
        self._pipe: tuple[int, int] | None = None
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="dlcheck-sentry", daemon=True)

    def start(self) -> None:
        """Begin; in the main thread, which alone may ask to be told of signals."""
        self.speak()
        if threading.current_thread() is threading.main_thread() and os.name == "posix":
            self._pipe = os.pipe()
            os.set_blocking(self._pipe[0], False)
            os.set_blocking(self._pipe[1], False)
            before = signal.set_wakeup_fd(self._pipe[1], warn_on_full_buffer=False)
            if before != -1:  # somebody else's loop listens for signals
                signal.set_wakeup_fd(before)
            os.register_at_fork(after_in_child=self._forked)
        if self.folder is not None and not faulthandler.is_enabled():
            self._crash = (self.folder / CRASH).open("w", encoding="utf-8")
            faulthandler.enable(self._crash)
        self._thread.start()

    def stop(self) -> None:
        """Say nothing more."""
        self._stop.set()
        self.calm()
        if self._pipe is not None and threading.current_thread() is threading.main_thread():
            self._deaf()
            os.write(self._pipe[1], b"\0")
            self._thread.join(1.0)

    def calm(self) -> None:
        """Take no more note of faults of native code."""
        crash, self._crash = self._crash, None
        if crash is None:
            return
        faulthandler.disable()
        crash.close()
        with contextlib.suppress(OSError):
            if not (place := Path(crash.name)).stat().st_size:
                place.unlink()

    def _forked(self) -> None:
        if not self._stop.is_set():
            self._deaf()  # signals to a child are none to this process

    def _deaf(self) -> None:
        with contextlib.suppress(ValueError):  # not the main thread
            now = signal.set_wakeup_fd(-1)
            if self._pipe is not None and now != self._pipe[1]:
                signal.set_wakeup_fd(now)

    def speak(self, ending: str = "", detail: str = "", *, site: Site | None = None, call: str = "") -> Word:
        """Say where this rank stands, or how it ended."""
        with self._lock:
            self._beat += 1
            now, blocks = self.lookout.stance, self.pace.blocks
            word = Word(
                rank=self.world.rank,
                size=self.world.size,
                host=host_name(),
                pid=os.getpid(),
                beat=self._beat,
                wall=time.time(),
                step=self.pace.steps,
                site=site or (now.site if now is not None else None),
                doing=now.doing if now is not None and site is None else "",
                call=call or (now.call if now is not None and self.lookout.waits and not site else ""),
                since_s=self.lookout.since_s,
                ending=ending,
                detail=detail,
                event=self.event,
                block=blocks.size if blocks.own else 0,
                own_s=blocks.own,
                period_s=blocks.period,
            )
            self.tell(word)
            return word

    def tell(self, word: Word) -> None:
        """Leave a word where others look for it."""
        self.courier.tell(word)
        if self.folder is not None:
            try:
                write_word(self.folder, word)
            except OSError:  # a full or vanished disk: the store still has the word
                self.event = self.event or "its word cannot be written"

    def add(self, word: Word, seen: tuple[Seen, ...]) -> None:
        """Say the last word again, with what was seen of the others."""
        with self._lock:
            self._beat += 1
            self.tell(replace(word, beat=self._beat, wall=time.time() if not word.ending else word.wall, seen=seen))

    # ---- the thread's own

    def _work(self) -> None:
        while not self._stop.is_set():
            self._listen(0.25 if self._asked is not None else self.world.beat_s)
            if self._stop.is_set():
                return
            if self.closing is None:
                self.lookout.look(self.pace.steps)
                self.speak()
            self._judge()

    def _listen(self, seconds: float) -> None:
        """Wait, and hear of signals at once, even while the main thread is inside a call that Python cannot end."""
        if self._pipe is None:
            self._stop.wait(seconds)
            return
        ready, _, _ = select.select([self._pipe[0]], [], [], seconds)
        if ready and signal.SIGTERM in os.read(self._pipe[0], 64) and self._asked is None:
            self._asked = time.monotonic()

    def _judge(self) -> None:
        if self.cut is None:
            return
        now, limit = time.monotonic(), self.limit_s()
        if self.closing is not None:
            if self._asked is not None and now - max(self._asked, self.closing) > FINISH_S:
                self.cut("signal", "SIGTERM")
        elif self._asked is not None:
            if now - self._asked > ANSWER_S:
                self.cut("signal", "SIGTERM")
        elif limit is not None and self.lookout.waits and self.lookout.since_s >= limit:
            self.cut("timeout", f"waited {self.lookout.since_s:.0f} s")
