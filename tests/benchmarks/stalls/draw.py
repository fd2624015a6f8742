"""Draws the cases of a seed: planted stalls that take 20 to 70 % of a step, and healthy pipelines."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace

from tests.benchmarks.stalls.case import Build, Case, Stall

DEVELOPMENT, HELD_OUT = 1, 2
"""Seeds: the first may be looked at while rules are made; the second is for the figures that are reported."""
COUNTS = {
    "item-sleep": 7,
    "item-burn": 7,
    "file": 4,
    "transform": 8,
    "collate": 6,
    "rare": 6,
    "start": 6,
    "before": 3,
    "between": 5,
    "after": 6,
    "optimizer": 5,
    "threads": 4,
    "workers": 3,
}
"""Cases of each kind; 70 in all."""
GPU_COUNTS = {"read": 3, "pageable": 3, "kernels": 3, "synchronize": 3, "matmul": 2}
"""Further ones where there is a CUDA device."""
RARE = 64
"""Samples to one slow one."""
FORK_MS = 25.0
"""That starting workers takes by itself, roughly."""
LOADING = frozenset({"item", "file", "transform", "collate"})
TRANSFORMS = ("Sharpen", "ElasticBend", "ColourCast", "PerspectiveTilt", "RandomErase")

ANSWERS: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    "item-sleep": (frozenset({"input"}), frozenset({"fetch-io"})),
    "item-burn": (frozenset({"input"}), frozenset({"decode"})),
    "file": (frozenset({"input"}), frozenset({"fetch-io"})),
    "collate": (frozenset({"input"}), frozenset({"collate"})),
    "rare": (frozenset({"input"}), frozenset({"straggler"})),
    "start": (frozenset({"startup", "input"}), frozenset({"startup"})),
    "before": (frozenset({"gap"}), frozenset({"inside-step"})),
    "between": (frozenset({"gap"}), frozenset({"inside-step"})),
    "after": (frozenset({"gap"}), frozenset({"outside-step"})),
    "optimizer": (frozenset({"compute"}), frozenset({"optimizer"})),
    "threads": (frozenset({"cpu"}), frozenset({"oversubscribed"})),
    "workers": (frozenset({"input", "cpu"}), frozenset({"transport", "oversubscribed", "workers-harmful"})),
    "read": (frozenset({"sync"}), frozenset()),
    "pageable": (frozenset({"copy"}), frozenset()),
    "kernels": (frozenset({"launch"}), frozenset()),
    "synchronize": (frozenset({"sync"}), frozenset()),
    "matmul": (frozenset({"compute"}), frozenset()),
}
"""By kind: the classes and the root causes that are right. A transform's cause holds its name and is added there."""


def stalls(seed: int) -> list[Case]:
    """Return the planted stalls of a seed, in an order that mixes the kinds."""
    found = [_stall(kind, seed, number) for kind, count in COUNTS.items() for number in range(count)]
    random.Random(seed).shuffle(found)
    return found


def gpu_stalls(seed: int) -> list[Case]:
    """Return the cases that need a CUDA device."""
    return [_gpu(kind, seed, number) for kind, count in GPU_COUNTS.items() for number in range(count)]


def healthy(seed: int) -> list[Case]:
    """Return pipelines in which nothing keeps the device waiting."""
    none = frozenset[str]()
    return [
        Case(
            f"{seed}-{kind}-{number}",
            kind,
            make(random.Random(f"{seed} {kind} {number}")),
            frozenset({"compute"}),
            none,
        )
        for kind, (make, count) in HEALTHY.items()
        for number in range(count)
    ]


def contended(seed: int, count: int = 30) -> list[Case]:
    """Return stalls and healthy pipelines, two to one, that are to be judged on a busy machine."""
    chance = random.Random(f"{seed} contended")
    wanted = count * 2 // 3
    return chance.sample(stalls(seed), wanted) + chance.sample(healthy(seed), min(count - wanted, len(healthy(seed))))


def _stall(kind: str, seed: int, number: int) -> Case:
    chance = random.Random(f"{seed} {kind} {number}")
    share = round(chance.uniform(0.25, 0.68), 3)
    place, _, way = kind.partition("-")
    way = way or chance.choice(["sleep", "burn"])
    build = _base(chance, place, way, number)
    build, share = PLANTS[place](build, share, way, chance)
    coarse, causes = ANSWERS.get(kind, (frozenset({"input"}), frozenset()))
    if place == "transform" and build.stall is not None:
        causes = frozenset({f"transform:{build.stall.name}"})
    return Case(f"{seed}-{kind}-{number}", kind, build, coarse, causes, share)


def _base(chance: random.Random, place: str, way: str, number: int) -> Build:
    """Return a training in one of the ways in which people write them; numbers turn the workers round."""
    workers = number % 3 if place in LOADING | {"rare"} else number % 2
    layout = chance.choice(["function", "function", "trainer", "top"])
    start = chance.choice(["", "", "", "forkserver", "spawn"]) if workers and layout != "top" else ""
    data = chance.choice(
        ["map", "map", "batched", "stream"] if place in {"item", "collate"} else ["map", "map", "batched"]
    )
    # Two cores are the least that any machine has: a core that loads and one that computes, and no third.
    burns = workers <= 1 and place not in {"start"} and chance.random() < 0.4
    return Build(
        layout=layout,
        data=data,
        chain=chance.choice(["own", "own", "v1", "v2"]),
        batch=chance.choice([8, 16, 32]),
        workers=workers,
        prefetch=chance.choice([None, None, 2, 4]) if workers else None,
        persistent=bool(workers) and chance.random() < 0.5,
        start=start,
        model=chance.choice(["mlp", "mlp", "cnn", "lstm"]),
        optimizer=chance.choice(["SGD", "Adam", "AdamW"]),
        compute="burn" if burns else "sleep",
        compute_ms=round(chance.uniform(8, 25), 1),
        item_ms=0.05 if workers and place not in LOADING else 0.0,
    )


def _per_batch(build: Build, share: float) -> float:
    """Return the milliseconds of making a batch that leave the loop waiting for that share of a step."""
    if not build.workers:
        return build.compute_ms * share / (1 - share)
    return build.workers * build.compute_ms / (1 - share)


Planted = tuple[Build, float]
Plant = Callable[[Build, float, str, random.Random], Planted]


def _in_sample(place: str) -> Plant:
    def plant(build: Build, share: float, way: str, chance: random.Random) -> Planted:
        name = chance.choice(TRANSFORMS) if place == "transform" else ""
        if place == "file":
            way = "sleep"
        stall = Stall(place, round(_per_batch(build, share) / build.batch, 4), way, name)
        return replace(build, stall=stall), share

    return plant


def _in_collate(build: Build, share: float, way: str, chance: random.Random) -> Planted:
    return replace(build, stall=Stall("collate", round(_per_batch(build, share), 3), way)), share


def _rare(build: Build, share: float, way: str, chance: random.Random) -> Planted:
    batch = chance.choice([8, 16])
    ahead = build.workers * (build.prefetch or 2) * build.compute_ms
    ms = build.compute_ms * share / (1 - share) * RARE / batch + ahead
    stall = Stall("rare", round(ms, 1), way, every=RARE)
    return replace(build, batch=batch, data="map", stall=stall), share


def _start(build: Build, share: float, way: str, chance: random.Random) -> Planted:
    epoch, ms = chance.randint(3, 6), round(chance.uniform(6, 14), 1)
    opening = max(0.0, round(epoch * ms * share / (1 - share) - FORK_MS, 1))
    workers = chance.choice([1, 2, 3])
    return replace(
        build, epoch=epoch, compute_ms=ms, workers=workers, persistent=False, start="", prefetch=None, data="map",
        stall=Stall("start", opening),
    ), share  # fmt: skip


def _in_loop(place: str) -> Plant:
    def plant(build: Build, share: float, way: str, chance: random.Random) -> Planted:
        stall = Stall(place, round(build.compute_ms * share / (1 - share), 3), way)
        return replace(build, stall=stall), share

    return plant


def _threads(build: Build, share: float, way: str, chance: random.Random) -> Planted:
    stall = Stall("threads", count=chance.choice([16, 24, 32]))
    return replace(
        build, workers=0, prefetch=None, persistent=False, start="", model="mlp", data="map",
        width=chance.choice([512, 768]), compute="real", compute_ms=0.0, batch=64, item_ms=0.0, stall=stall,
    ), 0.0  # fmt: skip


def _workers(build: Build, share: float, way: str, chance: random.Random) -> Planted:
    count = chance.choice([8, 12, 16])
    return replace(
        build, workers=count, prefetch=None, persistent=True, start="", data="map", model="cnn", width=32, batch=64,
        compute="burn", compute_ms=round(chance.uniform(2, 5), 1), item_ms=0.0, stall=Stall("workers", count=count),
    ), 0.0  # fmt: skip


PLANTS: dict[str, Plant] = {
    "item": _in_sample("item"),
    "file": _in_sample("file"),
    "transform": _in_sample("transform"),
    "collate": _in_collate,
    "rare": _rare,
    "start": _start,
    "before": _in_loop("before"),
    "between": _in_loop("between"),
    "after": _in_loop("after"),
    "optimizer": _in_loop("optimizer"),
    "threads": _threads,
    "workers": _workers,
}


def _gpu(kind: str, seed: int, number: int) -> Case:
    chance = random.Random(f"{seed} {kind} {number}")
    model, width = {"kernels": ("mlp", 32), "matmul": ("mlp", 4096)}.get(kind, ("cnn", 64))
    batch = chance.choice([64, 128])
    build = Build(batch=batch, model=model, width=width, compute="real", device="cuda", data="tensors")
    stall = Stall(kind, ms=round(chance.uniform(4, 12), 1), count=chance.choice([150, 200, 300]))
    coarse, causes = ANSWERS[kind]
    return Case(f"{seed}-{kind}-{number}", kind, replace(build, stall=stall), coarse, causes)


def _hidden(chance: random.Random) -> Build:
    workers, ms = chance.choice([1, 2]), round(chance.uniform(15, 35), 1)
    load = workers * ms * chance.uniform(0.2, 0.6)
    return Build(
        layout=chance.choice(["function", "trainer", "top"]), batch=16, workers=workers, compute_ms=ms,
        item_ms=round(load / 16, 4), item_way="sleep", model=chance.choice(["mlp", "cnn"]),
    )  # fmt: skip


def _in_memory(chance: random.Random) -> Build:
    return Build(
        data=chance.choice(["tensors", "map"]), compute=chance.choice(["sleep", "burn"]), batch=32,
        compute_ms=round(chance.uniform(12, 30), 1), optimizer=chance.choice(["SGD", "Adam"]),
    )  # fmt: skip


def _real(chance: random.Random) -> Build:
    model, batch, width = chance.choice([("mlp", 128, 768), ("cnn", 64, 32), ("lstm", 32, 128)])
    return Build(
        layout=chance.choice(["function", "trainer", "top"]), data="tensors", compute="real", model=model, batch=batch,
        width=width, optimizer=chance.choice(["SGD", "AdamW"]),
    )  # fmt: skip


def _tiny(chance: random.Random) -> Build:
    return Build(data="map", compute="real", model="mlp", width=16, batch=chance.choice([8, 16]))


def _short_epochs(chance: random.Random) -> Build:
    return replace(_hidden(chance), epoch=chance.randint(12, 20), persistent=True)


def _evaluated(chance: random.Random) -> Build:
    return replace(_hidden(chance), epoch=60, evaluate=True, persistent=True, layout="function")


def _jittery(chance: random.Random) -> Build:
    return replace(_hidden(chance), jitter=0.6, prefetch=4)


def _accumulated(chance: random.Random) -> Build:
    return replace(_in_memory(chance), accumulate=2, layout="function")


def _streamed(chance: random.Random) -> Build:
    return replace(_hidden(chance), data="stream")


def _logged(chance: random.Random) -> Build:
    return replace(_in_memory(chance), log_ms=1.0)


HEALTHY: dict[str, tuple[Callable[[random.Random], Build], int]] = {
    "hidden": (_hidden, 5),
    "in-memory": (_in_memory, 4),
    "real": (_real, 5),
    "tiny": (_tiny, 2),
    "short-epochs": (_short_epochs, 2),
    "evaluated": (_evaluated, 2),
    "jittery": (_jittery, 2),
    "accumulated": (_accumulated, 1),
    "streamed": (_streamed, 1),
    "logged": (_logged, 1),
}
"""How each kind of healthy pipeline is made, and how many; 25 in all."""


def named(cases: Sequence[Case], words: Sequence[str]) -> list[Case]:
    """Return the cases whose name holds one of the words; without words all."""
    return [case for case in cases if not words or any(word in case.name for word in words)]
