"""G308."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from dlcheck.findings import Finding, Remedy, Severity
from dlcheck.rules.course import TRAINING, course
from dlcheck.rules.remedy import patched, recipe_value
from dlcheck.rules.rule import Limits, Threshold, measured, rule
from dlcheck.rules.site import at, finite, share, site_where
from dlcheck.rules.statistics import trend
from dlcheck.runs import Run
from dlcheck.runs.facts import Clipping


@dataclass(frozen=True, slots=True)
class _Clipped:
    summary: str
    cause: str
    remedies: tuple[Remedy, ...]
    severity: Severity
    confidence: float


@rule(
    "G308",
    "clipping-always",
    Severity.WARNING,
    needs=("clipping",),
    thresholds={
        "calls": Threshold(20, "the first gradients are larger than those to come"),
        "exact": Threshold(3, "one call in the wrong place may be a trial"),
        "share": Threshold(0.9, "Google, Tuning Playbook: to clip more than half of the steps is a smaller rate"),
        "shrinks": Threshold(5.0, "a limit meant for outliers lies above the usual norm, not at a fifth of it"),
        "left": Threshold(0.05, "what the loss still gained in its last quarter, relative to all it gained"),
    },
    references=(
        "Google 2023, Deep Learning Tuning Playbook (clip at the 90th percentile of the gradient's norm)",
        "Pascanu, Mikolov & Bengio 2013, arXiv:1211.5063",
        "PyTorch documentation, Automatic Mixed Precision examples (unscale before clipping)",
    ),
)
def clipping_always(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find gradients that are clipped in nearly every step, or at a place where clipping does not work.

    What it finds:
        Exactly: clipping after the step or before the backward pass, and clipping of gradients that are still
        multiplied by a loss scale. By two signals: norms far above the limit in nearly every step, and a loss
        that still falls at the end.
    Why it matters:
        A limit far below the usual norm makes every step equally long: the learning rate no longer says how
        long, and training takes more steps than it needs. In the wrong place, clipping protects nothing.
    What to do:
        Put the limit at the 90th percentile of the norms, and clip between the backward pass (after unscale_)
        and the step.
    Limits:
        Adam, RMSprop and their kin rescale each step anyway, and are not judged for clipping often. Where the
        loss has settled by the end, clipping always is told as information: the rate may be chosen for it.
    Thresholds:
        calls: Calls, at least, to judge how often the limit is exceeded.
        exact: Calls, at least, to judge where they stand.
        share: Share of calls above the limit, at least.
        shrinks: Median norm over the limit, at least.
        left: Share of its whole fall that the training loss made in the last quarter, at least.
    Sources:
        Google 2023, Deep Learning Tuning Playbook; Pascanu, Mikolov & Bengio 2013, arXiv:1211.5063; PyTorch
        documentation, Automatic Mixed Precision examples.
    """
    seen = measured(run, Clipping)
    found = _misplaced(seen, limits) or _often(run, seen, limits)
    if found is not None:
        yield _finding(seen, found)


def _misplaced(seen: Clipping, limits: Limits) -> _Clipped | None:
    if seen.calls < limits["exact"] or not (seen.after_step or seen.before_unscale):
        return None
    if seen.after_step:
        return _Clipped(
            "gradients are clipped where no step follows: after the step, or before the backward pass",
            "what is clipped is not used any more, so that no step is protected",
            (Remedy("call clip_grad_norm_ between loss.backward() and optimizer.step()"),),
            Severity.WARNING,
            0.95,
        )
    return _Clipped(
        "gradients are clipped while still multiplied by the loss scale",
        "the limit is compared with norms that are too large by the scale, so that almost nothing is left of them",
        (Remedy("call scaler.unscale_(optimizer) before clip_grad_norm_"),),
        Severity.WARNING,
        0.95,
    )


def _often(run: Run, seen: Clipping, limits: Limits) -> _Clipped | None:
    far = seen.limit > 0 and seen.median_norm >= limits["shrinks"] * seen.limit
    often = seen.calls >= limits["calls"] and share(seen.clipped, seen.calls) >= limits["share"]
    if seen.rescales or not far or not often:
        return None
    falling = _still_falls(run, limits)
    limit = finite(float(f"{seen.p90_norm:.2g}"))
    raised = Remedy(f"raise the limit to {seen.p90_norm:.2g}, which nine in ten norms stay below")
    if limit and recipe_value(run, "train", "clip_norm") is not None:
        raised = patched(run, raised.text, {"train.clip_norm": limit})
    return _Clipped(
        f"{seen.clipped} of {seen.calls} gradients were clipped, to {seen.limit / seen.median_norm:.1%} of their "
        f"norm{' while the loss still fell at the end' if falling else ''}",
        "the limit lies far below the usual norm: every step has the same length, whatever the gradient",
        (raised, Remedy("keep the limit and raise the learning rate, if the run is stable")),
        Severity.WARNING if falling else Severity.INFO,
        0.75 if falling else 0.6,
    )


def _still_falls(run: Run, limits: Limits) -> bool:
    seen = [item for name in TRAINING if (item := course(run, name)) is not None and len(item) >= 8]
    if not seen or seen[0].fall <= 0:
        return False
    loss = seen[0]
    quarter = -max(3, len(loss) // 4)
    gained = float(np.median(loss.level[quarter:][:2])) - loss.end
    half = len(loss) // 2
    return gained >= limits["left"] * loss.fall and trend(loss.x[half:], loss.y[half:]).falls(0.01)


def _finding(seen: Clipping, found: _Clipped) -> Finding:
    return clipping_always.finding(
        found.summary + at(seen.site),
        severity=found.severity,
        confidence=found.confidence,
        evidence={
            "calls": seen.calls,
            "clipped": seen.clipped,
            "limit": finite(seen.limit),
            "median_norm": finite(seen.median_norm),
            "p90_norm": finite(seen.p90_norm),
            "optimizer": seen.optimizer or None,
        },
        where=site_where(seen.site),
        cause=found.cause,
        remedies=found.remedies,
    )
