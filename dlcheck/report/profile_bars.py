"""Bars of a profile as inline SVG without words: those stand beside, in HTML, and stay readable on a small screen."""

from __future__ import annotations

import html
from collections.abc import Sequence

from dlcheck.report.plain import printable
from dlcheck.report.profile_table import Row, Table

LENGTH = 100.0
"""Units of a whole bar; its size on the screen is the page's."""


def stacked(rows: Sequence[Row], name: str) -> str:
    """Return all rows side by side, each as long as its bar; empty without any.

    Args:
        rows: With ``bar`` as a share of the whole and ``kind`` for the look.
        name: For those who cannot see it.
    """
    shown = [row for row in rows if row.bar is not None and row.bar > 0]
    total = sum(row.bar or 0.0 for row in shown)
    parts, at = [], 0.0
    for row in shown:
        width = LENGTH * (row.bar or 0.0) / total
        words = printable(", ".join(cell for cell in row.cells if cell))
        title = f"<title>{html.escape(words)}</title>"
        rect = f'<rect class="{row.kind or "plain"}" x="{at:.3f}" y="0" width="{width:.3f}" height="10">'
        parts.append(f"{rect}{title}</rect>")
        at += width
    return _svg("whole", "".join(parts), name) if parts else ""


def bar(row: Row) -> str:
    """Return the bar of one row, with its interval where it has one; empty without a length."""
    if row.bar is None:
        return ""
    length = LENGTH * min(max(row.bar, 0.0), 1.0)
    parts = [f'<rect class="{row.kind or "plain"}" x="0" y="1" width="{length:.2f}" height="8"/>']
    if row.low is not None and row.high is not None:
        low, high = (LENGTH * min(max(end, 0.0), 1.0) for end in (row.low, row.high))
        parts.append(f'<rect class="ends" x="{low:.2f}" y="4" width="{max(high - low, 0.4):.2f}" height="2"/>')
    return _svg("one", "".join(parts), "")


def bar_table(table: Table) -> str:
    """Return a table with a column of bars after the first, where a row has one."""
    with_bars = any(row.bar is not None for row in table.rows)
    keyed = any(row.kind in KEYED for row in table.rows)
    numbers = [_numeric(table, place) for place in range(len(table.head))]
    head = [_cell(word, "th", number=number) for word, number in zip(table.head, numbers, strict=True)]
    lines = [f"<tr>{head[0]}{BARS if with_bars else ''}{''.join(head[1:])}</tr>"]
    for row in table.rows:
        first = (_key(row.kind) if keyed else "") + html.escape(printable(row.cells[0]))
        cells = list(zip(row.cells, numbers, strict=True))[1:]
        drawn = f'<td class="bars">{bar(row)}</td>' if with_bars else ""
        rest = "".join(_cell(word, "td", number=number) for word, number in cells)
        lines.append(f'<tr class="{row.kind or "plain"}"><td>{first}</td>{drawn}{rest}</tr>')
    return f'<div class="wide"><table class="profile">{"".join(lines)}</table></div>'


BARS = '<th class="bars"></th>'
"""Heading of the column of bars."""
KEYED = ("wait", "take", "copy", "forward", "backward", "optimizer", "inside", "outside")


def _key(kind: str) -> str:
    if kind not in KEYED:
        return ""
    return f'<svg class="svg-key" viewBox="0 0 10 10"><rect class="{kind}" width="10" height="10"/></svg>'


def _numeric(table: Table, place: int) -> bool:
    """Return whether a column holds numbers, which stand to the right."""
    words = [row.cells[place] for row in table.rows if row.cells[place] not in ("", "-")]
    return place > 0 and bool(words) and all(word[0].isdigit() for word in words)


def _cell(word: str, tag: str, *, number: bool) -> str:
    look = ' class="n"' if number else ""
    return f"<{tag}{look}>{html.escape(printable(word))}</{tag}>"


def _svg(kind: str, body: str, name: str) -> str:
    label = f'role="img" aria-label="{html.escape(printable(name))}"' if name else 'aria-hidden="true"'
    return f'<svg class="bar-{kind}" viewBox="0 0 100 10" preserveAspectRatio="none" {label}>{body}</svg>'
