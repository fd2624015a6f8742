"""S602."""

from collections.abc import Iterator

from dlcheck.findings import Finding, Remedy, Severity, Where
from dlcheck.rules.rule import Limits, Threshold, Unchecked, measured, rule
from dlcheck.rules.search.gain import Gain, confirmed_gain
from dlcheck.rules.statistics import all_finite
from dlcheck.runs import Run
from dlcheck.runs.facts import SearchStudy


@rule(
    "S602",
    "within-noise",
    Severity.WARNING,
    needs=("search_study",),
    thresholds={
        "least_seeds": Threshold(2, "one training of each says nothing about how far two of them lie apart"),
        "small": Threshold(1.0, "a gain below one standard deviation of a training is what another seed gives"),
    },
    references=(
        "Bouthillier et al. 2021, arXiv:2103.03098",
        "Godbole et al. 2023, Deep Learning Tuning Playbook (retraining before adopting a change)",
        "Šidák 1967, J. Am. Stat. Assoc. 62(318)",
    ),
)
def within_noise(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find a gain over the recipe that another seed might have given too.

    What it finds:
        After the best trials and the recipe were trained again with several seeds: the 95 % interval of the
        difference of their means includes 0. A warning where, besides, the gain itself is smaller than the
        spread of one training; else a few more seeds might show it, and it is information.
    Why it matters:
        The best of many trials looks good by luck alone. A change that is within noise costs a more
        complicated recipe and brings nothing.
    What to do:
        Keep the recipe; or train both with more seeds, search longer, or search other keys.
    Limits:
        Few seeds show large gains only. Noise of the split of the data, which is the same for all, is not in
        the interval: another split may differ more.
    Thresholds:
        least_seeds: Trainings of each, without which nothing is judged.
        small: Gain in standard deviations of one training, below which the warning is given.
    Sources:
        Bouthillier et al. 2021, arXiv:2103.03098; Godbole et al. 2023, Deep Learning Tuning Playbook.
    """
    study = measured(run, SearchStudy)
    if not study.confirmed:
        raise Unchecked("the best trials were not trained again", "dlcheck tune RECIPE")
    gain = confirmed_gain(study)
    if gain is None or gain.seeds < limits["least_seeds"] or not all_finite(gain.value, gain.low, gain.high):
        raise Unchecked("too few of the repeated trainings came to their end")
    if not gain.shown:
        yield _judge(study, gain, sure=gain.value <= limits["small"] * gain.deviation)


def _judge(study: SearchStudy, gain: Gain, *, sure: bool) -> Finding:
    interval = f"(95 % interval {gain.low:.2g} to {gain.high:.2g}, {gain.seeds} seeds)"
    words = (
        f"the best trial is better than the recipe by {gain.value:.2g} in {study.metric} {interval}"
        if gain.value > 0
        else f"no trial is better than the recipe when trained again: {gain.value:.2g} in {study.metric} {interval}"
    )
    return within_noise.finding(
        f"{words}; one training varies by {gain.deviation:.2g} from seed to seed",
        severity=Severity.WARNING if sure else Severity.INFO,
        confidence=0.9 if sure else 0.7,
        evidence={
            "gain": gain.value,
            "low": gain.low,
            "high": gain.high,
            "deviation": gain.deviation,
            "seeds": gain.seeds,
            "trial": gain.trial,
        },
        where=Where(metric=study.metric),
        cause="a recipe that was good already, or a search that found nothing"
        if sure
        else "too few seeds to show a gain of this size",
        remedies=(
            Remedy("keep the recipe as it is") if sure else Remedy("train both with more seeds before you change it"),
            Remedy("search other keys, or the same ones with a larger budget"),
        ),
    )
