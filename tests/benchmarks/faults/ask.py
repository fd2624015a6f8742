"""Asks dlcheck about a training in its three ways: while it runs, by its log alone, and before it begins."""

from __future__ import annotations

import contextlib
import csv
import io
import tempfile
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dlcheck
from dlcheck.checks.check import check
from dlcheck.findings import Finding
from dlcheck.watching.live import Live
from tests.benchmarks.faults import patient
from tests.benchmarks.faults.loop import Result, Row, Training
from tests.benchmarks.faults.memo import remembered
from tests.benchmarks.faults.plan import Data, Plan, Recorder
from tests.benchmarks.faults.record import Told

CHECK_S = 12.0
"""Seconds for an examination before training: 30 are dlcheck's own, and few of these programs need them."""
FIRST_LOOK = 16
"""Steps until the first look at a training that goes on; the next ones come at twice as many each."""
COLUMNS = {
    "train_loss": "train_loss_epoch",
    "train_accuracy": "train_acc",
    "val_accuracy": "val_acc",
    "batch_loss": "train_loss_step",
}
"""Names in the log, as a common logger writes them."""


def told(finding: Finding, step: int | None = None) -> Told:
    """Return what is kept of a finding."""
    where = finding.where
    return Told(
        finding.code,
        finding.severity.label,
        finding.confidence,
        finding.primary,
        where.layer,
        where.line,
        step,
        finding.summary,
    )


@dataclass
class _Looks:
    """Looks at a training while it runs, at steps further and further apart."""

    session: Any
    seen: dict[str, int] = field(default_factory=dict)
    """Steps until a code was told for certain."""
    _due: int = FIRST_LOOK - 1

    def __call__(self, observer: Any) -> None:
        if observer.steps < self._due:
            return
        self._due = 2 * self._due + 1
        for finding in Live._fresh(self._live, observer):
            self.seen.setdefault(finding.code, observer.steps)

    def __post_init__(self) -> None:
        self._live = Live(self.session, tell=False)


def watched(
    make: Callable[[], Plan], clean: Data, recorders: Sequence[Recorder] = (), *, looks: bool = False
) -> tuple[Training | None, list[Told], BaseException | None]:
    """Train under watch.

    Args:
        make: Returns the plan; called under watch, as a script builds its model.
        clean: For the score.
        recorders: Others that are told of the training.
        looks: Whether to look at it while it runs, for the step at which each finding is first told.

    Returns:
        The training, what was told, and the exception that ended it.
    """
    training: Training | None = None
    error: BaseException | None = None
    with tempfile.TemporaryDirectory() as folder, quiet():
        run = dlcheck.watch(run_dir=Path(folder) / "run")
        begun = _Looks(run._session)
        if looks:
            run._session.on_step, run._session.every_s = begun, 0.0
        try:
            with run:
                training = Training(make(), clean, recorders)
                training.run()
        except Exception as caught:  # a fault may end a training in any way; the watch has seen it
            error = caught
        found = [told(one, begun.seen.get(one.code)) for one in run.findings]
    if training is not None:
        training.result.error = error
    return training, found, error


def by_log(log: Sequence[Row]) -> list[Told]:
    """Diagnose the log of a training."""
    if not log:
        return []
    with tempfile.TemporaryDirectory() as folder, quiet():
        path = Path(folder) / "metrics.csv"
        rows = [{COLUMNS.get(name, name): value for name, value in row.items()} for row in log]
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(dict.fromkeys(name for row in rows for name in row)))
            writer.writeheader()
            writer.writerows({**row, "epoch": int(row["epoch"]) - 1, "step": int(row["step"])} for row in rows)
        return [told(one) for one in dlcheck.diagnose(path).findings]


def examined(make: Callable[[], Plan], seed: int) -> list[Told]:
    """Examine a training before it begins."""
    patient.make = make
    with quiet(), remembered():
        report = check(f"{patient.__name__}:factory", seed=seed, limit_s=CHECK_S)
    return [told(one) for one in report.outcome.findings]


@contextlib.contextmanager
def quiet() -> Any:
    """Keep what trainings print and warn of to themselves."""
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        yield


def plain(make: Callable[[], Plan], clean: Data) -> Result:
    """Train without anybody who watches."""
    with quiet():
        training = Training(make(), clean)
        with contextlib.suppress(Exception):
            training.run()
        return training.judge()
