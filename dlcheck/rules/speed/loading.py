"""What in the loader takes so long: the cause behind waiting for data."""

from __future__ import annotations

from dataclasses import dataclass

from dlcheck.rules.rule import Limits
from dlcheck.rules.speed.picture import LOADING, MOST_S, Picture, sound
from dlcheck.runs.facts import LoaderTimes, Site

WORDS = {
    "fetch-io": "reading samples, which waits for the disk or the network",
    "decode": "making samples (decoding, and the data set's own code)",
    "collate": "collating samples into a batch",
    "augment": "transforms of the whole batch",
    "straggler": "single samples that take many times as long as the others",
    "transport": "handing batches over from the workers",
    "not-overlapped": "loading in the main process, during which nothing else runs",
    "loader": "a loader that could not be looked into",
}


@dataclass(frozen=True, slots=True)
class Loading:
    """The cause of waiting for data."""

    cause: str
    words: str
    making_s: float | None = None
    """Time to make a batch, where it is made."""
    site: Site | None = None
    known: bool = True
    """The loader was looked into; otherwise the cause is what its kind leaves."""


def making_s(loader: LoaderTimes | None) -> float | None:
    """Return the time to make a batch, None where it was not measured."""
    if loader is None:
        return None
    parts = (sound(loader.fetch_s, MOST_S), sound(loader.collate_s, MOST_S), sound(loader.augment_s, MOST_S))
    known = [part for part in parts if part is not None]
    return sum(known) if known else None


def keeps_up(seen: Picture, limits: Limits) -> bool | None:
    """Return whether the loader makes batches as fast as the rest of the step uses them; None where unknown."""
    loader, making = seen.loader, making_s(seen.loader)
    if loader is None or making is None:
        return None
    if loader.workers <= 0:
        return making < seen.share(*LOADING) * seen.period_s / 2
    rest = (1 - seen.share(*LOADING)) * seen.period_s
    return making / loader.workers < limits["keeps_up"] * rest


def has_headroom(seen: Picture, limits: Limits) -> bool:
    """Return whether workers make batches faster than the training could use them, and in time.

    What then costs is taking ready batches from them, which no setting of the loader ends. A few very slow samples
    hide in the mean of a loader, so that it says nothing of those.
    """
    loader, known = seen.loader, seen.ceilings
    if loader is None or known is None or known.loader is None or known.ideal is None or loader.workers <= 0:
        return False
    late, slow = sound(loader.late_share, 1.0), sound(loader.slow_share, 1.0) or 0.0
    if late is None or late >= limits["late"] or slow >= limits["slow"]:
        return False
    return known.loader.value >= limits["headroom"] * known.ideal.value > 0


def loading_cause(seen: Picture, limits: Limits) -> Loading:
    """Return what takes so long, from the times that were taken where batches are made."""
    loader, making = seen.loader, making_s(seen.loader)
    if loader is None or making is None or making <= 0:
        return _unseen(loader)
    if (sound(loader.slow_share, 1.0) or 0.0) >= limits["slow"]:
        return _told("straggler", making, loader.fetch_site)
    if _stuck(seen, loader, making, limits):
        return _told("transport", making, loader.loader_site)
    fetch, collate, augment = (
        sound(part, MOST_S) or 0.0 for part in (loader.fetch_s, loader.collate_s, loader.augment_s)
    )
    if max(collate, augment) > fetch:
        return _told("collate" if collate >= augment else "augment", making, loader.collate_site)
    return _fetching(loader, fetch, making, limits)


def _unseen(loader: LoaderTimes | None) -> Loading:
    main = loader is not None and loader.kind != "opaque" and loader.workers <= 0
    cause = "not-overlapped" if main else "loader"
    return Loading(cause, WORDS[cause], site=loader.loader_site if loader is not None else None, known=False)


def _told(cause: str, making: float, site: Site | None) -> Loading:
    return Loading(cause, WORDS[cause], making, site)


def _stuck(seen: Picture, loader: LoaderTimes, making: float, limits: Limits) -> bool:
    """Return whether batches that are ready arrive late, and making them does not explain it.

    A batch that a busy worker has finished is stuck as well, behind the interpreter's lock: that is the making's fault.
    """
    stuck = sound(loader.stuck_s, MOST_S)
    if stuck is None or loader.workers <= 0 or making / loader.workers >= limits["keeps_up"] * seen.period_s / 2:
        return False
    return stuck >= limits["stuck"] * seen.shares["wait"] * seen.period_s


def _fetching(loader: LoaderTimes, fetch: float, making: float, limits: Limits) -> Loading:
    named = [(sound(item.seconds, MOST_S) or 0.0, item.name) for item in loader.transforms]
    rest = fetch - sum(seconds for seconds, _ in named)
    longest, name = max(named, default=(0.0, ""))
    if name and longest > 0 and longest >= rest:
        return Loading(f"transform:{name}", f"the transform {name}", making, loader.fetch_site)
    working = sound(loader.fetch_cpu_share, 1.0)
    cause = "fetch-io" if working is not None and working < limits["working"] else "decode"
    return _told(cause, making, loader.fetch_site)
