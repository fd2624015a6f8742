"""What the ranks of a distributed training leave beside each other in its run folder, put together."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from dlcheck.runs.facts.fact import Site
from dlcheck.runs.facts.ranks import RankPace, Ranks, RankState, RankTimes
from dlcheck.runs.intake import bytes_of
from dlcheck.runs.strict_json import dumps, loads

FOLDER, FILE, CRASH = "ranks", "rank.json", "crash.txt"
"""A rank's word lies in ``RUN/ranks/RANK/rank.json``; beside it what Python wrote where native code failed."""
_FRAME = re.compile(r'^  File "(.+)", line (\d+) in ', re.MULTILINE)
_FOREIGN = ("site-packages", "dist-packages", f"{os.sep}lib{os.sep}python", f"{os.sep}dlcheck{os.sep}", "<")


SILENT_BEATS = 4.0
"""Signs of life that did not come after which a rank counts as silent."""
AT_MOST = 200
"""Words a second that all ranks together send; a store was seen to take a hundred thousand."""
MOST_TEXT = 100_000
"""Characters of a traceback that are read."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What one rank saw of another that never said that it ended."""

    rank: int
    silent_s: float
    alive: bool | None


@dataclass(frozen=True, slots=True)
class Word:
    """What a rank says of itself, about once a second and when it ends."""

    rank: int
    size: int
    host: str
    pid: int
    beat: int = 0
    """Counts the words of this rank."""
    wall: float = 0.0
    """Unix time by the clock of its host, seconds."""
    step: int = 0
    site: Site | None = None
    doing: str = ""
    call: str = ""
    since_s: float = 0.0
    ending: str = ""
    detail: str = ""
    event: str = ""
    """The last thing that its own monitor noted."""
    block: int = 0
    own_s: tuple[float, ...] = ()
    period_s: tuple[float, ...] = ()
    seen: tuple[Seen, ...] = ()


def beat_s(size: int) -> float:
    """Return the seconds between two words of a rank: one, and more among hundreds of ranks."""
    return max(1.0, size / AT_MOST)


def encoded(word: Word) -> str:
    """Return a word as one line of JSON."""
    return dumps(asdict(word))


def decoded(text: str) -> Word | None:
    """Return the word in a text, None where it holds none."""
    import msgspec  # a tenth of the start of ``dlcheck diagnose``, for runs that mostly have one process

    try:
        return msgspec.convert(loads(text), Word)
    except (msgspec.ValidationError, ValueError, TypeError):
        return None


def place_of(run: Path, rank: int) -> Path:
    """Return the folder of one rank's part."""
    return run / FOLDER / str(rank)


def write_word(folder: Path, word: Word) -> None:
    """Put a word where readers find the old one or the new one; not synced to the disk, since the next one comes soon.

    Raises:
        OSError: the folder cannot be made or written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    aside = folder / f".{FILE}.{word.pid}"
    aside.write_text(encoded(word) + "\n", encoding="utf-8")
    aside.replace(folder / FILE)


def read_words(run: Path) -> dict[int, Word]:
    """Return the last word of each rank that left one in a run folder."""
    words = {}
    for file in sorted((run / FOLDER).glob(f"*/{FILE}")):
        try:
            word = decoded(bytes_of(file).decode("utf-8"))
        except (OSError, UnicodeDecodeError):
            continue
        if word is not None and file.parent.name == str(word.rank):
            words[word.rank] = word if word.ending else _crashed(word, file.parent / CRASH)
    return words


def _crashed(word: Word, file: Path) -> Word:
    """Return the word of a rank that never said that it ended with what Python wrote as it was ended."""
    try:
        text = bytes_of(file).decode("utf-8", errors="replace")[:MOST_TEXT]
    except OSError:
        return word
    head = text.partition("\n")[0]
    if not head.startswith("Fatal Python error: "):
        return word
    frames = ((file, int(line)) for file, line in _FRAME.findall(text))
    site = next((Site(file, line) for file, line in frames if not any(part in file for part in _FOREIGN)), None)
    return replace(word, detail=head.removeprefix("Fatal Python error: "), site=site or word.site)


def rank_facts(words: Mapping[int, Word]) -> dict[str, object]:
    """Return the facts that the words of all ranks amount to; empty for a training of one process."""
    size = max((word.size for word in words.values()), default=0)
    if size < 2:
        return {}
    seen = {one.rank: one for word in words.values() for one in word.seen}
    newest = max(word.wall for word in words.values())
    first = min((word.wall for word in words.values() if word.ending), default=None)
    ordered = [words[rank] for rank in sorted(words)]
    states = tuple(_state(word, seen.get(word.rank), newest, first) for word in ordered)
    return {**Ranks(size, states).as_dict(), **_times(ordered)}


def _state(word: Word, seen: Seen | None, newest: float, first: float | None) -> RankState:
    silent = 0.0 if word.ending else seen.silent_s if seen is not None else newest - word.wall
    if silent < SILENT_BEATS * beat_s(word.size):
        silent = 0.0
    return RankState(
        rank=word.rank,
        step=word.step,
        ending=word.ending,
        detail=word.detail,
        host=word.host,
        site=word.site,
        doing=word.doing,
        call=word.call,
        since_s=word.since_s,
        silent_s=max(silent, 0.0),
        alive=None if word.ending or seen is None else seen.alive,
        ended_s=word.wall - first if word.ending and first is not None else None,
    )


def _times(words: Iterable[Word]) -> dict[str, dict[str, object]]:
    """Return the times of those that measured some, in blocks of equally many steps."""
    told = [word for word in words if word.block > 0 and word.own_s and len(word.own_s) == len(word.period_s)]
    if len(told) < 2:
        return {}
    block = max(word.block for word in told)
    level = [_coarser(word, block) for word in told]
    count = min(len(word.own_s) for word in level)
    if not count:
        return {}
    paces = tuple(RankPace(word.rank, word.own_s[:count]) for word in level)
    return RankTimes(block, level[0].period_s[:count], paces).as_dict()


def _coarser(word: Word, block: int) -> Word:
    """Return a word whose blocks are joined by twos until they have so many steps, which are a power of two."""
    own, period, size = word.own_s, word.period_s, word.block
    while size < block:
        own, period, size = halved(own), halved(period), 2 * size
    return replace(word, own_s=own, period_s=period, block=size)


def halved(means: tuple[float, ...]) -> tuple[float, ...]:
    """Return the means of blocks twice as long; an odd one at the end is left out."""
    return tuple((a + b) / 2 for a, b in zip(means[::2], means[1::2], strict=False))
