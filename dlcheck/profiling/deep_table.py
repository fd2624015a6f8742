"""From what a profiler recorded of a few steps to kernels, copies and waits. Pure: records in, facts out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from dlcheck.runs.facts import Launches, Site, SyncPoint, Syncs, Transfers

Span = tuple[float, float]
"""Begin and end, in seconds."""
TO_DEVICE = "Memcpy HtoD"
PAGEABLE = "Pageable"
FEW = 0.1
"""Share of copied bytes below which memory that is not page-locked does not count: labels, single numbers."""


@dataclass(frozen=True, slots=True)
class Activity:
    """Something that the device did."""

    name: str
    """As the profiler has it: of a kernel, or ``Memcpy HtoD (Pinned -> Device)``, or ``Memset (Device)``."""
    begin: float
    end: float
    bytes: int = 0
    """Copied."""

    @property
    def kernel(self) -> bool:
        """Whether it computes."""
        return not self.name.startswith(("Memcpy", "Memset"))

    @property
    def span(self) -> Span:
        """Return when it was at work."""
        return self.begin, self.end


@dataclass(frozen=True, slots=True)
class Waited:
    """Time in which the host waited for the device, at a line of the user's."""

    what: str
    """As ``Tensor.item``."""
    seconds: float
    site: Site | None = None


@dataclass(frozen=True, slots=True)
class DeepTable:
    """What was recorded of some steps."""

    steps: int
    activities: tuple[Activity, ...]
    computing: tuple[Span, ...] = ()
    """From the beginning of each forward pass to the end of its backward pass, as the host saw it."""
    waits: tuple[Waited, ...] = ()
    """In as many steps, made without the profiler."""
    warned: tuple[tuple[Site | None, int], ...] = ()
    """Lines at which PyTorch itself warned of a wait, with how often in all these steps."""
    period_s: float = 0.0
    """Of these latter steps, mean."""


def union(spans: Iterable[Span]) -> list[Span]:
    """Return the same time without overlaps, in order."""
    merged: list[Span] = []
    for begin, end in sorted(spans):
        if end <= begin:
            continue
        if merged and begin <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((begin, end))
    return merged


def length(spans: Iterable[Span]) -> float:
    """Return the seconds that spans cover, overlaps counted once."""
    return sum(end - begin for begin, end in union(spans))


def within(spans: Iterable[Span], windows: Iterable[Span]) -> list[Span]:
    """Return the time that lies in both, in order."""
    found: list[Span] = []
    outer = union(windows)
    for begin, end in union(spans):
        found += [(max(begin, a), min(end, b)) for a, b in outer if a < end and b > begin]
    return found


def launches(table: DeepTable) -> Launches | None:
    """Return kernels a step, and how long the device had nothing to do in forward and backward; None without any.

    The device is busy while at least one kernel or copy is at work on it: times of several are not added up.
    """
    kernels = [one for one in table.activities if one.kernel]
    if not kernels or not table.steps:
        return None
    whole = length(table.computing)
    busy = length(within((one.span for one in table.activities), table.computing))
    return Launches(
        kernels=len(kernels) / table.steps,
        kernel_s=median(one.end - one.begin for one in kernels),
        idle_share=min(1.0, max(0.0, 1 - busy / whole)) if whole > 0 else 0.0,
    )


def transfers(table: DeepTable, pinned_gb_per_s: float | None = None) -> Transfers | None:
    """Return copies to the device; None without any. ``seconds`` is the time in which no kernel was at work."""
    copies = [one for one in table.activities if one.name.startswith(TO_DEVICE)]
    size = sum(one.bytes for one in copies)
    if not size or not table.steps:
        return None
    at_work = [one.span for one in table.activities if one.kernel]
    alone = length(one.span for one in copies) - length(within((one.span for one in copies), at_work))
    taken = sum(one.end - one.begin for one in copies)
    pageable = sum(one.bytes for one in copies if PAGEABLE in one.name)
    return Transfers(
        bytes=size / table.steps,
        seconds=max(0.0, alone) / table.steps,
        pinned=pageable < FEW * size,
        gb_per_s=size / taken / 1e9 if taken > 0 else None,
        pinned_gb_per_s=pinned_gb_per_s,
    )


def syncs(table: DeepTable) -> Syncs | None:
    """Return the places at which the host waited in these steps, longest first; None where nothing was recorded.

    Lines that PyTorch warned of and that no timed call explains are listed without a time: nobody measured it.
    """
    if not table.steps or table.period_s <= 0:
        return None
    grouped: dict[tuple[str, Site | None], list[float]] = {}
    for wait in table.waits:
        grouped.setdefault((wait.what, wait.site), []).append(wait.seconds)
    points = [_point(key, times, table.steps) for key, times in grouped.items()]
    timed_lines = {point.site for point in points}
    points += [_point(("a wait", site), [0.0] * count, table.steps) for site, count in table.warned
               if site is not None and site not in timed_lines]  # fmt: skip
    points.sort(key=lambda point: -point.seconds)
    share = sum(point.seconds for point in points) / table.period_s
    return Syncs(tuple(points), min(1.0, share))


def _point(key: tuple[str, Site | None], times: Sequence[float], steps: int) -> SyncPoint:
    what, site = key
    return SyncPoint(what, len(times) / steps, sum(times) / steps, site)


def counted(sites: Iterable[Site | None]) -> tuple[tuple[Site | None, int], ...]:
    """Return each line with how often it came."""
    found: dict[Site | None, int] = {}
    for site in sites:
        found[site] = found.get(site, 0) + 1
    return tuple(found.items())


def activities(events: Iterable[Mapping[str, object]]) -> tuple[Activity, ...]:
    """Return what the device did, of the events of a Chrome trace that PyTorch's profiler has written.

    Categories ``kernel``, ``gpu_memcpy`` and ``gpu_memset``; times there are microseconds, and the bytes of a copy
    stand in its arguments.
    """
    found = []
    for event in events:
        if event.get("ph") != "X" or event.get("cat") not in ("kernel", "gpu_memcpy", "gpu_memset"):
            continue
        begin, lasted = float(str(event["ts"])) / 1e6, float(str(event.get("dur", 0))) / 1e6
        given = event.get("args")
        size = given.get("bytes", 0) if isinstance(given, Mapping) else 0
        found.append(Activity(str(event["name"]), begin, begin + lasted, int(size)))
    return tuple(found)


def computing(events: Iterable[Mapping[str, object]], forward: str, backward: str) -> tuple[Span, ...]:
    """Return spans from each mark ``forward`` to the end of the ``backward`` that follows, of a Chrome trace."""
    marks = sorted(
        (float(str(event["ts"])) / 1e6, float(str(event.get("dur", 0))) / 1e6, str(event["name"]))
        for event in events
        if event.get("ph") == "X" and event.get("cat") == "user_annotation" and event.get("name") in (forward, backward)
    )
    spans: list[Span] = []
    began: float | None = None
    for begin, lasted, name in marks:
        if name == forward:
            began = begin if began is None else began
        else:
            spans.append((begin if began is None else began, begin + lasted))
            began = None
    return tuple(spans)
