"""M206."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import isfinite, prod

from dlcheck.findings import Finding, Remedy, Severity
from dlcheck.rules.rule import Limits, Threshold, measured, rule
from dlcheck.rules.site import at, finite, site_where
from dlcheck.runs import Run
from dlcheck.runs.facts import LossCall, LossCalls

SOFTMAX = ("softmax", "softmin", "gumbel_softmax")
SQUASHES = ("sigmoid", "hardsigmoid", *SOFTMAX)
LOGARITHMS = ("log", "log_softmax", "logsigmoid", "log_sigmoid", "log2", "log1p", "logsumexp", "logaddexp")
ROUNDING = 1e-3
"""Half precision writes a probability of 1 as up to this much more."""


@dataclass(frozen=True, slots=True)
class _Mismatch:
    found: str
    """What went in, in words."""
    effect: str
    remedies: tuple[str, ...]
    severity: Severity = Severity.WARNING
    confidence: float = 0.97


@rule(
    "M206",
    "loss-input-mismatch",
    Severity.WARNING,
    needs=("loss_calls",),
    thresholds={
        "rows": Threshold(64, "one row of two outputs may sum to 1 by chance, 64 in a row to 0.0001 do not"),
        "calls": Threshold(20, "raw outputs leave 0 … 1 within a few batches, once they move"),
        "fill": Threshold(0.8, "outputs of a sigmoid that trains spread over most of 0 … 1"),
    },
    references=(
        "PyTorch documentation, torch.nn.functional: the inputs that each loss expects",
        "Tobin 2021, Full Stack Deep Learning, lecture 7 (softmax given to a loss that expects logits)",
        "Nikanjam et al. 2021, NeuraLint, ACM TOSEM 31(1)",
    ),
)
def loss_input_mismatch(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find a loss that is given another kind of numbers than it expects: probabilities for logits and the like.

    What it finds:
        Softmax before cross-entropy, which has a softmax of its own; probabilities or raw outputs in nll_loss
        or kl_div, which expect logarithms of probabilities; raw outputs in binary_cross_entropy; a sigmoid
        before binary_cross_entropy_with_logits; rectified outputs in cross_entropy. Every call must have been
        of that kind, and either the graph names the operation or the numbers leave no doubt.
    Why it matters:
        A second softmax bounds the loss from below and flattens its gradient, so that the network learns
        slowly and is never sure. Without the logarithm the loss has no lower bound at all, or is not the one
        that is reported.
    What to do:
        Give the network's raw outputs to cross_entropy and binary_cross_entropy_with_logits, and take the
        softmax or sigmoid only where answers are read.
    Limits:
        Log-probabilities in cross_entropy are harmless, and only told. Mean squared error on a sigmoid or
        softmax is a choice. Probabilities that a network makes in an unusual way, within few calls, pass.
    Thresholds:
        rows: Rows that must all sum to 1 where the graph does not name the operation.
        calls: Calls that must all lie within 0 … 1 where the graph does not name the operation.
        fill: Share of 0 … 1 that they must then cover.
    Sources:
        PyTorch documentation, torch.nn.functional; Tobin 2021, Full Stack Deep Learning, lecture 7;
        Nikanjam et al. 2021, ACM TOSEM 31(1).
    """
    calls = measured(run, LossCalls).calls
    found = [(call, mismatch) for call in calls if (mismatch := _judge(call, limits)) is not None]
    training = [item for item in found if item[0].trains]
    for call, mismatch in training or found:  # the same outputs are evaluated: one place is enough
        yield _finding(call, mismatch)


def _judge(call: LossCall, limits: Limits) -> _Mismatch | None:
    judge = _JUDGES.get(call.loss.removesuffix("2d"))
    return judge(call, limits) if judge is not None and call.calls > 0 else None


def _always(call: LossCall, kind: str) -> bool:
    return call.input_kind == kind and call.matched >= call.calls


def _probabilities(call: LossCall, limits: Limits) -> bool:
    if call.made_by in SOFTMAX:  # also along another axis, or rounded in half precision
        return _always(call, "probabilities") or _always(call, "unit_interval")
    rows = call.calls * (prod(call.input_shape[:-1]) if len(call.input_shape) > 1 else 1)
    # Rows of one number that is always 1, or the same for all, are no output of a softmax that learns.
    return _always(call, "probabilities") and call.largest > call.smallest and rows >= limits["rows"]


def _squashed(call: LossCall, limits: Limits) -> bool:
    if not (_always(call, "unit_interval") or _always(call, "probabilities")):
        return False
    if call.made_by in SQUASHES:
        return True
    filled = call.largest - call.smallest >= limits["fill"]
    return not call.made_by and call.calls >= limits["calls"] and filled


def _is_raw(call: LossCall) -> bool:
    """Tell numbers that cannot be logarithms of probabilities: some are positive."""
    return _always(call, "raw") and call.made_by not in LOGARITHMS and call.largest > ROUNDING


def _cross_entropy(call: LossCall, limits: Limits) -> _Mismatch | None:
    if call.made_by == "relu" and call.smallest >= 0:
        effect = "a rectified output cannot speak against a class, and gets no gradient where it is 0"
        return _Mismatch("rectified outputs", effect, ("remove the ReLU after the last layer",), confidence=0.7)
    drop = ("remove the {op} before the loss, and apply it only where answers are read",)
    if _probabilities(call, limits):
        effect = "cross_entropy takes a softmax itself: the second one bounds the loss from below and flattens it"
        return _Mismatch("probabilities (a softmax has been taken)", effect, drop)
    if _squashed(call, limits):
        effect = "outputs of a sigmoid differ by 1 at most, so that the softmax in cross_entropy is never sure"
        return _Mismatch("outputs of a sigmoid", effect, drop, confidence=0.95 if call.made_by else 0.8)
    if _always(call, "log_probabilities"):
        effect = "cross_entropy takes log_softmax itself; a second time changes nothing but the work"
        text = ("give the raw outputs to cross_entropy, or keep log_softmax and use nll_loss",)
        return _Mismatch("log-probabilities", effect, text, Severity.INFO, 0.9)
    return None


def _nll(call: LossCall, limits: Limits) -> _Mismatch | None:
    remedies = ("replace nll_loss by cross_entropy on the raw outputs", "take log_softmax before nll_loss")
    if _probabilities(call, limits):
        effect = "without the logarithm the loss is minus the probability, between −1 and 0, and hardly corrects errors"
        return _Mismatch("probabilities instead of their logarithms", effect, remedies)
    if _is_raw(call) or (_squashed(call, limits) and call.made_by):
        effect = "minus the output of the right class has no lower bound: all outputs only grow"
        return _Mismatch("outputs that are no logarithms of probabilities", effect, remedies, Severity.ERROR)
    return None


def _bce(call: LossCall, limits: Limits) -> _Mismatch | None:
    outside = call.smallest < -ROUNDING or call.largest > 1 + ROUNDING
    if not outside or not isfinite(call.smallest) or not isfinite(call.largest):
        return None  # what is not finite has another cause
    return _Mismatch(
        "numbers outside of 0 … 1",
        "binary_cross_entropy expects probabilities: PyTorch stops with an error, on a GPU without a clear one",
        ("replace it by binary_cross_entropy_with_logits (BCEWithLogitsLoss)", "take a sigmoid before the loss"),
        Severity.ERROR,
    )


def _bce_with_logits(call: LossCall, limits: Limits) -> _Mismatch | None:
    if not _squashed(call, limits):
        return None
    return _Mismatch(
        f"outputs of a {call.made_by or 'sigmoid'}",
        "the loss takes a sigmoid itself: after two of them answers lie between 0.5 and 0.73 only",
        (
            "remove the {op} before the loss, and apply it only where answers are read",
            "keep the sigmoid and use binary_cross_entropy (BCELoss)",
        ),
        confidence=0.97 if call.made_by else 0.8,
    )


def _kl_div(call: LossCall, limits: Limits) -> _Mismatch | None:
    remedies = (
        "give kl_div log_softmax of the outputs as its first argument",
        "pass log_target if both are logarithms",
    )
    effect = "kl_div expects logarithms as its first argument: what it returns is no divergence, and may be negative"
    if _probabilities(call, limits):
        return _Mismatch("probabilities instead of their logarithms", effect, remedies)
    if _is_raw(call):
        return _Mismatch("outputs that are no logarithms of probabilities", effect, remedies, Severity.ERROR, 0.9)
    return None


_JUDGES: dict[str, Callable[[LossCall, Limits], _Mismatch | None]] = {
    "cross_entropy": _cross_entropy,
    "nll_loss": _nll,
    "binary_cross_entropy": _bce,
    "binary_cross_entropy_with_logits": _bce_with_logits,
    "kl_div": _kl_div,
}


def _finding(call: LossCall, mismatch: _Mismatch) -> Finding:
    operation = call.made_by or "softmax or sigmoid"
    where = "" if call.trains else " in evaluation"
    return loss_input_mismatch.finding(
        f"{call.loss} is given {mismatch.found}{where}{at(call.site)}",
        severity=mismatch.severity,
        confidence=mismatch.confidence,
        evidence={
            "loss": call.loss,
            "input": call.input_kind,
            "made_by": call.made_by or None,
            "calls": call.calls,
            "smallest": finite(call.smallest),
            "largest": finite(call.largest),
        },
        where=site_where(call.site),
        cause=mismatch.effect,
        remedies=tuple(Remedy(text.format(op=operation)) for text in mismatch.remedies),
    )
