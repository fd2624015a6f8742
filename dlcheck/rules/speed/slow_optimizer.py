"""P514."""

from collections.abc import Iterator

from dlcheck.findings import Finding, Remedy, Severity
from dlcheck.rules.remedy import patched
from dlcheck.rules.rule import Limits, rule
from dlcheck.rules.site import finite
from dlcheck.rules.speed.judging import confidence, judged, numbers, severity
from dlcheck.rules.speed.limits import thresholds
from dlcheck.rules.speed.picture import Picture, picture
from dlcheck.rules.speed.stall import Stall, optimizer_stall, traffic_ratio
from dlcheck.runs import Run


@rule(
    "P514",
    "slow-optimizer",
    Severity.INFO,
    needs=("step_times",),
    thresholds=thresholds("optimizer_share", "floor_ms", "traffic"),
    references=(
        "PyTorch documentation, torch.optim (foreach and fused implementations)",
        "Kingma & Ba 2015, Adam, arXiv:1412.6980",
    ),
)
def slow_optimizer(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find an optimizer whose step takes more of the time than it should.

    What it finds:
        An optimizer's step of more than a fifth of the time. A warning where, besides, it takes many times as
        long as the memory traffic of Adam would on this machine.
    Why it matters:
        The step goes once over the parameters and should be cheap beside a forward and a backward pass.
    What to do:
        Use PyTorch's own optimizers with foreach=True or fused=True; larger batches make fewer steps.
    Limits:
        Tiny batches of large networks rightly spend much in the optimizer. Second-order methods are dear on
        purpose; LBFGS computes forward and backward passes within its step.
    Thresholds:
        optimizer_share: Share of the time.
        floor_ms: Milliseconds a step that it must cost.
        traffic: Its time over that of 7 passes over the parameters at the measured bandwidth.
    Sources:
        PyTorch documentation, torch.optim; Kingma & Ba 2015, arXiv:1412.6980.
    """
    seen = picture(run)
    if seen.steps.optimizer == "LBFGS":
        return
    stall = judged(seen, optimizer_stall, limits, "optimizer_share")
    if stall is not None and not stall.denied:
        yield _finding(run, seen, stall, limits)


def _finding(run: Run, seen: Picture, stall: Stall, limits: Limits) -> Finding:
    return slow_optimizer.finding(
        f"{stall.share.value:.0%} of the time goes into {stall.words}",
        severity=severity(stall, limits, "optimizer_share"),
        confidence=confidence(stall, seen),
        evidence=numbers(stall, seen)
        | {"optimizer": seen.steps.optimizer, "over_memory_traffic": finite(traffic_ratio(seen))},
        cause="many small operations over the parameters, or work of another kind within the step",
        remedies=(
            Remedy("use an optimizer of torch.optim with fused=True or foreach=True"),
            patched(run, "use larger batches, with a learning rate to match: fewer steps", {}),
        ),
    )
