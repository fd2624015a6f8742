"""M204."""

from collections.abc import Iterator

from dlcheck.findings import Effect, Finding, Severity
from dlcheck.rules.model.quiet import quiet_low, whole, worst
from dlcheck.rules.prescription import Prescription, prescribed
from dlcheck.rules.prescriptions import NORM, SCALE, rate
from dlcheck.rules.rule import Limits, Threshold, Unchecked, measured, rule
from dlcheck.rules.site import listed, share, site_where
from dlcheck.runs import Run
from dlcheck.runs.facts import DeadUnits, QuietLayer

START = Prescription(
    "initialise with variance 2 / inputs, and biases at 0",
    {"init.name": "he"},
    expects=(Effect("layer_dead_fraction", "falls"),),
)
LEAKY = Prescription(
    "use an activation without a dead side",
    {"model.activation": "gelu"},
    only_if={"model.activation": ("relu",)},
    expects=(Effect("layer_dead_fraction", "falls"),),
)


@rule(
    "M204",
    "dead-units",
    Severity.WARNING,
    needs=("dead_units",),
    thresholds={
        "share": Threshold(0.5, "measured on 199 healthy small runs: at most 0.35 of a layer's units were dead"),
        "samples": Threshold(512, "a unit that is active for 1 % of the samples is missed in 512 with p = 0.006"),
        "few_samples": Threshold(32, "that a whole layer is silent for so many by chance is out of the question"),
    },
    references=("Lu, Shin, Su & Karniadakis 2020, Commun. Comput. Phys. 28(5) (dying ReLU)",),
    prescriptions=(rate(0.3), LEAKY, START, NORM, SCALE),
)
def dead_units(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find layers most of whose rectified units are active for no sample at all.

    What it finds:
        A layer in which more than half of the units, by the lower end of the 95 % interval, were positive for
        none of at least 512 samples; or a layer of which not one unit ever was.
    Why it matters:
        A dead unit has no gradient and does not come back; behind a wholly dead layer nothing learns.
    What to do:
        A lower learning rate, He's initialisation with biases at 0, leaky ReLU or GELU, normalisation.
    Limits:
        Units that are silent for most samples are no finding: sparse activity is what ReLU is for. Up to a
        third of dead units is usual in healthy networks.
    Thresholds:
        share: Share of dead units in a layer.
        samples: Samples over which units must have been watched.
        few_samples: The same where every unit of the layer was silent.
    Sources:
        Lu, Shin, Su & Karniadakis 2020, Commun. Comput. Phys. 28(5).
    """
    seen = measured(run, DeadUnits)
    layers = seen.layers or seen.first
    judged = [layer for layer in layers if layer.units > 0 and _enough(layer, limits)]
    if not judged:
        raise Unchecked(f"no rectified layer was watched over {limits['samples']:.0f} samples")
    dead = [layer for layer in judged if whole(layer) or quiet_low(layer) > limits["share"]]
    if dead:
        yield _judge(run, dead)


def _enough(layer: QuietLayer, limits: Limits) -> bool:
    return layer.samples >= (limits["few_samples"] if whole(layer) else limits["samples"])


def _judge(run: Run, dead: list[QuietLayer]) -> Finding:
    most = worst(dead)
    others = f"; so are others: {listed([layer.layer for layer in dead if layer is not most])}" if dead[1:] else ""
    at_start = most.step == 0
    first = (START, LEAKY, SCALE, NORM) if at_start else (rate(0.3), LEAKY, START, NORM)
    return dead_units.finding(
        f"{most.quiet} of {most.units} units of {most.layer} were active for none of {most.samples} samples"
        f"{' at initialisation' if at_start else ''}{others}",
        severity=Severity.WARNING,
        confidence=0.95 if whole(most) else 0.9,
        evidence={
            "dead": most.quiet,
            "units": most.units,
            "share": share(most.quiet, most.units),
            "low": quiet_low(most),
            "samples": most.samples,
            "layers": len(dead),
        },
        where=site_where(None, layer=most.layer, step=most.step),
        cause="biases or weights that begin far on the negative side, or inputs of the wrong scale"
        if at_start
        else "steps so large that weights were thrown to where no sample activates the unit",
        remedies=prescribed(run, *first),
    )
