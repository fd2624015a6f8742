"""The figures as Markdown."""

from __future__ import annotations

from tests.benchmarks.faults.intervals import Share
from tests.benchmarks.treatments.record import NEAR
from tests.benchmarks.treatments.score import Cures, Scores

NAMES = {
    "treat": "`dlcheck treat`",
    "random": "a random patch, same proof, same cost",
    "autotrainer": "AutoTrainer's repairs (our re-implementation)",
}


def markdown(scores: Scores) -> str:
    """Return the figures, the summary first."""
    return "\n".join([*_summary(scores), "", *_faults(scores)])


def share(found: Share) -> str:
    """Return a share with its interval: ``92.0 % (23 of 25; 75.0 to 97.8)``."""
    if not found.of:
        return "–"
    low, high = found.interval
    return f"{100 * found.rate:.1f} % ({found.count} of {found.of}; {100 * low:.1f} to {100 * high:.1f})"


def _summary(scores: Scores) -> list[str]:
    head = [
        f"{scores.planted} faults planted, {scores.hurts} of them hurt over five seeds and count.",
        "",
        f"| on the faults that hurt | within {NEAR:g} points of the healthy twin | any improvement | "
        "changed, yet no better | points gained | median cost, trainings |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    left = "; ".join(f"{count} left out: {why}" for why, count in scores.left_out.items())
    return [
        *head,
        *(_row(one) for one in scores.cures),
        "",
        f"Healthy recipes changed: {share(scores.changed)}, {scores.changed_worse} of them for the worse; "
        f"median cost {scores.healthy_cost:.1f} trainings.",
        *(f"Cost of {NAMES[one.doctor]} by use, mean trainings: {_uses(one)}." for one in scores.cures if one.costs),
        *(f"{one.errors} treatments by {NAMES[one.doctor]} ended in an error." for one in scores.cures if one.errors),
        f"Seconds of a case: {scores.seconds:.0f} on average{'; ' + left if left else ''}.",
    ]


def _row(one: Cures) -> str:
    return (
        f"| {NAMES[one.doctor]} | {share(one.near)} | {share(one.improved)} | {share(one.false)} | "
        f"{one.gain:+.1f} | {one.cost:.1f} |"
    )


def _uses(one: Cures) -> str:
    return ", ".join(f"{use} {cost:.1f}" for use, cost in one.costs.items())


def _faults(scores: Scores) -> list[str]:
    doctors = [one.doctor for one in scores.cures]
    names = " | ".join(f"near, {doctor}" for doctor in doctors)
    return [
        f"| fault | hurts | {names} | median cost | how the treatments ended |",
        f"| --- | --- | {' | '.join('---' for _ in doctors)} | --- | --- |",
        *(
            f"| {one.name} | {one.hurts} of {one.planted} | "
            f"{' | '.join(str(one.near.get(doctor, 0)) for doctor in doctors)} | {one.cost:.1f} | {one.endings} |"
            for one in scores.faults
        ),
    ]
