"""What is kept between calls: a line a case, and a line a score; a torn last line is left out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the whole lines of a file that may not be there."""
    if not path.exists():
        return
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            found = json.loads(line)
        except json.JSONDecodeError:
            continue
        if isinstance(found, dict):
            yield found


def append(path: Path, entry: dict[str, Any]) -> None:
    """Add a line, in one write, so that several processes may."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(entry) + "\n"
    if path.exists() and path.stat().st_size:
        with path.open("rb") as file:
            file.seek(-1, 2)
            text = text if file.read(1) == b"\n" else "\n" + text
    with path.open("a", encoding="utf-8") as file:
        file.write(text)


class Scores:
    """Points of trainings, by recipe and seed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._known = {one["key"]: float(one["points"]) for one in lines(path)}

    def known(self, recipe: str) -> float | None:
        """Return the points of a recipe that was trained."""
        return self._known.get(_key(recipe))

    def add(self, recipe: str, points: float) -> None:
        """Keep the points of a recipe."""
        self._known[_key(recipe)] = points
        append(self.path, {"key": _key(recipe), "points": round(points, 4)})


def _key(recipe: str) -> str:
    return hashlib.sha256(recipe.encode()).hexdigest()[:16]
