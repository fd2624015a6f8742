"""Trainings whose speed is predicted and tuned: loaders that wait or work, devices that wait or share the cores."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tests.benchmarks.stalls.case import Build


@dataclass(frozen=True, slots=True)
class Point:
    """A setting of a loader."""

    workers: int
    prefetch: int | None = None
    persistent: bool = False
    in_order: bool = True

    @property
    def label(self) -> str:
        """The setting in words."""
        own = f", prefetch {self.prefetch}" if self.prefetch else ""
        own += ", persistent" if self.persistent else ""
        return f"{self.workers} workers{own}{'' if self.in_order else ', any order'}"

    def spelled(self) -> Point:
        """Return it with Python's own prefetch spelled out, and without what means nothing."""
        if not self.workers:
            return Point(0)
        return replace(self, prefetch=self.prefetch or PREFETCH[0])


@dataclass(frozen=True, slots=True)
class Workload:
    """A training by its times."""

    name: str
    build: Build
    shared: bool = False
    """Loader and computation want the same cores: to call it unpredictable is right."""

    @property
    def free(self) -> Build:
        """Return the same training on data that are there already."""
        return replace(self.build, data="tensors", workers=0, prefetch=None, persistent=False, item_ms=0.0)

    def at(self, workers: int) -> Build:
        """Return it with another number of workers."""
        return self.tuned(Point(workers, self.build.prefetch, self.build.persistent))

    def tuned(self, point: Point) -> Build:
        """Return it with another loader."""
        some = point.workers > 0
        return replace(
            self.build, workers=point.workers, prefetch=point.prefetch if some else None,
            persistent=point.persistent and some, in_order=point.in_order,
        )  # fmt: skip


def _made(load_ms: float, compute_ms: float, workers: int, *, way: str = "sleep", compute: str = "sleep") -> Workload:
    build = Build(
        batch=16, workers=workers, item_ms=load_ms / 16, item_way=way, compute=compute, compute_ms=compute_ms,
        persistent=workers > 0,
    )  # fmt: skip
    kind = {"sleep": "io", "burn": "cpu"}
    device = "device" if compute == "sleep" else "cores"
    name = f"{kind[way]}-{load_ms:g}/{device}-{compute_ms:g}/{workers}w"
    return Workload(name, build, shared=way == "burn" and (compute == "burn" or workers > 1))


PREDICTED = (
    _made(10, 20, 0),
    _made(40, 20, 0),
    _made(20, 20, 0, way="burn"),
    _made(40, 20, 1),
    _made(40, 20, 2),
    _made(10, 20, 1),
    _made(16, 20, 1),
    _made(8, 10, 1),
    _made(80, 20, 2),
    _made(30, 20, 1, way="burn"),
    _made(30, 20, 2, way="burn", compute="burn"),
)
"""After the cases with which the model of throughput was first tried, the last one unpredictable on two cores."""

TUNED = (
    _made(30, 15, 0),
    _made(60, 15, 1),
    _made(10, 20, 0),
    _made(20, 20, 0, way="burn"),
    _made(15, 10, 1, way="burn"),
    Workload("short-epochs/2w", replace(_made(12, 12, 2).build, epoch=6, persistent=False)),
    Workload("tiny-items/4w", Build(batch=64, workers=4, persistent=True, compute_ms=3.0)),
    Workload("hidden/2w", _made(10, 25, 2).build),
    Workload("jittery/1w", replace(_made(30, 15, 1).build, jitter=0.8)),
)
"""Settings are searched for these."""
WORKERS = (0, 1, 2, 3, 4)
PREFETCH = (2, 4)
