"""A recipe for a folder of images."""

from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dlcheck.checks.starter.amounts import Parts, divided
from dlcheck.checks.starter.classes import Classes, told
from dlcheck.checks.starter.copies import copies
from dlcheck.checks.starter.image_advice import Images, chosen_side, image_tables
from dlcheck.checks.starter.pixels import Pixels, look_at_files
from dlcheck.checks.starter.sections import HEAD, given_words, split_table
from dlcheck.components.data.image_folder import Listing, list_splits, split_folders
from dlcheck.errors import DlcheckError
from dlcheck.recipe.starter import Line, Starter, Table

SHOWN = 5
"""Damaged files and copies that are named."""
MOST_DROPPED = 200
"""Files that a recipe lists; with more of them the folder needs a hand."""
DEPTH = 3
"""Folders that may lie one in another around the classes."""


def find_root(folder: Path) -> Path:
    """Return the folder that holds classes, or parts of them: the only sub-folder is entered, as archives have it."""
    root = folder
    for _ in range(DEPTH):
        inner = [item for item in root.iterdir() if item.is_dir() and item.name[0] != "."]
        files = [item for item in root.iterdir() if item.is_file() and item.name[0] != "."]
        if len(inner) != 1 or files or "train" in split_folders(root):
            break
        root = inner[0]
    return root


def folder_starter(folder: Path) -> Starter:
    """Measure a folder of images, one sub-folder a class, and write a recipe for it.

    Raises:
        DlcheckError: no classes, no images, or too many files that are none.
    """
    root = find_root(folder)
    listings = list_splits(root)
    if len(listings["train"].classes) < 2:
        raise DlcheckError(f"{folder}: one class only, {listings['train'].classes[0]!r}; at least 2 folders are needed")
    files = [file for listing in listings.values() for file in listing.files]
    pixels, broken = look_at_files(files)
    if pixels is None:
        raise DlcheckError(f"{folder}: none of {len(files):,} files is an image; a folder of images a class is needed")
    if len(broken) > MOST_DROPPED:
        first = next(iter(broken))
        raise DlcheckError(f"{folder}: {len(broken):,} files are no images, the first {first}; take them out first")
    return _Draft(folder, root, listings, pixels, broken).starter()


@dataclass(frozen=True, slots=True)
class _Copies:
    """Exact copies: those to leave out, and those whose class is in doubt."""

    extra: tuple[Path, ...]
    between: int
    """Groups with files in several parts."""
    torn: tuple[tuple[Path, Path], ...]
    """Two files of the same bytes in different classes."""


def _find_copies(listings: dict[str, Listing], broken: dict[Path, str]) -> _Copies:
    place: dict[Path, tuple[int, int]] = {}
    # A copy that trains is left out rather than one that validates: test, then validation, then training.
    for rank, name in enumerate(("test", "val", "train")):
        if name in listings:
            listing = listings[name]
            place |= {file: (rank, code) for file, code in zip(listing.files, listing.codes, strict=True)}
    extra: list[Path] = []
    torn: list[tuple[Path, Path]] = []
    between = 0
    for group in copies([file for file in place if file not in broken]):
        if len({place[file][1] for file in group}) > 1:
            other = next(file for file in group if place[file][1] != place[group[0]][1])
            torn.append((group[0], other))
            continue
        between += len({place[file][0] for file in group}) > 1
        extra += sorted(group, key=lambda file: place[file][0])[1:]
    return _Copies(tuple(extra), between, tuple(torn))


class _Draft:
    """All that is known of a folder while its recipe is written."""

    def __init__(
        self, folder: Path, root: Path, listings: dict[str, Listing], pixels: Pixels, broken: dict[Path, str]
    ) -> None:
        self.folder, self.root, self.listings, self.pixels, self.broken = folder, root, listings, pixels, broken
        self.copies = _find_copies(listings, broken)
        listed = len(self.copies.extra) + len(broken) <= MOST_DROPPED
        out = {*broken, *(self.copies.extra if listed else ())}
        self.out = tuple(sorted(file.relative_to(root).as_posix() for file in out))
        kept = {
            name: [code for file, code in zip(part.files, part.codes, strict=True) if file not in out]
            for name, part in listings.items()
        }
        counted = Counter(kept["train"])
        names = listings["train"].classes
        self.classes = Classes(names, tuple(counted[code] for code in range(len(names))))
        empty = next((name for name, count in zip(names, self.classes.counts, strict=True) if not count), None)
        if empty is not None:
            raise DlcheckError(f"{root}: class {empty!r} has no readable image to train on")
        self.files = sum(len(part.files) for part in listings.values())
        sizes = {name: len(part) for name, part in kept.items()}
        self.parts: Parts = divided(sizes["train"], sizes.get("val"), sizes.get("test"))
        self.side, self.side_why = chosen_side(pixels, self.parts.train)

    def starter(self) -> Starter:
        images = Images(self.pixels, self.classes, self.parts, self.side)
        return Starter(
            source=str(self.folder),
            kind="images",
            told=self._told(),
            measures=self._measures(),
            tables=(self._data(), *split_table(self.parts, classes=self.classes), *image_tables(images)),
            heed=self._heed(),
            head=HEAD,
        )

    def _data(self) -> Table:
        given = given_words(self.parts)
        lines = [
            Line("name", "image_folder", "one sub-folder of images a class"),
            Line("root", str(self.root), f"comes in parts: {given}" if given else f"{self.files:,} files"),
            Line("image_size", self.side, self.side_why),
        ]
        if self.pixels.one_size and self.pixels.short == self.side:
            lines.append(Line("resize", self.side, "no margin is cut off: they have this size already"))
        if self.pixels.all_grey:
            lines.append(Line("channels", 1, f"all {self.pixels.looked:,} images looked at are grey"))
        lines.append(Line("normalize", "standardize", f"measured: {self.pixels.moments}; training takes its own"))
        if self.out:
            why = f"left out: {len(self.broken)} files that cannot be read as images"
            why += f", {len(self.copies.extra)} exact copies of others" if self.copies.extra else ""
            lines.append(Line("drop", self.out, why))
        return Table("data", tuple(lines), (f"{told(self.classes)} for training.",))

    def _heed(self) -> tuple[str, ...]:
        heed = []
        for file, why in list(self.broken.items())[:SHOWN]:
            heed.append(f"{file.relative_to(self.root)} cannot be read: {why}; it is left out (data.drop)")
        if len(self.broken) > SHOWN:
            heed.append(f"{len(self.broken) - SHOWN} more files cannot be read and are left out (data.drop)")
        if self.copies.extra and len(self.copies.extra) + len(self.broken) > MOST_DROPPED:
            heed.append(
                f"{len(self.copies.extra):,} files are exact copies, too many to list: take them out of the folder"
            )
        heed += [
            f"{one.relative_to(self.root)} and {other.relative_to(self.root)} are the same image in two classes"
            for one, other in self.copies.torn[:SHOWN]
        ]
        if self.pixels.looked + len(self.broken) < self.files:
            heed.append(
                f"{self.pixels.looked + len(self.broken):,} of {self.files:,} files were decoded, evenly chosen"
            )
        if not self.pixels.one_size and self.pixels.aspect > 1.5:
            heed.append(
                f"images are {self.pixels.aspect:.1f} times as long as wide on median: only the middle square is seen"
            )
        return tuple(heed)

    def _told(self) -> tuple[tuple[str, str], ...]:
        copied = self.copies
        rows = [
            ("images", f"{self.files:,}" + (f": {given}" if (given := given_words(self.parts)) else "")),
            ("classes", told(self.classes)),
            ("sizes", self.pixels.sizes),
            ("colour", f"{self.pixels.looked - self.pixels.grey:,} in colour, {self.pixels.grey:,} grey"),
            ("pixels", self.pixels.moments),
        ]
        rows += [("unreadable", f"{len(self.broken):,}, left out")] if self.broken else []
        if copied.extra or copied.torn:
            told_of = (
                f"{len(copied.extra):,}, in {copied.between:,} cases across parts; {len(copied.torn):,} across classes"
            )
            rows.append(("exact copies", told_of))
        return tuple(rows)

    def _measures(self) -> dict[str, Any]:
        return {
            "root": str(self.root),
            "files": self.files,
            "decoded": self.pixels.looked + len(self.broken),
            "classes": dict(zip(self.classes.names, self.classes.counts, strict=True)),
            "parts": {"train": self.parts.train, "val": self.parts.val, "test": self.parts.test},
            "given": sorted(self.parts.given),
            "pixels": asdict(self.pixels),
            "unreadable": {str(file.relative_to(self.root)): why for file, why in self.broken.items()},
            "copies": [str(file.relative_to(self.root)) for file in self.copies.extra],
            "copies_across_parts": self.copies.between,
            "copies_across_classes": [[str(f.relative_to(self.root)) for f in pair] for pair in self.copies.torn],
            "dropped": list(self.out),
        }
