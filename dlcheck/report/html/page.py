"""The document around every report: templates, style, script, and the policy that lets nothing else run."""

from __future__ import annotations

from base64 import b64encode
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from dlcheck.report.html.vega import library
from dlcheck.report.plain import number, patch_text, place, printable

if TYPE_CHECKING:
    from jinja2 import Environment

FOLDER = Path(__file__).parent


def page(template: str, **content: object) -> str:
    """Return a whole HTML document; everything in ``content`` is escaped, and has no control character.

    A policy in its head lets the browser load nothing, and run no script but the one for the charts.

    Args:
        template: A file of ``templates``, which extends ``page.html``.
        **content: What the template names.
    """
    from markupsafe import Markup

    style, script = _style(), _script()
    policy = (
        f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; base-uri 'none'; form-action 'none'"
    )
    # Style and script are our own, and hold neither a closing tag of theirs nor a word of the user's.
    frame = {"policy": Markup(policy), "style": Markup(style), "script": Markup(script), "drawn": bool(library())}
    return _environment().get_template(template).render(**content, **frame)


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_final,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters |= {"number": number, "place": place, "patches": patch_text, "percent": _percent}
    return made


def _final(value: object) -> object:
    """Return what is put into a page: words of the user's side without control characters."""
    return printable(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


def _percent(value: float) -> str:
    return f"{value:.0%}"


@cache
def _style() -> str:
    return (FOLDER / "page.css").read_text(encoding="utf-8")


@cache
def _script() -> str:
    drawing = (FOLDER / "charts.js").read_text(encoding="utf-8")
    return f"{library()}\n{drawing}" if library() else ""


def _hash(content: str) -> str:
    """Return the source expression that allows exactly this content (W3C, Content Security Policy Level 3)."""
    return f"'sha256-{b64encode(sha256(content.encode()).digest()).decode()}'"
