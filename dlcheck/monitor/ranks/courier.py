"""Carries the words of ranks through the store that all of them share, in a thread of its own.

Never a collective call, and nobody waits for this thread: a rank without it is a rank that is not heard of. It has a
connection of its own, because a store's client serves one call at a time and the script's may wait for minutes.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from dlcheck.monitor.ranks.world import World
from dlcheck.runs.ranks import Word, decoded, encoded

CONNECT_S = 5.0
"""Longest wait for a store that should be there."""
QUICK_S = 0.05
"""Between two looks for what is awaited."""
AGAIN_S = 3.0
"""After a failure of the store."""


class Courier:
    """Tells this rank's words and the run's folder, and brings those of others when they are wanted."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.run = ""
        """The run's folder as rank 0 announced it, empty while that is not known."""
        self.words: dict[int, tuple[Word, float]] = {}
        """Words of others, and when they last changed by this rank's own clock (monotonic seconds)."""
        self.announced = threading.Event()
        self.fetched = threading.Event()
        """Set once all words that are wanted have been asked for."""
        self._wanted: tuple[int, ...] = ()
        self._out: Word | None = None
        self._stop = threading.Event()
        self._nudge = threading.Event()
        self._client: Any = None
        self._thread = threading.Thread(target=self._work, name="dlcheck-courier", daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def stop(self, wait_s: float = 1.0) -> None:
        """Send what is left, if the store takes it, and end."""
        self._stop.set()
        self._nudge.set()
        self._thread.join(wait_s)

    def tell(self, word: Word) -> None:
        """Send a word, in place of an earlier one that is not sent yet."""
        self._out = word
        self._nudge.set()

    def announce(self, run: str) -> None:
        """Tell all others where the run's folder is; for rank 0."""
        self.run = run

    def want(self, ranks: Iterable[int]) -> None:
        """Fetch the words of these ranks from now on, again and again."""
        self._wanted = tuple(ranks)
        self.fetched.clear()
        self._nudge.set()

    # ---- the thread's own

    def _work(self) -> None:
        told = False
        while True:
            ending = self._stop.is_set()
            try:
                told = self._serve(told)
            except Exception:  # a store that is gone, a network that is cut: those who run are told by silence
                self._client = None
                if ending or self._stop.wait(AGAIN_S):
                    return
            if ending:
                return
            busy = self._wanted or (not told and self._client is not None)
            self._nudge.wait(QUICK_S if busy else self.world.beat_s)
            self._nudge.clear()
            if busy:
                time.sleep(QUICK_S)

    def _serve(self, told: bool) -> bool:
        """Do what there is to do; return whether the folder has been announced or heard."""
        if self._client is None:
            self._client = self._connect()
            if self._client is None:
                return told
        if not told:
            told = self._folder()
        word, self._out = self._out, None
        if word is not None:
            self._client.set(self._key(word.rank), encoded(word))
        wanted = self._wanted
        for rank in wanted:
            self._fetch(rank)
        if wanted and wanted == self._wanted:
            self.fetched.set()
        return told

    def _folder(self) -> bool:
        key = self._key("run")
        if self.world.rank == 0:
            if self.run:
                self._client.set(key, self.run)
            return bool(self.run)
        if not self._client.check([key]):
            return False
        self.run = self._client.get(key).decode("utf-8")
        self.announced.set()
        return True

    def _fetch(self, rank: int) -> None:
        key = self._key(rank)
        if not self._client.check([key]):
            return
        word = decoded(self._client.get(key).decode("utf-8"))
        known = self.words.get(rank)
        if word is not None and (known is None or known[0].beat != word.beat):
            self.words[rank] = word, time.monotonic()

    def _key(self, what: int | str) -> str:
        return f"dlcheck/{self.world.restart}/{what}"

    def _connect(self) -> Any:
        """Return a connection to the store of the launcher, or of the script's own group; None where there is none."""
        from torch.distributed import TCPStore  # type: ignore[attr-defined]

        address = self.world.agent or _default_store()
        if address is None:
            return None
        return TCPStore(
            address[0], address[1], is_master=False, wait_for_workers=False, timeout=timedelta(seconds=CONNECT_S)
        )


def _default_store() -> tuple[str, int] | None:
    """Return host and port of the store of the script's own group; None where it has none, or one of another kind."""
    from torch import distributed as dist
    from torch.distributed import PrefixStore, TCPStore  # type: ignore[attr-defined]

    if not dist.is_available() or not dist.is_initialized():
        return None
    store: Any = dist.distributed_c10d._get_default_store()
    while isinstance(store, PrefixStore):
        store = store.underlying_store
    return (store.host, store.port) if isinstance(store, TCPStore) else None
