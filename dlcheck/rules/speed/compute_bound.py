"""P511."""

from collections.abc import Iterator

from dlcheck.findings import Finding, Remedy, Severity
from dlcheck.rules.rule import Limits, Unchecked, rule
from dlcheck.rules.site import finite
from dlcheck.rules.speed.bound import bound
from dlcheck.rules.speed.busy import why_unsure
from dlcheck.rules.speed.limits import thresholds
from dlcheck.rules.speed.picture import picture
from dlcheck.runs import Run
from dlcheck.runs.signals import PROFILE


@rule(
    "P511",
    "compute-bound",
    Severity.INFO,
    needs=("step_times",),
    thresholds=thresholds("share"),
    references=(
        "MLCommons, MLPerf Storage rules (accelerator utilisation of 90 %)",
        "Williams et al. 2009, Roofline, Commun. ACM 52(4)",
    ),
)
def compute_bound(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find a training that spends its time computing: the good case.

    What it finds:
        Steps in which nothing but forward pass, backward pass and optimizer costs enough to be worth a change.
    Why it matters:
        A faster loader brings nothing here. Only cheaper computation does: another precision, memory format or
        compilation, or another device.
    What to do:
        Nothing need be done. The trials of the computation say what would make it faster.
    Limits:
        Computing is not the same as computing well: see the model's share of the device's measured FLOP/s.
    Thresholds:
        share: Twice this share may go elsewhere.
    Sources:
        MLCommons, MLPerf Storage rules; Williams et al. 2009, Commun. ACM 52(4).
    """
    seen, found = picture(run), bound(run)
    if found.kind == "inconclusive":
        raise Unchecked(why_unsure(seen), PROFILE)
    if found.kind != "compute" or found.cause != "compute" or found.share < 1 - 2 * limits["share"]:
        return
    use = seen.device
    yield compute_bound.finding(
        found.words,
        confidence=found.confidence,
        evidence={
            "share": finite(found.share),
            "period_s": finite(seen.period_s),
            "steps": seen.steps.steps,
            "model_flop_utilization": finite(use.model_flop_utilization) if use is not None else None,
        },
        cause="nothing keeps the device waiting",
        remedies=(Remedy("nothing to mend; cheaper computation is all that would make it faster"),),
    )
