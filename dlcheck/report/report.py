"""What every format of report takes: one judged run."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from dlcheck.findings import Finding, Outcome, Where
from dlcheck.report.exams import ExamRow
from dlcheck.rules.verdict import Verdict
from dlcheck.runs import Run
from dlcheck.runs.run import Numbers
from dlcheck.runs.signals import SIGNALS, main_metric, signal_curve


@dataclass(frozen=True, slots=True)
class Report:
    """A run, what the rules said of it, and the verdict."""

    source: str
    """Where the run came from: a path, or the name of a recipe."""
    run: Run
    outcome: Outcome
    verdict: Verdict
    failed: bool = False
    """Whether a finding is at or above the severity that the run's settings fail on."""
    path: str = ""
    """The file or folder that the run was read from; of a file with several runs each has the same."""
    exams: tuple[ExamRow, ...] = ()
    """What ``dlcheck check`` measured, one exam after another."""
    then: str = ""
    """What to do next when nothing is to mend."""

    @property
    def format(self) -> str:
        """The format that the run was read from."""
        return str(self.run.meta.get("format", "unknown"))

    @property
    def without_signals(self) -> "Report":
        """The same report without the curves, which among thousands of runs would fill the memory."""
        return replace(self, run=replace(_no_signals(), meta=self.run.meta, facts=self.run.facts))


@dataclass(frozen=True, slots=True)
class Series:
    """One curve of a chart; ``x`` and ``y`` have the same shape (points,)."""

    label: str
    x: Numbers
    y: Numbers


def loss_series(run: Run) -> list[Series]:
    """Return training and validation loss over epochs, or over steps where epochs are not known.

    The loss of single batches stands in where no other training loss was logged.
    """
    train = "train_loss" if len(signal_curve(run, "train_loss")) else "batch_loss"
    return series_of(run, (train, "val_loss"))


def metric_series(run: Run) -> list[Series]:
    """Return the run's first metric beside the loss, on training and validation data."""
    metric = main_metric(run)
    if metric is None:
        return []
    curves = {split: run.curve(metric, split) for split in ("train", "val")}
    return [
        Series(f"{split}_{metric}", _places(run, curve.epochs, curve.steps), curve.values)
        for split, curve in curves.items()
        if len(curve)
    ]


def rate_series(run: Run) -> list[Series]:
    """Return the learning rate."""
    return series_of(run, ("lr",))


def x_label(run: Run) -> str:
    """Return what the charts of this run have along x: epochs where there is more than one, else steps."""
    epochs = run.scalars["epoch"].to_numpy(np.float64)
    return "epoch" if len(np.unique(epochs[np.isfinite(epochs)])) > 1 else "step"


def shown_by(report: Report, finding: Finding) -> list[Series]:
    """Return the curves that show a finding: those of the chart on which its metric lies, else the losses.

    Empty for a finding without a place, and where no value is finite.
    """
    if finding.where == Where():
        return []
    series = _chart_of(report.run, finding.where.metric)
    return series if any(np.isfinite(item.y).any() for item in series) else []


def _chart_of(run: Run, metric: str | None) -> list[Series]:
    for chart in (loss_series(run), metric_series(run), rate_series(run)):
        if metric in {item.label for item in chart}:
            return chart
    if metric in SIGNALS and len(signal_curve(run, metric)):
        return series_of(run, (metric,))
    return loss_series(run)


def moment(report: Report, finding: Finding) -> float | None:
    """Return where along x a finding begins, None where that is not known."""
    at = finding.where.epoch if x_label(report.run) == "epoch" else finding.where.step
    return None if at is None else float(at)


@cache
def _no_signals() -> Run:
    return Run()


def counts(outcome: Outcome) -> Mapping[str, int]:
    """Return how many rules ended in each way."""
    return {
        "findings": len(outcome.findings),
        "clean": len(outcome.clean),
        "not checked": len(outcome.not_checked),
        "crashed": len(outcome.crashed),
    }


def series_of(run: Run, names: tuple[str, ...]) -> list[Series]:
    """Return the scalar signals of these names that the run holds, each as a curve."""
    curves = {name: signal_curve(run, name) for name in names}
    return [
        Series(name, _places(run, curve.epochs, curve.steps), curve.values)
        for name, curve in curves.items()
        if len(curve)
    ]


def _places(run: Run, epochs: Numbers, steps: Numbers) -> Numbers:
    """Return x of each point; several steps of one epoch are spread evenly over it."""
    if x_label(run) == "step" or not np.isfinite(epochs).all():
        return steps if np.isfinite(steps).all() else np.arange(1.0, len(steps) + 1)
    _, start, count = np.unique(epochs, return_index=True, return_counts=True)
    if count.max() == 1:
        return epochs
    share = np.concatenate([np.arange(1, n + 1) / n for n in count[np.argsort(start)]])
    # Epochs are counted from 0 or from 1; either way the first one ends at 1 here.
    return epochs - min(1.0, epochs.min()) + share if np.all(np.diff(epochs) >= 0) else epochs
