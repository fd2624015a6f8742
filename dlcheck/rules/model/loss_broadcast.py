"""M211."""

from collections.abc import Iterator
from itertools import zip_longest
from math import prod

from dlcheck.findings import Finding, Remedy, Severity
from dlcheck.rules.rule import Limits, measured, rule
from dlcheck.rules.site import at, site_where
from dlcheck.runs import Run
from dlcheck.runs.facts import LossCall, LossCalls

Shape = tuple[int, ...]


@rule(
    "M211",
    "loss-broadcast",
    Severity.ERROR,
    needs=("loss_calls",),
    references=(
        "PyTorch documentation, Broadcasting semantics",
        "PyTorch source, torch.nn.functional.mse_loss: the warning about a target of another size",
    ),
)
def loss_broadcast(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find outputs and targets of different shapes that a loss spreads over each other, as (N, 1) against (N,).

    What it finds:
        A loss whose input and target differ in shape and together make something larger than both: each
        answer is compared with the target of every sample.
    Why it matters:
        (N, 1) against (N,) makes N × N differences. The best that can be learned is then the mean of all
        targets, whatever the input: the loss falls, and the network learns to answer a constant.
    What to do:
        Give both the same shape: squeeze the last axis of the output, or unsqueeze that of the target.
    Limits:
        A target of one number, and a batch of one sample, are no fault. Where only one of the two is spread
        (one target for many outputs, as in quantile regression), or where both have the same number of axes
        beyond two (all pairs, on purpose), it is told as information.
    Thresholds:
        None: the test is exact.
    Sources:
        PyTorch documentation, Broadcasting semantics; PyTorch source, torch.nn.functional.mse_loss.
    """
    found = [(call, severity) for call in measured(run, LossCalls).calls if (severity := _severity(call)) is not None]
    training = [item for item in found if item[0].trains]
    for call, severity in training or found:
        yield _finding(call, severity)


def _severity(call: LossCall) -> Severity | None:
    one, other = call.input_shape, call.target_shape
    if not call.broadcast or one == other or min(prod(one), prod(other)) <= 1:
        return None
    both = _joined(one, other)
    if both is None:
        return None
    if prod(both) == max(prod(one), prod(other)):
        return Severity.INFO  # only one of them is spread
    if len(one) != len(other):
        return Severity.ERROR
    return Severity.WARNING if len(one) == 2 else Severity.INFO


def _joined(one: Shape, other: Shape) -> Shape | None:
    """Return the shape after broadcasting, None where the two do not fit."""
    pairs = list(zip_longest(reversed(one), reversed(other), fillvalue=1))
    if any(a != b and 1 not in (a, b) for a, b in pairs):
        return None
    return tuple(max(a, b) for a, b in reversed(pairs))


def _finding(call: LossCall, severity: Severity) -> Finding:
    both = _joined(call.input_shape, call.target_shape) or ()
    crossed = severity > Severity.INFO
    cause = (
        "each answer is compared with the targets of all samples: the network can only learn their mean"
        if crossed
        else "one of the two is repeated to the shape of the other, which may be meant"
    )
    return loss_broadcast.finding(
        f"{call.loss} spreads an output of shape {_told(call.input_shape)} and a target of shape "
        f"{_told(call.target_shape)} to {_told(both)}{at(call.site)}",
        severity=severity,
        confidence=0.99 if severity is Severity.ERROR else 0.85 if crossed else 0.6,
        evidence={
            "loss": call.loss,
            "output_shape": _told(call.input_shape),
            "target_shape": _told(call.target_shape),
            "compared_as": _told(both),
            "calls": call.calls,
        },
        where=site_where(call.site),
        cause=cause,
        remedies=_remedies(call),
    )


def _remedies(call: LossCall) -> tuple[Remedy, ...]:
    if call.input_shape[-1:] == (1,) and len(call.input_shape) > len(call.target_shape):
        first = "squeeze the output's last axis before the loss: output.squeeze(-1)"
    elif call.target_shape[-1:] == (1,) and len(call.target_shape) > len(call.input_shape):
        first = "squeeze the target's last axis before the loss: target.squeeze(-1)"
    else:
        first = "reshape the target to the output's shape before the loss: target.view_as(output)"
    return (Remedy(first), Remedy("check that both have the same shape right before the loss is called"))


def _told(shape: Shape) -> str:
    return f"({shape[0]},)" if len(shape) == 1 else f"({', '.join(map(str, shape))})"
