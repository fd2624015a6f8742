"""S605."""

from collections.abc import Iterator

from dlcheck.findings import Finding, Remedy, Severity, Where
from dlcheck.rules.rule import Limits, Threshold, Unchecked, measured, rule
from dlcheck.rules.search.region import failed, failing_region
from dlcheck.rules.site import listed
from dlcheck.rules.statistics import all_finite
from dlcheck.runs import Run
from dlcheck.runs.facts import Importance, SearchStudy


@rule(
    "S605",
    "unimportant-parameter",
    Severity.INFO,
    needs=("search_study",),
    thresholds={
        "low": Threshold(0.02, "what a parameter without any influence gets of a fit to 40 noisy trials"),
        "high": Threshold(0.1, "a tenth of what can be explained: little is lost even then"),
        "level": Threshold(0.05, "the usual one, corrected for all cuts that were looked at (as S603)"),
        "others": Threshold(0.3, "where no parameter explains that much, the fit itself says nothing"),
    },
    references=(
        "Hutter, Hoos & Leyton-Brown 2014, ICML (functional ANOVA)",
        "Bergstra & Bengio 2012, J. Mach. Learn. Res. 13",
    ),
)
def unimportant_parameter(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find parameters that made no difference where they were searched.

    What it finds:
        A parameter the 90 % interval of whose importance begins at about 0 and ends low, while another
        parameter explains much.
    Why it matters:
        Every further parameter makes the space larger; one without influence costs trials and brings nothing.
    What to do:
        Take it out of the search, at the recipe's value.
    Limits:
        Importance holds for the range that was searched, for this metric, and for trials that finished; a
        parameter may still matter together with another one.
    Thresholds:
        low: Largest lower end of the interval.
        high: Largest upper end.
        level: Significance of the cut by which trials fail: a parameter that decides that is not named.
        others: Least importance of the most important parameter.
    Sources:
        Hutter, Hoos & Leyton-Brown 2014, ICML; Bergstra & Bengio 2012, J. Mach. Learn. Res. 13.
    """
    study = measured(run, SearchStudy)
    known = [item for item in study.importances if all_finite(item.value, item.low, item.high)]
    if len(known) < 2:
        raise Unchecked(study.importance_note or "no importances were computed")
    if max(item.value for item in known) < limits["others"]:
        raise Unchecked("no parameter explains enough of the differences between trials")
    decides = _decides(study, limits)
    small = [
        item for item in known if item.low <= limits["low"] and item.high <= limits["high"] and item.name != decides
    ]
    if small:
        yield _judge(study, sorted(small, key=lambda item: (item.high, item.name)))


def _decides(study: SearchStudy, limits: Limits) -> str | None:
    """Return the parameter by which trials fail or not, which does make a difference; None when there is none."""
    region = failing_region(study) if any(map(failed, study.trials)) else None
    return region.parameter.name if region is not None and region.p < limits["level"] else None


def _judge(study: SearchStudy, small: list[Importance]) -> Finding:
    paths = {item.name: item.path for item in study.parameters}
    names = [paths.get(item.name, item.name) for item in small]
    verb = "makes" if len(small) == 1 else "make"
    return unimportant_parameter.finding(
        f"{listed(names)} {verb} hardly any difference to {study.metric} in the range searched",
        confidence=0.8,
        evidence={
            "parameters": ", ".join(names),
            "importance": tuple(item.value for item in small),
            "low": tuple(item.low for item in small),
            "high": tuple(item.high for item in small),
            "trials": min(item.trials for item in small),
        },
        where=Where(metric=study.metric),
        cause="a key that this recipe is not sensitive to",
        remedies=(Remedy(f"take {listed(names)} out of [search], and keep the recipe's own value"),),
    )
