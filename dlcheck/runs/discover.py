"""The logs among files, folders and globs that a user names."""

import os
import re
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from dlcheck.errors import one_line
from dlcheck.runs.content import why_no_log
from dlcheck.runs.intake import MOST_DEPTH, MOST_ENTRIES, leads_outside, no_file
from dlcheck.runs.readers.reader import Reader, named_reader, recognise

_SKIPPED_FOLDERS = {".git", ".hg", ".svn", "__pycache__", "node_modules", ".venv", "site-packages", ".mypy_cache"}
_SUFFIXES_OF_LOGS = (".csv", ".tsv", ".json", ".jsonl", ".log", ".txt", ".out", ".err", ".md", ".wandb", "")
_CHECKPOINT = re.compile(r"checkpoint-(\d{1,12})")
_STATE = "trainer_state.json"


@dataclass(frozen=True, slots=True)
class Found:
    """A path that a reader knows."""

    path: Path
    reader_name: str


@dataclass(frozen=True, slots=True)
class Refused:
    """A path that is no log, or a broken one."""

    path: Path
    why: str
    """Without the path, for one line."""


def discover(paths: Iterable[str | Path], *, reader: str | None = None) -> Iterator[Found | Refused]:
    """Yield the logs at and below paths, each once, and what was refused.

    A folder is searched in the order of names; a link in it that leads out of it is told and not followed. A folder
    that is a log as a whole is not searched further. Of the copies of one history that Hugging Face's Trainer leaves
    in its checkpoints the longest is taken. What a search meets is only refused where it cannot be read.

    Args:
        paths: Files, folders, or globs as ``runs/**/metrics.csv``.
        reader: The format of every file, when it is not to be recognised.

    Raises:
        DlcheckError: no reader has that name.
    """
    forced = named_reader(reader) if reader else None
    seen: set[Path] = set()
    for path in paths:
        for item in _at(path, forced):
            place = _real(item.path)
            if place not in seen:
                seen.add(place)
                yield item


def _at(path: str | Path, forced: Reader | None) -> Iterator[Found | Refused]:
    place = Path(path)
    if _exists(place):
        yield from _named(place, forced)
        return
    is_glob = any(sign in str(path) for sign in "*?[")
    matching = _matching(place) if is_glob else []
    if not matching:
        yield Refused(place, "nothing matches" if is_glob else "no such file or folder; expected a log or a run folder")
    for entry in matching:
        yield from _named(entry, forced)


def _matching(pattern: Path) -> list[Path]:
    root = Path(pattern.anchor)
    try:
        return sorted(root.glob(str(pattern.relative_to(root))))
    except (OSError, ValueError, NotImplementedError):
        return []


def _named(path: Path, forced: Reader | None) -> Iterator[Found | Refused]:
    """Yield what a path that the user named holds."""
    if path.is_dir():
        yield from _folder(path, forced)
    elif (endless := no_file(path)) is not None:
        yield Refused(path, f"no training log: {endless}")
    elif forced is None and path.suffix == ".py":
        yield Refused(path, f"no training log but a script; dlcheck watch {shlex.quote(str(path))} runs and judges it")
    else:
        known = forced or recognise(path)
        why = why_no_log(path) if forced is None or not _exists(path) else None
        yield Found(path, known.name) if known else Refused(path, f"no training log: {why or 'of no known format'}")


def _folder(path: Path, forced: Reader | None) -> Iterator[Found | Refused]:
    empty = True
    for item in _search(path, forced, frozenset(), _Search(os.path.realpath(path))):
        empty = empty and not isinstance(item, Found)
        yield item
    if empty:
        yield Refused(path, "no training log in this folder")


@dataclass(slots=True)
class _Search:
    """A search through a folder."""

    root: str
    """Its real path."""
    left: int = MOST_ENTRIES
    """Entries that it may still look at."""

    def inside(self, path: Path) -> list[Path]:
        """Return what is in a folder, by name.

        Raises:
            OSError: it cannot be read, or the search has looked at too much.
        """
        found = list(islice(path.iterdir(), self.left + 1))
        self.left -= len(found)
        if self.left < 0:
            raise OSError(f"more than {MOST_ENTRIES} files and folders; name fewer of them")
        return sorted(found)


def _search(path: Path, forced: Reader | None, above: frozenset[Path], search: _Search) -> Iterator[Found | Refused]:
    place = _real(path)
    if place in above:  # a link that leads back
        return
    whole = _whole(path, forced)
    if whole is not None:
        yield whole
        return
    try:
        if len(above) > MOST_DEPTH:
            raise OSError(f"more than {MOST_DEPTH} folders within each other")
        inside = search.inside(path)
    except OSError as error:
        yield Refused(path, f"cannot read: {one_line(error)}")
        return
    yield from _inside(_without_copies(inside), forced, above | {place}, search)


def _in_the_making(name: str) -> bool:
    """Return whether a folder is a run's before it has its name, which only a kill leaves."""
    return name.startswith(".") and name.endswith(".tmp")


def _inside(
    entries: list[Path], forced: Reader | None, above: frozenset[Path], search: _Search
) -> Iterator[Found | Refused]:
    for entry in entries:
        if entry.is_symlink() and (leads := leads_outside(entry, search.root)) is not None and _exists(Path(leads)):
            yield Refused(entry, f"a link out of the folder that is searched, to {leads}; name that place itself")
        elif _is_folder(entry):
            if entry.name not in _SKIPPED_FOLDERS and not _in_the_making(entry.name):
                yield from _search(entry, forced, above, search)
        elif (item := _met(entry, forced)) is not None:
            yield item


def _whole(path: Path, forced: Reader | None) -> Found | None:
    if forced is not None:
        return Found(path, forced.name) if forced.folder and forced.matches(path) else None
    known = recognise(path)
    return Found(path, known.name) if known else None


def _met(path: Path, forced: Reader | None) -> Found | Refused | None:
    """Return what a file that a search met holds; None for what is nobody's log."""
    try:
        if not path.is_file():
            return Refused(path, "a link to nothing") if path.is_symlink() and not path.exists() else None
    except OSError as error:
        return Refused(path, f"cannot read: {one_line(error)}")
    if forced is not None:
        return Found(path, forced.name) if not forced.folder and forced.matches(path) else None
    known = recognise(path)
    if known is not None:
        return Found(path, known.name)
    why = why_no_log(path) if path.suffix.lower() in _SUFFIXES_OF_LOGS or ".tfevents." in path.name else None
    return Refused(path, why) if why and why.startswith("cannot read") else None


def _without_copies(entries: list[Path]) -> list[Path]:
    """Leave out the checkpoints of a Trainer whose history stands in the folder itself or in a later checkpoint."""
    states = [entry for entry in entries if _CHECKPOINT.fullmatch(entry.name) and _exists(entry / _STATE)]
    if any(entry.name == _STATE for entry in entries):
        return [entry for entry in entries if entry not in states]
    latest = max(states, key=lambda entry: int(entry.name.rpartition("-")[2]), default=None)
    return [entry for entry in entries if entry not in states or entry == latest]


def _real(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError):  # a link to itself
        return path.absolute()


def _exists(path: Path) -> bool:
    try:
        return os.path.lexists(path)
    except ValueError:  # a NUL in its name
        return False


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False
