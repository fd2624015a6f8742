"""A file of the user's as text and as a syntax tree, and edits that leave all other text as it is."""

from __future__ import annotations

import ast
import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate
from pathlib import Path

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Edit:
    """One stretch of text, replaced."""

    start: int
    """Characters from the beginning of the file."""
    end: int
    text: str


@dataclass(frozen=True)
class Source:
    """A Python file."""

    path: Path
    text: str

    @classmethod
    def read(cls, path: Path) -> Source | None:
        """Return a file, None where it cannot be read as Python in UTF-8."""
        try:
            source = cls(path, path.read_bytes().decode("utf-8"))
            if "\r" in source.text.replace("\r\n", "\n"):  # Python's lines would not be ours
                return None
            _ = source.tree
        except (OSError, UnicodeDecodeError, SyntaxError, ValueError, RecursionError):
            return None
        return source

    @cached_property
    def tree(self) -> ast.Module:
        """Its syntax tree."""
        return ast.parse(self.text)

    @cached_property
    def lines(self) -> list[str]:
        """Its lines as Python counts them, with their ends."""
        # str.splitlines would also split at form feeds, which Python does not.
        return [f"{line}\n" for line in self.text.split("\n")[:-1]] + [self.text.split("\n")[-1]]

    @cached_property
    def _starts(self) -> list[int]:
        return [0, *accumulate(map(len, self.lines))]

    @cached_property
    def parents(self) -> dict[ast.AST, ast.AST]:
        """The node that holds each node."""
        return {child: node for node in ast.walk(self.tree) for child in ast.iter_child_nodes(node)}

    def offset(self, line: int, column: int) -> int:
        """Return the place of a line (from 1) and a column (bytes of UTF-8, as the syntax tree counts them)."""
        before = self.lines[line - 1].encode("utf-8")[:column].decode("utf-8", errors="ignore")
        return self._starts[line - 1] + len(before)

    def span(self, node: ast.expr | ast.stmt) -> tuple[int, int]:
        """Return where a node begins and ends."""
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return self.offset(node.lineno, node.col_offset), self.offset(node.end_lineno, node.end_col_offset)

    def said(self, node: ast.expr | ast.stmt) -> str:
        """Return a node's own text."""
        start, end = self.span(node)
        return self.text[start:end]

    def indent(self, statement: ast.stmt) -> str | None:
        """Return the white space before a statement, None where something else stands before it in its line."""
        before = self.text[self._starts[statement.lineno - 1] : self.span(statement)[0]]
        return before if not before.strip(" \t") else None

    def before(self, statement: ast.stmt, *code: str) -> Edit | None:
        """Return the edit that puts lines before a statement; None where it shares its line."""
        indent = self.indent(statement)
        if indent is None or getattr(statement, "decorator_list", None):
            return None
        place = self._starts[statement.lineno - 1]
        return Edit(place, place, "".join(f"{indent}{line}{self._end}" if line else self._end for line in code))

    def after(self, statement: ast.stmt, *code: str) -> Edit | None:
        """Return the edit that puts lines after a statement; None where it shares its lines."""
        if not self._alone(statement):
            return None
        assert statement.end_lineno is not None
        indent, place = self.indent(statement), self._starts[statement.end_lineno]
        lines = f"{self._end}".join(f"{indent}{line}" for line in code)
        ended = self.lines[statement.end_lineno - 1].endswith("\n")
        return Edit(place, place, f"{lines}{self._end}" if ended else f"{self._end}{lines}")

    def without(self, statement: ast.stmt) -> Edit | None:
        """Return the edit that takes a statement's lines away; None where others share them, or nothing were left."""
        if not self._alone(statement) or len(self.block(statement)) < 2:
            return None
        assert statement.end_lineno is not None
        return Edit(self._starts[statement.lineno - 1], self._starts[statement.end_lineno], "")

    def moved(self, statement: ast.stmt, *, after: ast.stmt, more: Sequence[str] = ()) -> list[Edit] | None:
        """Return the edits that move a statement behind another one, with further lines before it."""
        return self._moved(statement, self.after(after, *more, *self._body_lines(statement)))

    def moved_before(self, statement: ast.stmt, other: ast.stmt, more: Sequence[str] = ()) -> list[Edit] | None:
        """Return the edits that move a statement before another one, with further lines before it."""
        return self._moved(statement, self.before(other, *more, *self._body_lines(statement)))

    def _moved(self, statement: ast.stmt, put: Edit | None) -> list[Edit] | None:
        taken, indent = self.without(statement), self.indent(statement) or ""
        if put is None or taken is None or statement.end_lineno is None:
            return None
        # Lines that begin further to the left are those of a string, which must stay as it is.
        whole = self.lines[statement.lineno - 1 : statement.end_lineno]
        return [taken, put] if all(line.startswith(indent) for line in whole) else None

    def _body_lines(self, statement: ast.stmt) -> list[str]:
        """Return a statement's lines without the white space that all of them begin with."""
        indent = self.indent(statement) or ""
        whole = self.lines[statement.lineno - 1 : statement.end_lineno]
        return [line.rstrip("\r\n").removeprefix(indent) for line in whole]

    def _alone(self, statement: ast.stmt) -> bool:
        """Return whether nothing but a comment shares a statement's lines."""
        assert statement.end_lineno is not None
        line = self.lines[statement.end_lineno - 1]
        rest = self.text[self.span(statement)[1] : self._starts[statement.end_lineno - 1] + len(line)].strip()
        return self.indent(statement) is not None and (not rest or rest.startswith("#"))

    def block(self, statement: ast.stmt) -> list[ast.stmt]:
        """Return the statements of the block that a statement is in, itself among them."""
        holder = self.parents.get(statement)
        for name in ("body", "orelse", "finalbody"):
            inside = getattr(holder, name, None)
            if isinstance(inside, list) and statement in inside:
                return inside
        return [statement]

    def scope(self, node: ast.AST) -> ast.AST:
        """Return the function that a node is in, the module where it is in none."""
        return next((one for one in self.around(node) if isinstance(one, Function)), self.tree)

    @property
    def _end(self) -> str:
        return "\r\n" if "\r\n" in self.text else "\n"

    def statement(self, node: ast.AST) -> ast.stmt | None:
        """Return the innermost statement that holds a node."""
        found: ast.AST | None = node
        while found is not None and not isinstance(found, ast.stmt):
            found = self.parents.get(found)
        return found

    def around(self, node: ast.AST) -> Iterator[ast.AST]:
        """Yield what holds a node, from the inside to the outside."""
        found = self.parents.get(node)
        while found is not None:
            yield found
            found = self.parents.get(found)

    def at(self, line: int) -> list[ast.stmt]:
        """Return the innermost statements that cover a line, without those that only hold others there."""
        covering = [
            node
            for node in ast.walk(self.tree)
            if isinstance(node, ast.stmt) and node.lineno <= line <= (node.end_lineno or node.lineno)
        ]
        return [node for node in covering if not any(other is not node and _inside(other, node) for other in covering)]

    def edited(self, edits: Sequence[Edit]) -> Source | None:
        """Return the file with edits in it; None where they overlap, or the result is no Python."""
        text, last = self.text, len(self.text) + 1
        for edit in sorted(edits, key=lambda edit: (edit.start, edit.end), reverse=True):
            if edit.end > last:
                return None
            text, last = text[: edit.start] + edit.text + text[edit.end :], edit.start
        made = replace(self, text=text)
        try:
            _ = made.tree
        except (SyntaxError, ValueError):
            return None
        return made


def _inside(inner: ast.stmt, outer: ast.stmt) -> bool:
    ends = (inner.end_lineno or inner.lineno, outer.end_lineno or outer.lineno)
    return outer.lineno <= inner.lineno and ends[0] <= ends[1] and (inner.lineno, ends[0]) != (outer.lineno, ends[1])


def unified(before: Source, after: Source, name: str) -> str:
    """Return what an edit changes, as ``diff -u`` would say it."""
    old, new = before.text.splitlines(), after.text.splitlines()
    return "".join(f"{line}\n" for line in difflib.unified_diff(old, new, name, f"{name} (mended)", lineterm=""))


def dotted(node: ast.AST) -> str | None:
    """Return a name as ``self.optimizer``, None for what is none."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        inner = dotted(node.value)
        return None if inner is None else f"{inner}.{node.attr}"
    return None


def calls(node: ast.AST) -> Iterator[ast.Call]:
    """Yield the calls within a node, in the order of the text."""
    found = [one for one in ast.walk(node) if isinstance(one, ast.Call)]
    yield from sorted(found, key=lambda one: (one.lineno, one.col_offset))
