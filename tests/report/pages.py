"""What stands on a page: its words, its elements, its charts."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import Any


class Tags(HTMLParser):
    """Collects elements and words, and refuses an element that is not closed where it should be."""

    VOID = frozenset({"meta", "hr", "br"})

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []
        self.words: list[str] = []
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open[-1:] not in (["script"], ["style"]):
            self.words.append(data)


def parsed(page: str) -> Tags:
    """Return the elements of a page that is whole."""
    tags = Tags()
    tags.feed(page)
    tags.close()
    assert tags._open == []
    return tags


def words(page: str) -> str:
    """Return the words of a page, one blank between two."""
    return " ".join(" ".join(parsed(page).words).split())


def charts(page: str) -> list[dict[str, Any]]:
    """Return the charts of a page: specification and data."""
    return [json.loads(found) for found in re.findall(r'<script type="application/json">(.*?)</script>', page, re.S)]


def titles(page: str) -> list[str]:
    """Return what stands above each chart."""
    return re.findall(r'<figcaption><span class="name">(.*?)</span>', page)


def chart(page: str, title: str) -> dict[str, Any]:
    """Return the first chart with these words in its title."""
    for figure in page.split("<figure")[1:]:
        if title in figure.partition("</figcaption>")[0].partition("<figcaption>")[2]:
            return charts(figure)[0]
    raise AssertionError(f"no chart {title!r} among {titles(page)}")


def of_kind(one: dict[str, Any], name: str, kind: str) -> int:
    """Return how many rows of a chart's data set are of a kind."""
    return list(one["data"][name]["kind"]).count(kind)


def curve(one: dict[str, Any], place: int) -> dict[float, float | None]:
    """Return a curve of a chart: y by x."""
    points = one["data"]["points"]
    return {x: y for x, y, s in zip(points["x"], points["y"], points["s"], strict=True) if s == str(place)}


def sets_of(layers: list[Any]) -> set[str]:
    """Return the data sets that the layers of a chart name."""
    return {layer["data"]["name"] for layer in layers if "name" in layer["data"]}
