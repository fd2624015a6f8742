"""The metric beside the loss that tells best how good the answers are."""

import re
from dataclasses import dataclass

import numpy as np

from dlcheck.rules.course import Course, curves, series_course
from dlcheck.rules.statistics import tail, trend
from dlcheck.runs import Run
from dlcheck.runs.run import Numbers
from dlcheck.runs.signals import lower_is_better

ACCURACY = re.compile(r"(^|[^a-z])(acc|accuracy|top.?1|prec.?1)([^a-z]|$)|accuracy")
BOUNDED = re.compile(r"f1|auc|map|(^|[^a-z])ap|iou|dice|jaccard|recall|precision|bleu|rouge|r2")
FALLING = re.compile(r"(^|[^a-z])(err|error|error_rate|wer|cer|ppl|perplexity)([^a-z]|$)")


@dataclass(frozen=True, slots=True)
class Score:
    """A metric other than the loss, turned so that higher is better, as a share of 1 where it is one."""

    name: str
    course: Course
    y: Numbers
    """Higher is better; percent as fractions. Shape (points,)."""
    level: Numbers
    bounded: bool
    """Whether 1 is the best there can be."""

    @property
    def best(self) -> int:
        """Index of the best level."""
        return int(np.argmax(self.level))

    @property
    def best_level(self) -> float:
        """The best level."""
        return float(self.level.max())

    @property
    def worsens(self) -> bool:
        """Whether it ends significantly below its best: by a trend since then, and by twice its noise."""
        best = self.best
        if len(self.y) - best < 4:
            return False
        lost = float(self.level[best] - np.median(tail(self.y, 0.2)))
        return lost > 2 * self.noise and trend(self.course.x[best:], self.y[best:]).falls(0.05)

    @property
    def improves(self) -> bool:
        """Whether it rises significantly over the whole run."""
        return trend(self.course.x, self.y).rises(0.05)

    @property
    def noise(self) -> float:
        """Standard deviation around its course."""
        return self.course.noise * (float(np.ptp(self.y)) / (float(np.ptp(self.course.y)) or 1.0))


def accuracies(run: Run, *splits: str) -> list[Score]:
    """Return the scores of these splits that are accuracies, as shares of 1."""
    return [item for item in scores(run, *splits) if item.bounded and ACCURACY.search(item.name.lower())]


def scores(run: Run, *splits: str) -> list[Score]:
    """Return the metrics of those of some splits that have one, see ``score``."""
    return [found for split in splits if (found := score(run, split)) is not None]


def score(run: Run, split: str = "val") -> Score | None:
    """Return the metric that the run names in its facts, else an accuracy, a bounded score or an error rate.

    None when this split has no such metric.
    """
    name = _chosen(run, split)
    found = series_course(run, split, name, name) if name else None
    if name is None or found is None:
        return None
    bounded = not lower_is_better(name, run) and bool(ACCURACY.search(name.lower()) or BOUNDED.search(name.lower()))
    scale = 100.0 if bounded and 1.5 < float(found.y.max()) <= 100 else 1.0
    sign = -1.0 if lower_is_better(name, run) else 1.0
    y, level = sign * found.y / scale, sign * found.level / scale
    return Score(name, found, y, level, bounded and float(y.max()) <= 1.0)


def _chosen(run: Run, split: str) -> str | None:
    names = [metric for part, metric in curves(run) if part == split and metric not in ("loss", "batch_loss")]
    named = run.facts.get("metric")
    if named in names:
        return str(named)
    for kind in (ACCURACY, BOUNDED, FALLING):
        fitting = [name for name in names if kind.search(name.lower())]
        if fitting:
            return min(fitting, key=len)
    return None
