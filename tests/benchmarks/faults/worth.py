"""Doctors of known worth, and trainings for them to speak of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product

from tests.benchmarks.faults.record import Told, Trained
from tests.benchmarks.faults.score import FaultFacts, Scores, score

CODES = ("A001", "B002", "C003")
CATALOGUE = (
    FaultFacts("rate-too-high", frozenset({"A001"}), alternatives=frozenset({"A009"})),
    FaultFacts("two-softmaxes", frozenset({"B002"}), exact=True, seen=frozenset({"check"})),
    FaultFacts("few-samples", frozenset({"C003"}), seen=frozenset({"log", "live"})),
)
BY_NAME = {facts.name: facts for facts in CATALOGUE}
PROGRAMS = ("digits/mlp/adam", "wine/mlp/sgd", "moons/mlp/sgd", "text/gru/adam")
GOOD = (0.90, 0.91, 0.92, 0.93, 0.94)
BAD = {
    "rate-too-high": (0.30, 0.31, 0.32, 0.33, 0.34),
    "two-softmaxes": GOOD,
    "few-samples": (0.50, 0.51, 0.52, 0.53, 0.54),
}

Rule = Callable[[Trained], list[Told]]


def always(run: Trained) -> list[Told]:
    return [Told(code, "warning", 0.97, primary=code == "A001", step=1) for code in CODES]


def random_word(run: Trained) -> list[Told]:
    return [Told("Z999", "error", 0.97, primary=True)]


def silent(run: Trained) -> list[Told]:
    return []


def perfect(run: Trained) -> list[Told]:
    if run.kind == "healthy":
        return [Told("Z999", "info")]
    code = min(BY_NAME[run.variant].codes)
    return [Told(code, "error", 0.97, primary=True, layer="net.0.weight", step=10 + run.seed)]


def trained(variant: str, scores: Sequence[float], rule: Rule, program: str = PROGRAMS[0]) -> list[Trained]:
    kind = "healthy" if variant in ("plain", "warm-up") else "fault"
    runs = [
        Trained(program, variant, kind, "held", seed, value, best=value, layer="net.0" if kind == "fault" else None)
        for seed, value in enumerate(scores)
    ]
    for run in runs if kind == "healthy" else runs[:1]:
        run.doctors = {doctor: rule(run) for doctor in ("log", "live", "check", "peer")}
    return runs


def half(rule: Rule) -> list[Trained]:
    variants = {"plain": GOOD, "warm-up": GOOD, **BAD}
    return [
        run for name, program in product(variants, PROGRAMS) for run in trained(name, variants[name], rule, program)
    ]


def scored(rule: Rule) -> Scores:
    return score(half(rule), CATALOGUE)
