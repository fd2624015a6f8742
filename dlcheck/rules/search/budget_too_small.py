"""S604."""

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

import numpy as np

from dlcheck.findings import Finding, Remedy, Severity, Where
from dlcheck.rules.remedy import recipe_value
from dlcheck.rules.rule import Limits, Threshold, Unchecked, measured, rule
from dlcheck.rules.search.gain import confirmed_gain
from dlcheck.rules.search.region import judged
from dlcheck.rules.search.rows import LARGEST, ranked, reached, usable
from dlcheck.rules.statistics import tail, trend
from dlcheck.runs import Run
from dlcheck.runs.facts import SearchStudy, SearchTrial


@dataclass(frozen=True, slots=True)
class _Lack:
    words: str
    evidence: dict[str, float]


@rule(
    "S604",
    "budget-too-small",
    Severity.INFO,
    needs=("search_study",),
    thresholds={
        "least_trials": Threshold(12, "the last quarter of fewer is no more than a trial or two"),
        "late": Threshold(0.1, "a tenth of all that the search gained over its median trial, in its last quarter"),
        "noise": Threshold(2.0, "standard deviations of one training: below, the last gain may be luck"),
        "least_epochs": Threshold(8, "a trend over the last half needs four points (as C412)"),
        "falling": Threshold(2, "one of the best three may be an accident"),
        "gain": Threshold(0.05, "a twentieth of the metric per tenth of the training is worth more epochs (as C412)"),
        "progress": Threshold(0.01, "and a hundredth of all the progress made (as C412)"),
        "straight": Threshold(0.07, "a straight line gains a tenth of all progress in a tenth of the run (as C412)"),
        "level": Threshold(0.05, "one-sided level of the trend, the usual one"),
    },
    references=(
        "Godbole et al. 2023, Deep Learning Tuning Playbook",
        "Bergstra et al. 2011, NeurIPS 24 (start-up of TPE)",
    ),
)
def budget_too_small(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find a search that ended before it had found what it could.

    What it finds:
        One of three: fewer trials than the sampler draws at random before it learns; a best value that still
        improved clearly over the last quarter of the trials; best trials whose own curves were still improving
        when they ended.
    Why it matters:
        More of the same would probably give a better result. Short trials, besides, favour large rates.
    What to do:
        The same command with more trials goes on where the study ended. Trials that are too short need a
        recipe with more epochs, and a study of its own.
    Limits:
        Information: whether a further gain is worth the time is not for a rule to say.
    Thresholds:
        least_trials: Fewer finished trials are not judged by their last gains.
        late: Gain of the best value over the last quarter, relative to that over the median trial.
        noise: The same in standard deviations of one training, where the best trials were trained again.
        least_epochs: Curves with fewer points are not judged.
        falling: How many of the best three trials must still improve.
        gain: Expected gain over another tenth of the training, relative to the last value (where small is good).
        progress: The same relative to all progress of that trial.
        straight: The same, where the gain relative to the last value is less than that.
        level: One-sided significance level of the curve's trend.
    Sources:
        Godbole et al. 2023, Deep Learning Tuning Playbook; Bergstra et al. 2011, NeurIPS 24.
    """
    study = measured(run, SearchStudy)
    if not judged(study):
        raise Unchecked("no trial has ended")
    lacks = [lack for lack in (_startup(study), _late(study, limits), _curves(study, limits)) if lack is not None]
    if lacks:
        yield _judge(run, study, lacks)


def _startup(study: SearchStudy) -> _Lack | None:
    count = len(judged(study))
    if study.startup <= 0 or count > study.startup:
        return None
    words = f"only {count} trials ended, and the first {study.startup} are drawn at random"
    return _Lack(words, {"trials": count, "startup": study.startup})


def _late(study: SearchStudy, limits: Limits) -> _Lack | None:
    trials = usable(study)
    if len(trials) < limits["least_trials"]:
        return None
    values = [reached(study, trial) for trial in trials]
    last = max(1, len(values) // 4)
    before, best = min(values[:-last]), min(values)
    gained, late = median(values) - best, before - best
    noise = confirmed_gain(study)
    floor = limits["noise"] * noise.deviation if noise is not None else 0.0
    if late <= floor or late < limits["late"] * gained or late <= 0:
        return None
    words = f"the best {study.metric} still improved by {late:.2g} in the last {last} of {len(values)} finished trials"
    return _Lack(words, {"late_gain": late, "gain_over_median": gained, "last_trials": last})


def _curves(study: SearchStudy, limits: Limits) -> _Lack | None:
    best = [trial for trial in ranked(study) if len(trial.curve) >= limits["least_epochs"]][:3]
    falling = [trial for trial in best if _still_improves(study, trial, limits)]
    if len(falling) < limits["falling"]:
        return None
    words = f"{len(falling)} of the best {len(best)} trials were still improving when they ended"
    return _Lack(words, {"still_improving": len(falling), "of": len(best)})


def _still_improves(study: SearchStudy, trial: SearchTrial, limits: Limits) -> bool:
    sign = 1.0 if study.minimize else -1.0
    x = np.array([float(point.epoch) for point in trial.curve])
    y = np.clip(sign * np.array([point.value for point in trial.curve]), -LARGEST, LARGEST)
    keep = np.isfinite(y)
    x, y = x[keep], y[keep]
    if len(y) < limits["least_epochs"]:
        return False
    half = trend(tail(x, 0.5), tail(y, 0.5))
    gain = -half.slope * 0.1 * float(np.ptp(x))
    progress = float(y[0] - y.min())
    own = limits["gain"] * abs(float(y[-1])) if study.minimize else 0.0
    enough = min(max(own, limits["progress"] * progress), limits["straight"] * progress)
    return half.falls(limits["level"]) and gain > enough


def _judge(run: Run, study: SearchStudy, lacks: list[_Lack]) -> Finding:
    evidence = {name: value for lack in lacks for name, value in lack.evidence.items()}
    return budget_too_small.finding(
        "; ".join(lack.words for lack in lacks),
        confidence=0.75,
        evidence=evidence,
        where=Where(metric=study.metric),
        cause="fewer trials, or shorter ones, than this space needs",
        remedies=_remedies(run, study, evidence),
    )


def _remedies(run: Run, study: SearchStudy, evidence: dict[str, float]) -> tuple[Remedy, ...]:
    found: list[Remedy] = []
    if "late_gain" in evidence or "startup" in evidence:
        more = 2 * max(study.total or 0, len(judged(study)), 2 * study.startup if "startup" in evidence else 0)
        patch = {"tune.trials": more} if run.meta.get("recipe") else {}
        found.append(Remedy(f"go on to {more} trials: the same command with --trials {more}", patch))
    if "still_improving" in evidence:
        epochs = recipe_value(run, "train", "epochs")
        whole = isinstance(epochs, int) and not isinstance(epochs, bool) and epochs > 0
        longer: dict[str, object] = {"train.epochs": 2 * int(str(epochs))} if whole else {}
        found.append(Remedy("train twice as long in each trial, in a study of its own", longer))
    return tuple(found)
