"""S603."""

import json
import math
from collections import Counter
from collections.abc import Iterator

from dlcheck.findings import Finding, Remedy, Severity, Where
from dlcheck.rules.rule import Limits, Threshold, Unchecked, measured, rule
from dlcheck.rules.search.region import Region, failed, failing_region, judged
from dlcheck.rules.search.rows import range_patch, rounded, told
from dlcheck.rules.statistics import wilson_interval
from dlcheck.runs import Run
from dlcheck.runs.facts import SearchStudy

WORDS = {
    "nan": "ended in a loss that is not a number",
    "diverged": "diverged",
    "no_fit": "learned nothing",
    "dead": "had a network without a gradient",
    "oom": "ran out of memory",
    "limit": "broke a limit",
    "error": "raised an error",
}


@rule(
    "S603",
    "failing-trials",
    Severity.WARNING,
    needs=("search_study",),
    thresholds={
        "least_trials": Threshold(5, "of four trials a single one is a quarter"),
        "share": Threshold(0.3, "Godbole et al. 2023: many infeasible points mean a badly chosen space"),
        "pure": Threshold(0.8, "a region of which most can be used should stay in the space"),
        "covered": Threshold(0.5, "half of the failures, or the region is not what they have in common"),
        "level": Threshold(0.05, "the usual one; its correction for all cuts is strict, since they overlap"),
        "left": Threshold(3, "fewer good trials outside would not show that the rest of the space is sound"),
    },
    references=(
        "Godbole et al. 2023, Deep Learning Tuning Playbook (infeasible trials)",
        "Fisher 1922, J. R. Stat. Soc. 85(1)",
    ),
)
def failing_trials(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find a search that spends much of its budget on trials that fail.

    What it finds:
        More than three trials in ten that ended as not a number, diverged, without learning, out of memory,
        over a limit or with an error. A warning where one part of the space holds them significantly: above
        or below a value, or one choice; else information.
    Why it matters:
        Such trials cost time, and teach the sampler little more than to stay away.
    What to do:
        Search the narrower range that is proposed, in a study of its own.
    Limits:
        One cut of one parameter is looked for; failures that need two of them together give no proposal.
        Trials that were pruned, stopped or lost do not count as failed.
    Thresholds:
        least_trials: Fewer ended trials are not judged.
        share: Share of failing trials above which something is said.
        pure: Least share of failures in the part of the space that is to be left out.
        covered: Least share of all failures that it must hold.
        level: Significance of the cut.
        left: Least number of good trials outside of it.
    Sources:
        Godbole et al. 2023, Deep Learning Tuning Playbook; Fisher 1922, J. R. Stat. Soc. 85(1).
    """
    study = measured(run, SearchStudy)
    trials = judged(study)
    if len(trials) < limits["least_trials"]:
        raise Unchecked(f"only {len(trials)} trials ended; {limits['least_trials']:g} are needed")
    if sum(map(failed, trials)) > limits["share"] * len(trials):
        region = failing_region(study)
        yield _judge(study, region if region is not None and _clear(study, region, limits) else None)


def _clear(study: SearchStudy, region: Region, limits: Limits) -> bool:
    trials = judged(study)
    good = sum(not failed(trial) for trial in trials) - (region.trials - region.failed)
    return (
        region.p < limits["level"]
        and region.failed >= limits["pure"] * region.trials
        and region.failed >= limits["covered"] * (region.failed + region.outside)
        and good >= limits["left"]
    )


def _judge(study: SearchStudy, region: Region | None) -> Finding:
    trials = judged(study)
    endings = Counter(trial.ending for trial in trials if failed(trial))
    count = sum(endings.values())
    low, high = wilson_interval(count / len(trials), len(trials))
    kinds = ", ".join(f"{number} {WORDS.get(ending, ending)}" for ending, number in endings.most_common(3))
    words = f"{count} of {len(trials)} trials failed: {kinds}"
    evidence: dict[str, str | float | int | None] = {
        "failed": count,
        "trials": len(trials),
        "share_low": low,
        "share_high": high,
    }
    if region is not None:
        words += f"; {region.failed} of the {region.trials} with {where(region)}"
        evidence |= {
            "parameter": region.parameter.name,
            "from": region.choice if region.choice is not None else region.edge,
            "failed_there": region.failed,
            "trials_there": region.trials,
            "p": region.p,
        }
    return failing_trials.finding(
        words,
        severity=Severity.INFO if region is None else Severity.WARNING,
        confidence=0.7 if region is None else 0.9,
        evidence=evidence,
        where=Where(metric=study.metric),
        cause="a space that reaches into values with which this recipe cannot train",
        remedies=_remedies(study, region),
    )


def where(region: Region) -> str:
    """Return a region in words, as ``optimizer.lr at or above 0.5``."""
    path = region.parameter.path
    if region.choice is not None:
        return f"{path} = {region.choice}"
    return f"{path} at or {'above' if region.above else 'below'} {told(region.edge)}"


def _remedies(study: SearchStudy, region: Region | None) -> tuple[Remedy, ...]:
    look = Remedy("read why they ended (trials.csv, or the study's report), and narrow the space by hand")
    if region is None:
        return (look,)
    path = region.parameter.path
    if region.choice is not None:
        return (_without(study, region), look)
    ends = narrowed(region)
    if ends is None:
        return (look,)
    text = f"search {path} from {told(ends[0])} to {told(ends[1])} only, in a study of its own"
    return (Remedy(text, range_patch(region.parameter, ends, study)), look)


def _without(study: SearchStudy, region: Region) -> Remedy:
    parameter = region.parameter
    text = f"leave {region.choice} out of the choices of {parameter.path}, in a study of its own"
    rest = [choice for choice in parameter.choices if choice != region.choice]
    if parameter.when or not rest:
        return Remedy(text)
    return Remedy(text, {f"search.{parameter.path}.choice": [_value(choice) for choice in rest]})


def _value(choice: str) -> object:
    """Return a choice as the recipe has it; what is no JSON is a word."""
    try:
        return json.loads(choice)
    except ValueError:
        return choice


def narrowed(region: Region) -> tuple[float, float] | None:
    """Return the range without the region: it ends between the last good value and the first failed one."""
    parameter = region.parameter
    low, high = parameter.low, parameter.high
    if low is None or high is None:
        return None
    edge = region.last_good if parameter.kind in ("int", "pow2") else _between(region)
    ends = (low, edge) if region.above else (edge, high)
    return ends if ends[0] < ends[1] else None


def _between(region: Region) -> float:
    good, bad = region.last_good, region.edge
    middle = math.sqrt(good) * math.sqrt(bad) if min(good, bad) > 0 else good / 2 + bad / 2
    short = rounded(middle)
    return short if min(good, bad) <= short <= max(good, bad) else good
