"""The scores as a table to read, as Markdown, and as JSON."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tests.benchmarks.faults.intervals import Share
from tests.benchmarks.faults.reliability import Reliability
from tests.benchmarks.faults.score import TOGETHER, DoctorScore, FaultScore, PeerScore, Scores

WIDEST = 34
"""Characters of a name before it is cut, so that a line keeps below 120."""

NOTHING = "–"


@dataclass(frozen=True, slots=True)
class Section:
    """One table: a title, a head and rows of cells; the first column is words, the others are figures."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def table(scores: Scores) -> str:
    """Return plain aligned tables, each line under 120 columns."""
    return "\n\n".join([summary(scores), *(_plain(section) for section in sections(scores))]) + "\n"


def markdown(scores: Scores) -> str:
    """Return the same in Markdown."""
    return "\n\n".join([summary(scores).replace("\n", "  \n"), *(_piped(one) for one in sections(scores))]) + "\n"


def as_dict(scores: Scores) -> dict[str, Any]:
    """Return plain values for JSON, without nan or infinity."""
    return {name: _value(getattr(scores, name)) for name in scores.__dataclass_fields__}


def _value(value: Any) -> Any:
    if isinstance(value, Share | Reliability):
        return value.as_dict()
    if hasattr(value, "__dataclass_fields__"):
        return {name: _value(getattr(value, name)) for name in value.__dataclass_fields__}
    if isinstance(value, dict):
        return {key: _value(one) for key, one in value.items()}
    if isinstance(value, tuple | list):
        return [_value(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def summary(scores: Scores) -> str:
    """Return what was counted, in a few lines."""
    exact = sum(fault.exact for fault in scores.faults)
    seconds = NOTHING if math.isnan(scores.seconds) else f"{scores.seconds:.2f} s"
    return "\n".join(
        [
            f"Programs' half: {scores.half or NOTHING}; {scores.trainings} trainings, {seconds} each in the mean.",
            f"Healthy: {scores.healthy} sound trainings; {scores.dropped} left out as they did not go well.",
            f"Plants (a fault in a program): {scores.plants} count, of which {scores.hurting} hurt and "
            f"{scores.plants - scores.hurting} are exact only (exact faults: {exact}).",
            f"Others: {scores.harmless} harmless, {scores.unsound} neither harmful nor sound, "
            f"{scores.undecided} with too few seeds.",
            "Shares are in per cent, with their 95 % Wilson intervals; steps are a median with the middle half.",
        ]
    )


def sections(scores: Scores) -> Iterator[Section]:
    """Yield the tables that have something in them."""
    if scores.doctors:
        yield _ways(scores.doctors)
    if scores.peers:
        head = ("peer", "false alarms", "alarms on harmless", "any alarm on plants")
        rows = tuple((one.doctor, *(rate(share) for share in _of_all(one))) for one in scores.peers)
        yield Section("Peers", head, rows)
    yield from _alarms([one for one in scores.doctors if one.doctor != TOGETHER], "dlcheck")
    for peer in scores.peers:
        yield from _alarms([peer], peer.doctor)
    if scores.faults:
        yield _faults(scores)
    for doctor in scores.doctors:
        for kept, which in ((doctor.reliability, ""), (doctor.primary, ", primary findings")):
            if any(one.right.of for one in kept.bins):
                yield _kept(doctor, kept, which)


def rate(share: Share) -> str:
    """Return a share in per cent with its interval."""
    if not share.of:
        return NOTHING
    low, high = share.interval
    return f"{100 * share.rate:.1f} [{100 * low:.1f}, {100 * high:.1f}]"


def count(share: Share) -> str:
    """Return a share as a count."""
    return f"{share.count}/{share.of}" if share.of else NOTHING


FIGURES: dict[str, Callable[[DoctorScore], str]] = {
    "false alarms per healthy training": lambda one: rate(one.alarms),
    "  trainings": lambda one: count(one.alarms),
    "false alarms on harmless plants": lambda one: rate(one.harmless),
    "any alarm on plants that hurt": lambda one: rate(one.alarmed),
    "recall: a warning names the fault": lambda one: rate(one.named),
    "  plants": lambda one: count(one.named),
    "named at any severity": lambda one: rate(one.listed),
    "top-1: a primary names it": lambda one: rate(one.first),
    "top-1, no other primary": lambda one: rate(one.strict),
    "right layer, where one is named": lambda one: rate(one.located),
    "steps until named": lambda one: NOTHING if one.steps is None else "{1:g} [{0:g}, {2:g}]".format(*one.steps),
}


def _ways(doctors: Sequence[DoctorScore]) -> Section:
    rows = tuple((name, *(cell(one) for one in doctors)) for name, cell in FIGURES.items())
    return Section("dlcheck", ("", *(one.doctor for one in doctors)), rows)


def _of_all(one: PeerScore) -> tuple[Share, Share, Share]:
    return one.alarms, one.harmless, one.alarmed


def _alarms(doctors: Sequence[PeerScore], whose: str) -> Iterator[Section]:
    total: Counter[str] = Counter()
    for one in doctors:
        total.update(one.codes)
    rows = tuple((code, *(str(one.codes.get(code, 0)) for one in doctors)) for code, _ in total.most_common())
    if rows:
        head = ("code", *(one.doctor for one in doctors))
        yield Section(f"False alarms of {whose} by code, in healthy trainings", head, rows)


def _faults(scores: Scores) -> Section:
    ways = [one.doctor for one in scores.doctors]
    head = ("fault", "hurts", "harmless", "left out", *ways, "top-1")
    rows = tuple(_fault(fault, ways) for fault in scores.faults)
    return Section(f"Faults: recall by way over their plants; top-1 of {TOGETHER}; * exact", head, rows)


def _fault(fault: FaultScore, ways: Sequence[str]) -> tuple[str, ...]:
    left = fault.unsound + fault.undecided
    named = (count(fault.named[way]) for way in ways)
    name = fault.name + ("*" if fault.exact else "")
    return name, count(fault.hurts), str(fault.harmless), str(left), *named, count(fault.first)


def _kept(doctor: DoctorScore, kept: Reliability, which: str) -> Section:
    bins = [one for one in kept.bins if one.right.of]
    rows = tuple(
        (f"{one.low:g}–{one.high:g}", str(one.right.of), f"{100 * one.stated:.1f}", rate(one.right)) for one in bins
    )
    title = f"Confidence of {doctor.doctor}{which} ({kept.neutral} findings left out as neither right nor wrong)"
    return Section(title, ("stated", "findings", "mean stated", "right"), rows)


def _cut(cell: str) -> str:
    return cell if len(cell) <= WIDEST else cell[: WIDEST - 1] + "…"


def _plain(section: Section) -> str:
    lines = [[_cut(cell) for cell in line] for line in (section.head, *section.rows)]
    widths = [max(len(cell) for cell in column) for column in zip(*lines, strict=True)]
    return "\n".join([section.title, *(_aligned(line, widths) for line in lines)])


def _aligned(line: Sequence[str], widths: Sequence[int]) -> str:
    figures = (cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True))
    return "  ".join([line[0].ljust(widths[0]), *figures]).rstrip()


def _piped(section: Section) -> str:
    rule = ["---", *["---:"] * (len(section.head) - 1)]
    lines = [section.head, rule, *section.rows]
    escaped = ([cell.strip().replace("|", "\\|") for cell in line] for line in lines)
    return "\n".join([f"**{section.title}**", "", *("| " + " | ".join(line) + " |" for line in escaped)])
