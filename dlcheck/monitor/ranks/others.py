"""What a rank that ends sees of the others: who has ended too, who is silent, whose process is gone."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dlcheck.monitor.ranks.courier import Courier
from dlcheck.monitor.ranks.world import World, host_name
from dlcheck.runs.ranks import SILENT_BEATS, Seen, Word, read_words

LOOKERS = 2
"""The lowest ranks look at all others when they end: rank 0, and one more should that be the one that is lost."""
PAUSE_S = 0.1


@dataclass(frozen=True, slots=True)
class View:
    """All words, and what was seen of ranks that never said that they ended."""

    words: Mapping[int, Word]
    seen: tuple[Seen, ...]


def look_around(world: World, run: Path, courier: Courier, *, failed: bool) -> View:
    """Wait until every rank that was ever heard of has ended, is gone or is silent; for some beats at most.

    Args:
        world: The place of this rank.
        run: The run's folder, in which ranks that share a file system leave their words.
        courier: Brings the words of ranks that do not.
        failed: This rank did not end as it should; otherwise the others are given only a moment.
    """
    looking = range(world.size) if world.rank < LOOKERS else ()
    courier.want(looking)
    begun, heard = time.monotonic(), dict[int, tuple[int, float]]()
    limit = begun + (SILENT_BEATS + 2) * world.beat_s if failed else begun + 2 * world.beat_s
    while True:
        now, fetched = time.monotonic(), courier.fetched.is_set()  # asked before the words are looked at
        words = _newest(run, courier)
        for rank, word in words.items():
            if heard.get(rank, (-1, 0.0))[0] != word.beat:
                heard[rank] = word.beat, now if rank in heard else begun
        open_ = [word for word in words.values() if not word.ending and word.rank != world.rank]
        seen = tuple(_seen(word, now - heard[word.rank][1], now - begun) for word in open_)
        quiet = SILENT_BEATS * world.beat_s
        # One that has spoken since this look began is not lost, whatever it waits for.
        known = all(one.alive is False or one.silent_s >= quiet or heard[one.rank][1] > begun for one in seen)
        first = fetched and (not seen or world.rank != 0)
        enough = known and (first or now - begun > 2 * world.beat_s)
        if now >= limit or not looking or enough:
            courier.want(())
            return View(words, seen)
        time.sleep(PAUSE_S)


def _newest(run: Path, courier: Courier) -> dict[int, Word]:
    words = read_words(run)
    for rank, (word, _) in list(courier.words.items()):
        if rank not in words or words[rank].beat < word.beat:
            words[rank] = word
    return words


def _seen(word: Word, silent_s: float, looked_s: float) -> Seen:
    """Return what is seen of a rank; the time before this look is known of one on this host alone."""
    if word.host != host_name():
        return Seen(word.rank, silent_s, None)
    earlier = max(time.time() - looked_s - word.wall, 0.0) if silent_s >= looked_s else 0.0
    return Seen(word.rank, silent_s + earlier, _alive(word.pid))


def _alive(pid: int) -> bool | None:
    """Return whether a process of this host is there; None where that cannot be told."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return None
    try:  # one that has ended and waits to be collected by its parent is there in name only
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return None if Path("/proc/self").exists() else True
    return state not in ("Z", "X")
