"""M215."""

from collections.abc import Iterator
from math import isfinite

from dlcheck.findings import Finding, Remedy, Severity, Where
from dlcheck.rules.prescription import Prescription, prescribed
from dlcheck.rules.prescriptions import NO_DROPOUT, TRAINS
from dlcheck.rules.reference import reference
from dlcheck.rules.rule import Limits, Threshold, measured, rule
from dlcheck.rules.scores import score
from dlcheck.rules.site import finite
from dlcheck.runs import Run
from dlcheck.runs.facts import Dropouts

Layer = tuple[str, float]


@rule(
    "M215",
    "excessive-dropout",
    Severity.WARNING,
    needs=("dropouts",),
    thresholds={
        "rate": Threshold(0.8, "Srivastava et al. 2014, section 7.3: from 0.8 on networks underfit"),
        "underfit": Threshold(0.5, "half of what a constant answer loses is still lost, on the training data"),
        "score": Threshold(0.6, "CS231n: a training accuracy this low is far from fitted"),
    },
    references=("Srivastava et al. 2014, Dropout, JMLR 15",),
    prescriptions=(NO_DROPOUT, Prescription("lower the rate to 0.2", {"model.dropout": 0.2}, expects=TRAINS)),
)
def excessive_dropout(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find dropout that drops so much that the network cannot learn, or that drops answers themselves.

    What it finds:
        Two signals that agree: a layer that drops four fifths or more, and a training error that is still high
        when measured without dropout. Exactly: a dropout on the output itself, and a rate of 1.
    Why it matters:
        What remains of the layer differs so much from step to step that later layers learn its mean. On the
        output, dropout sets answers to 0 at random, which no weights can mend.
    What to do:
        Rates of 0.1 to 0.5; none after the last layer; none at all while the training error is high.
    Limits:
        A high rate in a network that fits is a choice. A rate of 0 is no dropout. Networks whose output is an
        embedding that is dropped on purpose are found; leave the rule out for them.
    Thresholds:
        rate: Probability to drop, at least.
        underfit: Loss on training data without dropout, relative to that of a constant answer, at least.
        score: Training accuracy or other score bounded by 1 below which it underfits, where no loss tells.
    Sources:
        Srivastava et al. 2014, Dropout, JMLR 15.
    """
    seen = measured(run, Dropouts)
    layers = [(name, rate) for name, rate in zip(seen.layers, seen.rates, strict=False) if isfinite(rate) and rate > 0]
    if not layers:
        return
    most = max(layers, key=lambda layer: layer[1])
    if most[1] >= 1:
        yield _finding(run, seen, most, f"dropout {most[0]} has a rate of 1: nothing passes", 0.9)
    elif seen.on_output:
        yield _finding(run, seen, layers[-1], "a dropout acts on the network's output itself", 0.9)
    elif most[1] >= limits["rate"] and _underfits(run, seen, limits):
        yield _finding(run, seen, most, f"dropout {most[0]} drops {most[1]:.0%}, and the network underfits", 0.85)


def _underfits(run: Run, seen: Dropouts, limits: Limits) -> bool:
    loss, constant = finite(seen.eval_loss), _constant(run, seen)
    if loss is not None and constant is not None and constant > 0:
        return loss >= limits["underfit"] * constant
    fitted = score(run, "train_eval")
    return fitted is not None and fitted.bounded and float(fitted.y.max()) < limits["score"]


def _constant(run: Run, seen: Dropouts) -> float | None:
    """Return the loss of a constant answer: to the very samples, else as the run knows it."""
    own, known = finite(seen.constant_loss), reference(run)
    return own if own is not None else finite(known.loss) if known is not None and known.constant else None


def _finding(run: Run, seen: Dropouts, layer: Layer, summary: str, confidence: float) -> Finding:
    return excessive_dropout.finding(
        summary,
        confidence=confidence,
        evidence={
            "rate": layer[1],
            "layers": len(seen.layers),
            "train_loss": finite(seen.train_loss),
            "loss_without_dropout": finite(seen.eval_loss),
            "trivial_loss": _constant(run, seen),
        },
        where=Where(layer=layer[0]),
        cause="too little of the layer is left for the next one to learn from"
        if not seen.on_output
        else "answers are set to 0 at random, which no weights can make up for",
        remedies=(Remedy("take the dropout after the last layer away"), *prescribed(run, NO_DROPOUT))
        if seen.on_output
        else (),
    )
