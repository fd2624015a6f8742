"""A whole diagnosis in one of the formats."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping

from dlcheck.report.triage import Triage

Render = Callable[[Triage, int, bool], str]


def render(triage: Triage, format_: str, *, top: int = 0, verbose: bool = False) -> str:
    """Return the diagnosis as text, json, markdown, github, sarif or html, ending in a line break.

    Args:
        triage: The runs.
        format_: The word for the format.
        top: Runs to show at most, 0 for all; JSON, GitHub and SARIF always hold all.
        verbose: In text, also how each log was read.
    """
    return RENDERERS[format_](triage, top, verbose)


def to_text(triage: Triage, top: int = 0, verbose: bool = False, *, width: int = 80) -> str:
    """Return the report of the terminal without colour."""
    from rich.console import Console

    from dlcheck.report.text_triage import render_diagnosis

    file = io.StringIO()
    console = Console(file=file, width=width, no_color=True, force_terminal=False)
    render_diagnosis(triage, console, top=top, verbose=verbose)
    return file.getvalue()


def _json(triage: Triage, top: int, verbose: bool) -> str:
    from dlcheck.report.json import to_json

    return to_json(triage.reports, triage.refused)


def _markdown(triage: Triage, top: int, verbose: bool) -> str:
    from dlcheck.report.markdown import to_markdown

    return to_markdown(triage, top=top)


def _github(triage: Triage, top: int, verbose: bool) -> str:
    from dlcheck.report.github import to_github

    return to_github(triage)


def _sarif(triage: Triage, top: int, verbose: bool) -> str:
    from dlcheck.report.sarif import to_sarif

    return to_sarif(triage)


def _html(triage: Triage, top: int, verbose: bool) -> str:
    from dlcheck.report.html.run import to_html

    return to_html(triage.reports, triage.refused, top=top)


RENDERERS: Mapping[str, Render] = {
    "text": to_text,
    "json": _json,
    "markdown": _markdown,
    "github": _github,
    "sarif": _sarif,
    "html": _html,
}
