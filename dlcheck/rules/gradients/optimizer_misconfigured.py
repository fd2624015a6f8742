"""G316."""

from collections.abc import Iterator

from dlcheck.findings import Finding, Remedy, Severity
from dlcheck.rules.gradients.optimizer_settings import Fault, faults
from dlcheck.rules.rule import Limits, Threshold, measured, rule
from dlcheck.rules.site import finite, site_where
from dlcheck.runs import Run
from dlcheck.runs.facts import OptimizerSettings


@rule(
    "G316",
    "optimizer-misconfigured",
    Severity.ERROR,
    needs=("optimizer_settings",),
    thresholds={
        "momentum": Threshold(0.99, "the largest in use (Sutskever et al. 2013)"),
        "counted": Threshold(50, "a run of fewer steps is a trial"),
        "eps": Threshold(
            0.1, "Szegedy et al. 2016, arXiv:1512.00567 trained with 1.0 on purpose; 0.1 is the rarest use"
        ),
        "added_decay": Threshold(0.01, "Loshchilov & Hutter 2019: decays added to Adam's gradient are best below 0.01"),
        "rebuilt": Threshold(3, "twice may be a new phase of training"),
        "rebuilt_share": Threshold(0.5, "every step, but for some that were not seen"),
        "gained": Threshold(0.1, "a tenth of the start: less is not worth the name of learning"),
    },
    references=(
        "Kingma & Ba 2015, Adam, arXiv:1412.6980",
        "Loshchilov & Hutter 2019, Decoupled Weight Decay Regularization, arXiv:1711.05101",
        "Sutskever et al. 2013, On the importance of initialization and momentum in deep learning, ICML",
    ),
)
def optimizer_misconfigured(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find settings of an optimizer that cannot be meant.

    What it finds:
        A rate of 0 throughout; a momentum of 1 or more, or so near 1 that it adds up more steps than the run
        has; Adam's betas in the wrong order, or an eps of 0; an optimizer that maximizes a loss; one that is
        built anew at every epoch or step and so forgets its averages. Only mentioned: a very large eps, a
        strong decay that Adam divides away, and parameters held twice while the loss falls.
    Why it matters:
        The training runs, and each step does something else than was meant.
    What to do:
        Set what is named to its usual value; build the optimizer once, before the loop.
    Limits:
        Only what can be read from the optimizer. Rates that are merely too high or too low show in the size of
        the steps.
    Thresholds:
        momentum: Momentum up to which the steps it adds up are not counted.
        counted: Steps of a run from which on they are.
        eps: Eps of Adam above which it is mentioned.
        added_decay: Decay added to Adam's gradient above which it is mentioned.
        rebuilt: Optimizers built anew for the same parameters, at least.
        rebuilt_share: Share of the steps that had a new optimizer, to call it every step.
        gained: Share of the start that a loss which learns has gained at the end.
    Sources:
        Kingma & Ba 2015, arXiv:1412.6980 (betas, eps); Loshchilov & Hutter 2019, arXiv:1711.05101 (decay);
        Sutskever et al. 2013, ICML (momentum).
    """
    settings = measured(run, OptimizerSettings)
    found = faults(run, settings, limits)
    if found:
        yield _judge(settings, found)


def _judge(settings: OptimizerSettings, found: list[Fault]) -> Finding:
    first = found[0]
    same = [fault for fault in found if fault.severity == first.severity]
    words = list(dict.fromkeys(fault.words for fault in same))
    evidence = {
        name: finite(value) if isinstance(value, float) else value
        for fault in reversed(same)
        for name, value in fault.evidence.items()
    }
    return optimizer_misconfigured.finding(
        "; ".join(words[:3]),
        severity=first.severity,
        confidence=0.95 if first.severity is Severity.ERROR else 0.85,
        evidence=evidence,
        where=site_where(settings.site),
        cause=first.cause,
        remedies=tuple(Remedy(text) for text in dict.fromkeys(fault.remedy for fault in same)),
    )
