"""G319."""

from collections.abc import Iterator

from dlcheck.findings import Finding, Severity
from dlcheck.rules.present import Present, present
from dlcheck.rules.rule import Limits, Threshold, Unchecked, rule
from dlcheck.rules.unusual import Unusual, restoring, shown, unusual
from dlcheck.runs import Run

LEARNS_LESS = "C408"
"""What a key that holds training back would look like, were it strong enough to be seen; any key can cause it."""


@rule(
    "G319",
    "unusual-setting",
    Severity.INFO,
    needs=(("train_loss", "train_eval_loss", "batch_loss"),),
    thresholds={
        "powers": Threshold(0.0, "any distance counts: the ranges are wide already, and a proof decides"),
    },
    references=("Godbole et al. 2023, Deep Learning Tuning Playbook (ranges that are searched)",),
)
def unusual_setting(run: Run, limits: Limits) -> Iterator[Finding]:
    """Find keys of the recipe that lie far from where they usually do.

    What it finds:
        A rate, penalty, limit, noise, schedule or size outside the range in which the literature finds it useful,
        where nothing else shows that it harms.
    Why it matters:
        A network that learns less than it could looks like a network that learned: a curve alone does not show
        what it could have reached.
    What to do:
        Set the key back, train both over a few seeds, and keep what is better: dlcheck treat does that.
    Limits:
        Unusual is not wrong: this says where to look, not that something is amiss. Without a recipe nothing is
        checked, and keys of the user's own components are not known.
    Thresholds:
        powers: Least distance from the usual range, in powers of ten.
    Sources:
        Godbole et al. 2023, Deep Learning Tuning Playbook; each key's range names its own source.
    """
    recipe = present(run)
    if recipe is None:
        raise Unchecked("this run has no recipe", "dlcheck train RECIPE")
    far = [item for item in unusual(recipe, LEARNS_LESS) if item.distance > limits["powers"]]
    if far:
        yield _judge(recipe, sorted(far, key=lambda item: -item.distance))


def _judge(recipe: Present, found: list[Unusual]) -> Finding:
    told = ", ".join(f"{item.path} = {shown(item.now)}" for item in found)
    return unusual_setting.finding(
        f"{told}: far from where {'it' if len(found) == 1 else 'they'} usually lie{'s' if len(found) == 1 else ''}",
        confidence=0.5,
        evidence={item.path: shown(item.now) for item in found} | {"powers_of_ten": found[0].distance},
        cause="a value of the recipe that few trainings have",
        remedies=restoring(recipe, LEARNS_LESS),
    )
