"""D113."""

from collections.abc import Iterator

from dlcheck.findings import Finding, Remedy, Severity
from dlcheck.rules.remedy import patched
from dlcheck.rules.rule import Limits, Threshold, Unchecked, measured, rule
from dlcheck.rules.site import finite
from dlcheck.rules.statistics import all_finite
from dlcheck.runs import Run
from dlcheck.runs.facts import TargetInFeatures


@rule(
    "D113",
    "target-in-features",
    Severity.ERROR,
    needs=("target_in_features",),
    thresholds={
        "strong": Threshold(0.95, "Schoop et al. 2021, UMLAUT: results above 0.95 deserve a look"),
        "nearly_all": Threshold(0.99, "one sample in a hundred: as much as copying loses by rounding"),
        "alone": Threshold(0.2, "a feature of the same source as the others would not stand so far above the second"),
        "least_samples": Threshold(30, "two classes are told apart by chance once in a billion"),
    },
    references=(
        "Kaufman, Rosset, Perlich & Stitelman 2012, ACM TKDD 6(4)",
        "Kapoor & Narayanan 2023, Patterns 4(9)",
    ),
)
def target_in_features(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find a feature that gives the target away.

    What it finds:
        A column that equals the target, or is a one-to-one code of it, in every sample. A single column that
        nearly decides the target by itself, does better than a model on all others together and far better
        than the second best, is a warning; a strong one without these signs is information, and none at all
        where the second best does as well: then the task is easy.
    Why it matters:
        The network learns to copy, and fails where that column is not known before the answer.
    What to do:
        Leave out columns that are made from the target or become known only after it.
    Limits:
        Easy tasks have honest strong features; a person must say which. A single feature and a network that
        rebuilds its input are not judged.
    Thresholds:
        strong: Lower end of the 95 % interval of one feature's score, for information.
        nearly_all: The same for a warning.
        alone: Distance from the second best feature, for a warning.
        least_samples: Fewer samples are not judged.
    Sources:
        Kaufman, Rosset, Perlich & Stitelman 2012, ACM TKDD 6(4); Kapoor & Narayanan 2023, Patterns 4(9).
    """
    seen = measured(run, TargetInFeatures)
    if seen.samples < limits["least_samples"] or seen.features < 1:
        raise Unchecked(f"only {max(0, seen.samples)} samples with features; {limits['least_samples']:.0f} are needed")
    if seen.features < 2 or run.facts.get("task") == "reconstruction":
        return
    if seen.equal:
        yield _judge(run, seen, Severity.ERROR)
    elif all_finite(seen.best, seen.best_low) and seen.best_low >= max(limits["strong"], seen.second):
        yield _judge(run, seen, Severity.WARNING if _stands_out(seen, limits) else Severity.INFO)


def _stands_out(seen: TargetInFeatures, limits: Limits) -> bool:
    """Return whether nothing but this feature comes near to telling the target."""
    rest = seen.rest_high is not None and seen.best_low > seen.rest_high
    return rest and seen.best_low >= limits["nearly_all"] and seen.best - seen.second >= limits["alone"]


def _judge(run: Run, seen: TargetInFeatures, severity: Severity) -> Finding:
    name = seen.feature_name or f"feature {seen.feature}"
    equal = f"{name} equals the target, or is a code of it, in all {seen.samples} samples"
    strong = f"{name} alone tells the target ({seen.score} {seen.best:.3g}, the second best {seen.second:.3g})"
    drop = Remedy(f"leave {name} out of the features, unless it is known before the answer")
    return target_in_features.finding(
        equal if seen.equal else strong,
        severity=severity,
        confidence={Severity.ERROR: 0.97, Severity.WARNING: 0.8}.get(severity, 0.5),
        evidence={
            "feature": name,
            "score": finite(seen.best),
            "low": finite(seen.best_low),
            "second": finite(seen.second),
            "rest": finite(seen.rest),
            "chance": finite(seen.chance),
            "samples": seen.samples,
        },
        cause="a column that is made from the target, or becomes known only after it",
        remedies=(
            patched(run, drop.text, {"data.drop": [seen.feature_name]}) if _of_table(run, seen) else drop,
            Remedy("train without it: when the result falls to what it should be, it was the leak"),
        ),
    )


def _of_table(run: Run, seen: TargetInFeatures) -> bool:
    """Return whether the recipe reads a table whose columns have names."""
    recipe = run.meta.get("recipe")
    data = recipe.get("data") if isinstance(recipe, dict) else None
    return isinstance(data, dict) and data.get("name") == "csv" and bool(seen.feature_name)
