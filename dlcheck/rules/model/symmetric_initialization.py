"""M202."""

from collections.abc import Iterator, Sequence

from dlcheck.findings import Finding, Severity
from dlcheck.rules.prescriptions import DEFAULT_INIT, HE
from dlcheck.rules.rule import Limits, Unchecked, measured, rule
from dlcheck.rules.site import listed, site_where
from dlcheck.runs import Run
from dlcheck.runs.facts import SymmetricLayer, WeightSymmetry


@rule(
    "M202",
    "symmetric-initialization",
    Severity.ERROR,
    needs=("weight_symmetry",),
    references=("Goodfellow, Bengio & Courville 2016, Deep Learning, section 8.4",),
    prescriptions=(HE, DEFAULT_INIT),
)
def symmetric_initialization(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find hidden layers whose units all begin equal, and stay so.

    What it finds:
        A hidden layer with weights that are all zero, all the same, or equal from unit to unit, whose units
        are still equal after some steps of training; or such weights in every layer, which nothing can ever
        tell apart. Where biases tell them apart, though every weight began so, it is a warning: what a network
        is then able to learn, it learns late. Where it was not seen whether they part, it is information.
    Why it matters:
        Equal units get equal gradients: a layer of a hundred does what a single unit could, and behind
        zeros nothing moves at all.
    What to do:
        Draw the weights at random; biases may begin at zero.
    Limits:
        Zeros are no fault in the last layer, where each output has a gradient of its own, nor in a branch
        whose output is added to something else (residual branches, adapters). Equal units behind dropout or
        before a random layer part by themselves: when training moved them apart, all is well.
    Thresholds:
        None: the test is exact.
    Sources:
        Goodfellow, Bengio & Courville 2016, Deep Learning, section 8.4.
    """
    seen = measured(run, WeightSymmetry)
    if seen.layers < 1:
        raise Unchecked("no weight with two axes trains")
    equal = [item for item in seen.symmetric if _equal(item)]
    hidden = [item for item in equal if item.still is not False]
    stuck = [item for item in hidden if item.still]
    unseen = [item for item in hidden if item.still is None]
    if not stuck and unseen and len(seen.symmetric) >= seen.layers:
        stuck, unseen = unseen, []  # with every layer symmetric, nothing passes anything but equal gradients
    if stuck:
        yield _judge(run, stuck, seen, certain=True)
    elif unseen:
        yield _judge(run, unseen, seen, certain=False)
    elif equal and len(seen.symmetric) >= seen.layers > 1:
        yield _parting(run, equal, seen)


def _parting(run: Run, found: Sequence[SymmetricLayer], seen: WeightSymmetry) -> Finding:
    return symmetric_initialization.finding(
        f"every weight of the network begins the same in all units of its layer, and only the biases tell them "
        f"apart: {_named(found)}",
        severity=Severity.WARNING,
        confidence=0.85,
        evidence={"layers": len(found), "of_layers": seen.layers, "units": found[0].units, "kind": found[0].kind},
        where=site_where(None, layer=found[0].layer),
        cause="weights set to zero or to one number",
    )


def _named(found: Sequence[SymmetricLayer]) -> str:
    return listed([f"{item.layer} ({item.kind}, {item.units} units)" for item in found])


def _equal(item: SymmetricLayer) -> bool:
    """Return whether all units of a layer begin equal where they should not."""
    return item.units > 1 and item.distinct <= 1 and not item.last and not item.residual


def _judge(run: Run, found: Sequence[SymmetricLayer], seen: WeightSymmetry, *, certain: bool) -> Finding:
    after = f" and stay so over {seen.steps} steps" if certain and seen.steps > 0 and found[0].still else ""
    return symmetric_initialization.finding(
        f"all units of a hidden layer begin equal{after}: {_named(found)}",
        severity=Severity.ERROR if certain else Severity.INFO,
        confidence=0.97 if certain else 0.6,
        evidence={
            "layers": len(found),
            "of_layers": seen.layers,
            "units": found[0].units,
            "distinct": found[0].distinct,
            "kind": found[0].kind,
            "steps": seen.steps,
        },
        where=site_where(None, layer=found[0].layer),
        cause="weights set to zero or to one number",
    )
