"""What must not come through live in each kind of output, and records full of it."""

from __future__ import annotations

import dataclasses
import enum
import json
import re
from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd
from markdown_it import MarkdownIt

from dlcheck.runs import Run

FRAGMENTS = (
    "<script>alert(1)</script>",
    '"onload="alert(1)',
    "'onerror='alert(1)",
    "</style></title></script><svg onload=alert(1)>",
    "<img src=x onerror=alert(1)>",
    "&lt;b&gt;",
    "[x](javascript:alert(1))",
    "![x](http://evil.example/x.png)",
    "http://evil.example www.evil.example <http://evil.example>",
    "| a | b |",
    "`code` ``` ~~~",
    "\n# heading\n- item\n\n    indented\n",
    "@somebody #17",
    "[bold red]x[/bold red]",
    "[link=http://evil.example]x[/link]",
    "[/]",
    "\x1b]0;title\x07",
    "\x1b]8;;http://evil.example\x1b\\x\x1b]8;;\x1b\\",
    "\x1b[2J\x1b[31m",
    "\x9b2J",
    "\x7f\x08\x00",
    "\u202eevil\u2066\u200b\ufeff",
    "\u2028\u2029\x85\x0b\x0c",
    "\ud800",
    "\n::error file=x::y",
    "%0A::set-output name=a::b",
    "::add-mask::x",
    "##[error]x",
    "\r\nforged line",
    "{0} {train} %s",
    "=HYPERLINK(1)",
    "]]>",
    "<!-- -->",
    "𝕏é",
)
EVIL = " ".join(FRAGMENTS)


def poisoned(value: Any, text: str) -> Any:
    """Return a record with this text in every string in it, keys of mappings included; kinds of things stay."""
    if isinstance(value, Run):
        return _poisoned_run(value, text)
    if isinstance(value, enum.Enum):
        return value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        kept = {"verdict", "result"}  # words of our own, as their types say
        changes = {
            field.name: poisoned(getattr(value, field.name), text)
            for field in dataclasses.fields(value)
            if field.init and field.name not in kept
        }
        return dataclasses.replace(value, **changes)
    if isinstance(value, str):
        return text
    if isinstance(value, Path):
        return Path(text.replace("\0", ""))
    if isinstance(value, Mapping):
        return {f"{text}{place}": poisoned(item, text) for place, item in enumerate(value.values())}
    if isinstance(value, list | tuple):
        return type(value)(poisoned(item, text) for item in value)
    return value


def _poisoned_run(run: Run, text: str) -> Run:
    scalars = run.scalars.copy()
    if len(scalars):
        plain = scalars["metric"].astype(str)
        renamed = [f"{text} {name}" if name not in ("loss", "lr") else name for name in plain]
        scalars["metric"] = pd.Categorical(renamed)
    facts = {name: poisoned(value, text) for name, value in run.facts.items()} | {text: text}
    told = {"format": text, "columns": {text: text}, "inferred": {text: text}, "ambiguous": [text], "unmapped": [text]}
    meta = {**told, "recipe": {text: {text: [text]}}, "environment": {text: text}}
    return dataclasses.replace(run, scalars=scalars, facts=facts, meta=meta)


def assert_plain(text: str) -> None:
    """No terminal escape, no bidirectional control, no forged line of a workflow's command."""
    for line in text.split("\n"):
        hidden = {char for char in line if not char.isprintable()}
        assert not hidden, (hidden, line)
        assert not line.strip().startswith("::"), line
        assert "##[" not in line


def assert_coloured(coloured: str, plain: str) -> None:
    """Nothing but colours was added, and no link."""
    assert "\x1b]" not in coloured
    bare = re.sub(r"\x1b\[[0-9;]*m", "", coloured)
    assert bare.split("\n") == plain.split("\n")


def assert_json(text: str, *words: str) -> None:
    """Valid JSON that holds the words as they are, and nothing that a terminal would obey."""
    content = json.loads(text)
    assert all(char == "\n" or char.isprintable() for char in text)
    held = set(_strings(content))
    assert all(any(word in one for one in held) for word in words)


def _strings(content: object) -> list[str]:
    if isinstance(content, dict):
        return [*content, *(word for item in content.values() for word in _strings(item))]
    if isinstance(content, list):
        return [word for item in content for word in _strings(item)]
    return [content] if isinstance(content, str) else []


OURS = {
    *("html", "head", "meta", "title", "style", "body", "script", "h1", "h2", "h3", "h4", "p", "small", "article"),
    *("ul", "li", "table", "tr", "th", "td", "details", "summary", "code", "pre", "hr", "a", "span", "figure"),
    *("figcaption", "div", "ins", "del", "br", "main", "section", "dl", "dt", "dd", "strong", "thead", "tbody"),
    "noscript",
}
HARMLESS = {
    *("class", "id", "lang", "charset", "http-equiv", "content", "name", "href", "role", "aria-label", "tabindex"),
    *("aria-labelledby", "data-group", "data-zoom", "scope", "colspan", "type"),
}


class _Page(HTMLParser):
    """Refuses every element and attribute that is not of our own making, and what is not closed."""

    VOID = frozenset({"meta", "hr", "br"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._look(tag, attrs)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._look(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def _look(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in OURS, tag
        assert {name for name, _ in attrs} <= HARMLESS, (tag, attrs)
        assert all(value is None or re.fullmatch(r"#[\w-]+", value) for name, value in attrs if name == "href")
        if tag == "script":
            kinds = [value for name, value in attrs if name == "type"]
            assert kinds in ([], ["application/json"])  # a script that runs, or data, which never does
            tag = "data" if kinds else tag
        self.seen.append(tag)


def assert_page(text: str) -> None:
    """A whole page with one script and one style, both ours, whose policy allows no other."""
    page = _Page()
    page.feed(text)
    page.close()
    assert page.open == []
    assert page.seen.count("script") == page.seen.count("style") == 1
    assert "default-src 'none'" in text
    for data in re.findall(r'<script type="application/json">(.*?)</script>', text, re.S):
        assert all(word.isprintable() for word in _strings(json.loads(data)))
    body = text.partition("<body>")[2].rpartition("<script>")[0]
    assert all(char == "\n" or char.isprintable() for char in body)


def assert_markdown(text: str) -> None:
    """What a hosting service makes of it has no link, no image, no script and no mention."""
    made = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(text)
    tags = {found.lower() for found in re.findall(r"</?([a-zA-Z][\w-]*)", re.sub(r"<!--.*?-->", "", made))}
    assert tags <= {*("h3", "p", "strong", "em", "ul", "li", "code", "details", "summary"), *_TABLE}, tags
    outside = re.sub(r"<code>.*?</code>", "", made, flags=re.DOTALL)
    assert not re.search(r"(?<![\w/])@\w", outside)
    assert not re.search(r"(?<!\w)#\d", outside)
    assert not re.search(r"https?://|www\.", outside)
    assert all(char == "\n" or char.isprintable() for char in text)


_TABLE = ("table", "thead", "tbody", "tr", "th", "td")


def assert_github(text: str, lines: int | None = None) -> None:
    """Every line is one command of three kinds, whose values hold no separator."""
    found = text.removesuffix("\n").split("\n")
    assert lines is None or len(found) == lines
    for line in found:
        match = re.fullmatch(r"::(error|warning|notice) ([^:]*)::(.*)", line)
        assert match is not None, line
        assert all(re.fullmatch(r"(title|file|line)=[^,:]*", one) for one in match[2].split(","))
        assert all(code in ("%25", "%3A", "%2C") for code in re.findall(r"%..", match[2]))
        assert all(code == "%25" for code in re.findall(r"%..", match[3]))
        assert all(char.isprintable() for char in line)


def assert_sarif(text: str) -> None:
    """Valid JSON whose places are relative references or files, whatever scheme a name begins with."""
    content = json.loads(text)
    assert all(char == "\n" or char.isprintable() for char in text)
    run = content["runs"][0]
    places = [place for result in run["results"] for place in result["locations"]]
    places += [
        place for one in run["invocations"][0]["toolExecutionNotifications"] for place in one.get("locations", ())
    ]
    assert places
    for place in places:
        uri = place["physicalLocation"]["artifactLocation"]["uri"]
        assert re.fullmatch(r"(file:///)?[\w./~%-]*", uri), uri
