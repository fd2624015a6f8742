"""The diagnosis as one HTML file that needs nothing else: no script, no network."""

import html
from collections.abc import Iterable, Mapping

from dlcheck.findings import Finding
from dlcheck.report.plain import headline, next_step, number, patch_text, place, printable
from dlcheck.report.report import Report, Series, counts, loss_series, metric_series, rate_series, x_label
from dlcheck.report.svg import svg_chart

_STYLE = """
:root{color-scheme:light dark;--bg:#fff;--fg:#1c2024;--soft:#60646c;--line:#d9d9e0;--card:#f7f7f9;
--error:#c62a2f;--warning:#a15c07;--info:#0b68cb;--healthy:#18794e;--c0:#0b68cb;--c1:#c2410c;--c2:#18794e;--c3:#793aaf}
@media(prefers-color-scheme:dark){:root{--bg:#111113;--fg:#edeef0;--soft:#b0b4ba;--line:#363a3f;--card:#1a1b1e;
--error:#ff9592;--warning:#ffca16;--info:#70b8ff;--healthy:#3dd68c;--c0:#70b8ff;--c1:#ff9b6a;--c2:#3dd68c;--c3:#c4a5f5}}
body{background:var(--bg);color:var(--fg);font:16px/1.5 system-ui,sans-serif;max-width:60rem;
margin:2rem auto;padding:0 1rem}
h1{font-size:1.3rem;overflow-wrap:anywhere}h2{font-size:1.1rem;margin-top:2rem}
.verdict{font-size:1.2rem;font-weight:600;border-left:.4rem solid;padding-left:.8rem}
.sick,.error{color:var(--error)}.warning,.unknown{color:var(--warning)}.info{color:var(--info)}
.healthy{color:var(--healthy)}
article{background:var(--card);border:1px solid var(--line);border-radius:.5rem;padding:.3rem 1rem;margin:1rem 0}
article h3{font-size:1rem;margin:.5rem 0}small,figcaption,.soft{color:var(--soft)}
code{font-size:.9em;overflow-wrap:anywhere}
table{border-collapse:collapse;font-size:.9rem}td,th{border-bottom:1px solid var(--line);padding:.15rem .8rem .15rem 0;
text-align:left;vertical-align:top;overflow-wrap:anywhere}th{font-weight:500}
figure{margin:1rem 0}svg{width:100%;height:auto}svg text{fill:var(--soft);font-size:11px}.grid{stroke:var(--line)}
.mark{stroke:var(--soft);stroke-dasharray:2 3}text.mark{stroke:none}
.curve{fill:none;stroke-width:2;stroke-linecap:round;stroke-linejoin:round}
.c0{stroke:var(--c0)}.c1{stroke:var(--c1);stroke-dasharray:7 4}.c2{stroke:var(--c2);stroke-dasharray:2 4}
.c3{stroke:var(--c3);stroke-dasharray:10 3 2 3}.key{margin-left:1rem;padding-bottom:1px;color:var(--fg)}
.key.c0{border-bottom:3px solid var(--c0)}.key.c1{border-bottom:3px dashed var(--c1)}
.key.c2{border-bottom:3px dotted var(--c2)}.key.c3{border-bottom:3px double var(--c3)}
"""


def to_html(reports: Iterable[Report]) -> str:
    """Return a whole HTML document of one or more runs; all text from the user's side is escaped."""
    body = "\n<hr>\n".join(_report(report) for report in reports)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>dlcheck</title><style>{_STYLE}</style></head>\n<body>\n{body}\n</body></html>\n"
    )


def _report(report: Report) -> str:
    outcome = report.outcome
    parts = [
        f"<h1>{_text(report.source)} <small>{_text(report.format)}</small></h1>",
        f'<p class="verdict {report.verdict}">{_text(headline(report))}</p>',
        *(_finding(finding) for finding in outcome.findings),
        _charts(report),
        "<h2>Rules</h2>",
        f"<p>{'; '.join(f'{count} {name}' for name, count in counts(outcome).items())}</p>",
        _rows({"clean": ", ".join(outcome.clean) or "none"}),
        _table(("not checked", "why", "what would measure it"), [(i.code, i.why, i.try_) for i in outcome.not_checked]),
        _table(("crashed", "error"), [(item.code, item.error) for item in outcome.crashed]),
        *(_section(title, report.run.meta.get(title)) for title in ("recipe", "environment", "inferred")),
        _section("facts", report.run.facts),
        f'<p class="soft">{_text(next_step(report))}</p>',
    ]
    return "\n".join(part for part in parts if part)


def _finding(finding: Finding) -> str:
    severity = finding.severity.label
    by = f", explained by {finding.explained_by}" if finding.explained_by else ""
    lines = [
        f'<article><h3><span class="{severity}">{_text(f"{finding.code} {finding.name}")}</span> '
        f"<small>{severity}, {finding.confidence:.0%} sure{_text(by)}</small></h3>",
        f"<p>{_text(finding.summary)}</p>",
        _rows({key: number(value) for key, value in finding.evidence.items()} | ({"at": place(finding)})),
        f"<p>Cause: {_text(finding.cause)}</p>" if finding.cause else "",
    ]
    items = [f"<li>{_text(text)}{_code(patch)}</li>" for text, patch in patch_text(finding)]
    lines.append(f"<ul>{''.join(items)}</ul>" if items else "")
    references = "; ".join(finding.references)
    lines.append(f"<p><small>{_text(references)}</small></p></article>" if references else "</article>")
    return "".join(lines)


def _charts(report: Report) -> str:
    run, label = report.run, x_label(report.run)
    marks = _marks(report)
    charts: list[tuple[str, list[Series], dict[str, float]]] = [
        ("loss", loss_series(run), marks),
        ("metric", metric_series(run), marks),
        ("learning rate", rate_series(run), {}),
    ]
    return "\n".join(
        svg_chart(title, series, x_label=label, marks=at, may_log=title == "loss")
        for title, series, at in charts
        if series
    )


def _marks(report: Report) -> dict[str, float]:
    """Return where along x each primary finding lies."""
    axis = x_label(report.run)
    marks: dict[str, float] = {}
    for finding in report.outcome.findings:
        at = finding.where.epoch if axis == "epoch" else finding.where.step
        if finding.primary and at is not None:
            marks[f"{finding.code} {finding.name}"] = float(at)
    return marks


def _section(title: str, content: object) -> str:
    if not isinstance(content, Mapping) or not content:
        return ""
    return f"<details><summary>{title}</summary>{_rows(_flat(content))}</details>"


def _flat(content: Mapping[object, object], prefix: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for key, value in content.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = str(value)
    return flat


def _rows(rows: Mapping[str, str]) -> str:
    cells = "".join(f"<tr><th>{_text(key)}</th><td>{_text(value)}</td></tr>" for key, value in rows.items() if value)
    return f"<table>{cells}</table>" if cells else ""


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    if not rows:
        return ""
    top = "".join(f"<th>{_text(cell)}</th>" for cell in head)
    body = "".join(f"<tr>{''.join(f'<td>{_text(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><tr>{top}</tr>{body}</table>"


def _code(patch: str) -> str:
    return f" <code>{_text(patch)}</code>" if patch else ""


def _text(text: str) -> str:
    return html.escape(printable(text))
