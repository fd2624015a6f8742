"""D110."""

from collections.abc import Iterator

from dlcheck.findings import Finding, Remedy, Severity, Where
from dlcheck.rules.data.memorised import Accuracies, accuracies
from dlcheck.rules.data.relation import checked, restored, unrelated
from dlcheck.rules.rule import Limits, Threshold, Unchecked, rule
from dlcheck.rules.site import finite, share
from dlcheck.rules.statistics import wilson_interval
from dlcheck.runs import Run
from dlcheck.runs.facts import LabelNoise, LabelSignal, fact


@rule(
    "D110",
    "uninformative-labels",
    Severity.ERROR,
    needs=(("label_signal", "val_metric"),),
    thresholds={
        "least_points": Threshold(3, "the end of a score is the median of three validations"),
        "fit": Threshold(0.5, "half of the way from chance to all right is no chance in any training split"),
        "gain": Threshold(0.1, "a tenth of what is left above chance: less of a relation is hardly one"),
        "tight": Threshold(0.05, "an interval that would have shown a weak relation"),
    },
    references=("Zhang et al. 2017, arXiv:1611.03530 (random labels are fitted as well)",),
)
def uninformative_labels(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find labels that carry nothing about the inputs.

    What it finds:
        Training accuracy that is high while the interval of validation accuracy holds that of a constant
        answer, at the end and at its best. Before training: simple models that do no better than a constant
        answer on either split, which is information, and a warning when three kinds of model agree on it.
    Why it matters:
        A network learns random labels by heart; nothing of that holds for other samples.
    What to do:
        Look at ten samples with their labels. Look for a step that shuffled, sorted or filtered inputs and
        labels apart.
    Limits:
        Tasks that no simple model can do (parity, arithmetic on codes) look the same before training. A
        validation that is prepared or evaluated otherwise than training looks the same in its accuracies,
        unless the simple models see it: then misaligned-labels says so.
    Thresholds:
        least_points: Fewer validations are not judged.
        fit: Share of the way from chance to 1 that training accuracy has gone.
        gain: Gain over chance, relative to what is left up to 1, that another order of labels must bring to
            make it misaligned-labels.
        tight: Distance of the interval's upper end from chance for a warning before training.
    Sources:
        Zhang et al. 2017, arXiv:1611.03530.
    """
    seen, curves = fact(run, LabelSignal), accuracies(run)
    if curves is not None and curves.points < limits["least_points"]:
        curves = None
    if seen is None and curves is None:
        raise Unchecked("accuracies of both splits, validation samples and classes are not all known", TRY)
    nothing = _nothing(seen, limits)
    if nothing is False or (curves is not None and curves.informed):
        return
    if curves is not None and curves.memorised(limits["fit"]):
        yield _fitted(curves, seen)
    elif seen is not None and nothing:
        yield _unrelated(seen, certain=_agreed(run, seen, limits["tight"]))


TRY = "dlcheck check RECIPE"


def _nothing(seen: LabelSignal | None, limits: Limits) -> bool | None:
    """Return whether simple models find nothing; None when they were not asked."""
    if seen is None:
        return None
    return unrelated(checked(seen)) and restored(seen, limits["gain"]) is None


def _agreed(run: Run, seen: LabelSignal, tight: float) -> bool:
    """Return whether the intervals are tight and the models that look for wrong labels know nothing either."""
    noise = fact(run, LabelNoise)
    if noise is None or noise.samples <= 0 or seen.score != "accuracy":
        return False
    # That accuracy leaves out suspected labels, all of which the models contradict.
    right = noise.model_accuracy * share(noise.samples - noise.suspects, noise.samples)
    others = wilson_interval(right, noise.samples)[0]
    return others <= seen.chance and seen.train_high <= seen.chance + tight


def _fitted(curves: Accuracies, seen: LabelSignal | None) -> Finding:
    return uninformative_labels.finding(
        f"training accuracy reached {curves.train:.1%}, validation {curves.val:.1%}, "
        f"which a constant answer reaches too ({curves.chance:.1%})",
        confidence=0.95 if seen is not None else 0.8,
        evidence={
            "train_accuracy": curves.train,
            "val_accuracy": curves.val,
            "val_low": curves.low,
            "val_high": curves.high,
            "chance": curves.chance,
            "val_samples": curves.samples,
            "simple_model": None if seen is None else finite(seen.train_score),
        },
        where=Where(metric=curves.name),
        cause=CAUSE if seen is not None else f"{CAUSE}; or validation samples that are prepared otherwise",
        remedies=REMEDIES,
    )


def _unrelated(seen: LabelSignal, *, certain: bool) -> Finding:
    model = seen.model or "a simple model"
    left = share(seen.train_high - seen.chance, 1.0 - seen.chance)
    return uninformative_labels.finding(
        f"nothing about the labels was found in the inputs, by {model}: {seen.score} {seen.train_score:.3g}, "
        f"where a constant answer has {seen.chance:.3g}",
        severity=Severity.WARNING if certain else Severity.INFO,
        confidence=0.75 if certain else 0.55,
        evidence={
            "train_score": finite(seen.train_score),
            "train_high": seen.train_high,
            "val_score": finite(seen.val_score),
            "chance": finite(seen.chance),
            "most_to_gain": finite(left),
        },
        cause=f"{CAUSE}; or a relation that only a larger model can see",
        remedies=REMEDIES,
    )


CAUSE = "inputs and labels that were shuffled, sorted or filtered apart, or labels of something else"
REMEDIES = (
    Remedy("look at ten samples with their labels, as the network gets them"),
    Remedy("shuffle and filter inputs and labels together, by one index"),
    Remedy("check that files and labels are paired by name, not by the order of a listing"),
)
