"""G302."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from dlcheck.findings import Finding, Remedy, Severity, Where
from dlcheck.rules.course import signal_series
from dlcheck.rules.layer_table import FIRST_STEPS, SMALLEST, LayerTable, layer_table
from dlcheck.rules.loss_state import LossState, need_loss_state
from dlcheck.rules.prescription import prescribed
from dlcheck.rules.prescriptions import CLIP, HE, NORM, rate
from dlcheck.rules.remedy import patched
from dlcheck.rules.rule import Limits, Threshold, Unchecked, rule
from dlcheck.runs import Curve, Run

EARLY = 20
"""Steps whose gradients are those of an untrained network, the largest of many a healthy run."""


@dataclass(frozen=True, slots=True)
class _Bursts:
    norms: Curve
    usual: float
    hits: np.ndarray
    """Indices of the norms far above the usual one."""

    @property
    def step(self) -> int | None:
        return self.norms.place(int(self.hits[0]))[0]


REMEDIES = (rate(0.3), replace(HE, text="start from weights of variance 2 over the number of inputs (He)"), NORM)


@rule(
    "G302",
    "exploding-gradient",
    Severity.WARNING,
    needs=(("grad_norm", "layer_grad_norm"), ("train_loss", "train_eval_loss", "batch_loss")),
    thresholds={
        "times": Threshold(10.0, "measured: 99 % of norms of 199 healthy small runs below 7 times the median"),
        "early_times": Threshold(3.0, "a run that converges has small gradients later; a burst exceeds the first too"),
        "hits": Threshold(3, "one batch may be strange, or two"),
        "least_values": Threshold(30, "a usual norm, and bursts that are rare beside it"),
        "depth": Threshold(1e3, "measured: 99 % of 199 healthy small runs below 7.3; AutoTrainer (2021) takes 70"),
        "depth_share": Threshold(0.5, "in most of the measured steps"),
        "gained": Threshold(0.1, "a tenth of the start: less is not worth the name of learning"),
    },
    references=(
        "Pascanu, Mikolov & Bengio 2013, On the difficulty of training recurrent neural networks, arXiv:1211.5063",
        "Zhang et al. 2021, AutoTrainer, ICSE",
        "Godbole et al. 2023, Deep Learning Tuning Playbook",
    ),
    prescriptions=(CLIP, *REMEDIES),
)
def exploding_gradient(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find gradients that burst, or grow layer by layer towards the input, and throw the loss back.

    What it finds:
        Two signals that agree. Either several norms of the whole gradient far above the usual one and above
        those of the first steps, or first layers whose gradient is a thousand times that of the last; and a
        training loss that climbs above its start after that, is lost again, or never learns.
    Why it matters:
        One such step can undo hundreds; many end in NaN.
    What to do:
        Clip the gradient near the ninetieth percentile of its norm, lower the rate, and start from weights that
        keep the gradient's size through the layers; normalisation layers and residual connections help.
    Limits:
        Norms that are logged once an epoch show bursts only by chance. What loss does without a burst is the
        matter of the curves' rules.
    Thresholds:
        times: Norm over the median of the run that counts as a burst.
        early_times: Norm over the upper quartile of the first 20 that it must exceed too.
        hits: Bursts, at least.
        least_values: Fewer norms are not judged for bursts.
        depth: Gradient of the first layer over that of the last.
        depth_share: Share of the measured steps at which it must be so.
        gained: Share of the start that a loss which learns has gained at the end.
    Sources:
        Pascanu, Mikolov & Bengio 2013, arXiv:1211.5063; Zhang et al. 2021, AutoTrainer (ratio of layers);
        Godbole et al. 2023, Deep Learning Tuning Playbook (where to clip).
    """
    loss = need_loss_state(run, "bursts hurt")
    bursts, table = _bursts(run, limits), _deep(run)
    if bursts is None and table is None:
        raise Unchecked("too few norms of the gradient, and fewer than three layers", "dlcheck watch SCRIPT")
    words = loss.bad(limits["gained"])
    if bursts is not None and len(bursts.hits) >= limits["hits"] and (said := words or _thrown(loss, bursts)):
        yield _judge_bursts(run, bursts, said)
    elif table is not None and words:
        ratios = depth_ratios(table)
        if (ratios > limits["depth"]).mean() > limits["depth_share"]:
            yield _judge_depth(run, table, ratios, words)


def _bursts(run: Run, limits: Limits) -> _Bursts | None:
    norms = signal_series(run, "grad_norm").finite
    if len(norms) < limits["least_values"]:
        return None
    later = norms.values[FIRST_STEPS:]
    usual, early = float(np.median(later)), float(np.quantile(norms.values[:EARLY], 0.75))
    burst = norms.values > max(limits["times"] * usual, limits["early_times"] * early)
    burst[:FIRST_STEPS] = False
    return _Bursts(norms, usual, np.flatnonzero(burst))


def _deep(run: Run) -> LayerTable | None:
    table = layer_table(run, "grad_norm")
    return table if len(table.names) >= 3 and len(depth_ratios(table)) else None


def depth_ratios(table: LayerTable) -> np.ndarray:
    """Return the gradient of the first layer over that of the last at each step; 0 without any gradient."""
    first, last = table.values[:, 0], table.values[:, -1]
    known = np.isfinite(first) & np.isfinite(last)
    first, last = first[known], last[known]
    return np.asarray(first / np.maximum(last, SMALLEST), dtype=np.float64)


def _thrown(loss: LossState, bursts: _Bursts) -> str:
    """Return in words that the loss climbed above its start after the first burst; nothing when it did not."""
    steps, burst = loss.course.curve.steps, bursts.step
    after = loss.course.curve.values if burst is None else loss.course.curve.values[steps >= burst]
    highest = float(np.max(after, initial=-np.inf))
    if highest <= loss.start + 0.1 * loss.scale:
        return ""
    return f"{loss.course.name} then climbed to {highest:.3g}, above the {loss.start:.3g} of its start"


def _judge_bursts(run: Run, bursts: _Bursts, words: str) -> Finding:
    highest = float(bursts.norms.values.max())
    return exploding_gradient.finding(
        f"the gradient's norm was {len(bursts.hits)} times far above its usual {bursts.usual:.3g}, "
        f"up to {highest:.3g}, and {words}",
        confidence=0.9,
        evidence={
            "usual_norm": bursts.usual,
            "highest_norm": highest,
            "bursts": len(bursts.hits),
            "p90_norm": float(np.quantile(bursts.norms.values, 0.9)),
        },
        where=Where(metric="grad_norm", step=bursts.step),
        cause="steps into a region where the loss is far steeper",
        remedies=_remedies(run, float(np.quantile(bursts.norms.values, 0.9))),
    )


def _judge_depth(run: Run, table: LayerTable, ratios: np.ndarray, words: str) -> Finding:
    ratio = float(min(np.median(ratios), 1e300))
    return exploding_gradient.finding(
        f"the gradient grows {ratio:.2g}-fold from the last layer to the first, and {words}",
        confidence=0.88,
        evidence={
            "first_over_last": ratio,
            "first_layer_norm": float(np.nanmedian(table.values[:, 0])),
            "last_layer_norm": float(np.nanmedian(table.values[:, -1])),
            "layers": len(table.names),
        },
        where=Where(layer=table.names[0], step=int(table.steps[0])),
        cause="weights so large that each layer multiplies the gradient",
        remedies=_remedies(run, None),
    )


def _remedies(run: Run, p90: float | None) -> tuple[Remedy, ...]:
    limit = 1.0 if p90 is None or not p90 > 0 else float(f"{min(p90, 1e6):.2g}")
    return (
        patched(run, f"clip the gradient to norm {limit:g}", {"train.clip_norm": limit}),
        *prescribed(run, *REMEDIES),
    )
