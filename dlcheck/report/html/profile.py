"""A profile as a section of a report, and as one HTML file in the look of all reports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dlcheck.report.html.bars import stacked_table, table_chart
from dlcheck.report.html.chart import Chart
from dlcheck.report.html.page import page
from dlcheck.report.plain import counts_line, printable
from dlcheck.report.profile_table import Table
from dlcheck.report.profile_tables import parts, tables
from dlcheck.report.profile_way import not_in_the_way
from dlcheck.report.profile_words import (
    bound_of,
    next_line,
    notes,
    percent,
    span,
    speed_line,
    title,
)
from dlcheck.report.report import Report
from dlcheck.rules.speed.bound import Bound
from dlcheck.runs.facts import CpuUse, StepTimes, fact


@dataclass(frozen=True, slots=True)
class Block:
    """One part of a profile: a chart, its table, and what else is to say."""

    title: str
    said: str = ""
    chart: Chart | None = None
    table: Table | None = None


@dataclass(frozen=True, slots=True)
class ProfileView:
    """What a page tells of a profile."""

    look: str
    verdict: str
    speed: str
    blocks: Sequence[Block]
    machine: Sequence[tuple[str, str]]
    in_order: str


def profile_view(report: Report) -> ProfileView | None:
    """Return what a page tells of a profile; None where no step was timed."""
    if fact(report.run, StepTimes) is None:
        return None
    return _view(report)


def profile_html(report: Report) -> str:
    """Return a whole HTML document of a profile; all text from the user's side is escaped."""
    return page(
        "profile.html",
        report=report,
        view=_view(report),
        findings=[item for item in report.outcome.findings if item.code != "P511"],
        counts=counts_line(report.outcome),
        notes=list(notes(report)),
        next=next_line(report),
    )


def _view(report: Report) -> ProfileView:
    found = bound_of(report)
    speed = speed_line(report, found)
    clear = not_in_the_way(report)
    return ProfileView(
        look=_look(report, found),
        verdict=title(found),
        speed=speed[:1].upper() + speed[1:],
        blocks=[*_step(report), *(Block(one.title, "", table_chart(one), one) for one in tables(report.run))],
        machine=_machine(report),
        in_order=f"In order: {clear}" if clear else "",
    )


def _look(report: Report, found: Bound | None) -> str:
    """Return the look of the verdict: that of the rules, unless the profile itself could not tell."""
    if found is None or found.kind == "inconclusive":
        return "unknown"
    return "healthy" if found.kind == "compute" and report.verdict != "sick" else report.verdict


def _step(report: Report) -> list[Block]:
    """Return where a step goes, as one bar and as a table."""
    steps, shown = fact(report.run, StepTimes), parts(report.run)
    if steps is None or shown is None:
        return []
    return [Block(shown.title, _period(steps), stacked_table(shown, "parts of a step, side by side"), shown)]


def _period(steps: StepTimes) -> str:
    return (
        f"A step takes {span(steps.period_s)} (95th percentile {span(steps.period_p95_s)}) for "
        f"{steps.samples:.4g} samples on {printable(steps.device)}; {steps.steps} steps timed."
    )


def _machine(report: Report) -> list[tuple[str, str]]:
    """Return what was seen of the machine's cores."""
    cpu = fact(report.run, CpuUse)
    if cpu is None:
        return []
    known = (
        ("cores that it may use", f"{cpu.cores:g}"),
        ("threads that compute", str(cpu.threads)),
        ("workers", f"{cpu.workers}, of {cpu.worker_threads} thread{'' if cpu.worker_threads == 1 else 's'}"),
        ("kept busy by the training", _cores_word(cpu.own_cores)),
        ("kept busy by other programs", _cores_word(cpu.others_cores)),
        ("main process waiting for a core", percent(cpu.main_queue_share)),
        ("workers waiting for a core", percent(cpu.worker_queue_share)),
        ("held back by a quota", percent(cpu.throttled_share)),
        ("time in which something waited for a core", percent(cpu.pressure / 100) if cpu.pressure is not None else "-"),
        ("variables", ", ".join(cpu.variables) or "-"),
    )
    return [(name, value) for name, value in known if value != "-"]


def _cores_word(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} cores"
